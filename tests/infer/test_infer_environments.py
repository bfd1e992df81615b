"""Environments step beside each other, and what the model reads is exactly what was there."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from fledge.infer.driving import Driven
from fledge.infer.engine import Engine
from fledge.infer.environments import ToolLoop, run_episodes
from fledge.infer.prompts import following_ids, prompt_ids, reply_limits
from fledge.infer.request import Completion, Event, GenerateRequest, Token
from fledge.infer.tools.tool import tool
from fledge.infer.tools.toolbox import Toolbox
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Message, Reaction


class Countdown:
    """Answers ``n`` times with the ids that came, backwards; the reward is how many there were."""

    def __init__(self, start: list[int], n: int) -> None:
        self.first, self.left, self.seen = start, n, []

    def start(self) -> list[int]:
        return self.first

    def step(self, action_ids: Sequence[int]) -> Reaction:
        self.seen.append(list(action_ids))
        self.left -= 1
        if self.left < 0:
            return Reaction(reward=float(len(action_ids)))
        return Reaction(list(action_ids)[::-1], done=False)


def test_episodes_extend_what_was_there(model: Decoder) -> None:
    engine = Engine(model, context_length=64, max_batch=3)
    environments = [Countdown([i + 1, 5], i % 3) for i in range(7)]
    request = GenerateRequest([0], max_tokens=4, temperature=1.0, seed=3)
    episodes = run_episodes(engine, environments, request, groups=[0, 0, 1, 1, 2, 2, 3])
    assert [episode.group for episode in episodes] == [0, 0, 1, 1, 2, 2, 3]
    for i, (episode, environment) in enumerate(zip(episodes, environments, strict=True)):
        ids = [i + 1, 5]
        weight = [0.0, 0.0]
        for number, action in enumerate(environment.seen):
            ids += action
            weight += [1.0] * 4
            if number < i % 3:
                ids += action[::-1]
                weight += [0.0] * 4
        assert (list(episode.ids), list(episode.weight), episode.finish_reason) == (ids, weight, "done")
        assert episode.reward is not None and episode.reward[-1] == 4.0 == sum(episode.reward)
        scored = engine.logprobs([ids])[0]
        own = np.flatnonzero(weight)
        np.testing.assert_allclose(np.array(episode.behavior_logp)[own], scored[own - 1], atol=1e-4)
        assert not np.array(episode.behavior_logp)[np.array(weight) == 0].any()
    assert engine.n_running == engine.n_waiting == 0


def test_no_room_and_no_turns_end_an_episode(model: Decoder) -> None:
    engine = Engine(model, context_length=20)
    request = GenerateRequest([0], max_tokens=6)
    long, many = (
        run_episodes(engine, [Countdown([1], 99), Countdown([1], 99)], request)[:1],
        run_episodes(engine, [Countdown([1], 99)], request, max_turns=1),
    )
    assert long[0].finish_reason == "length" and len(long[0].ids) >= 20
    assert many[0].finish_reason == "length" and sum(many[0].weight) == 6


def test_an_environment_that_fails_cancels_the_others(model: Decoder) -> None:
    class Broken(Countdown):
        def step(self, action_ids: Sequence[int]) -> Reaction:
            raise RuntimeError("broken on purpose")

    engine = Engine(model, context_length=64)
    with pytest.raises(RuntimeError, match="on purpose"):
        run_episodes(engine, [Countdown([1], 50), Broken([2], 1)], GenerateRequest([0], max_tokens=3))
    assert engine.n_running == engine.n_waiting == 0


def test_a_turn_is_followed_by_what_the_renderer_writes(tokenizer: Tokenizer) -> None:
    before = (Message("user", "the cat"), Message("assistant", "sat", tool_calls=("on", "the")))
    results = (Message("tool", "mat"), Message("tool", "door"))
    rendered = tokenizer.render(Conversation(before)).ids
    assert rendered + following_ids(tokenizer, results) == prompt_ids(tokenizer, Conversation((*before, *results)))


def test_tool_calls_have_a_place_only_where_there_are_tools(tokenizer: Tokenizer) -> None:
    call = tokenizer.special["<|tool_call|>"]
    assert call in reply_limits(tokenizer, Conversation(()))[1]
    assert call not in reply_limits(tokenizer, Conversation((), ("{}",)))[1]


class Scripted(Driven):
    """An engine that says what it is told to."""

    context_length = 400

    def __init__(self, tokenizer: Tokenizer, replies: list[Message]) -> None:
        super().__init__()
        self.replies = [tokenizer.render(Conversation((reply,))).ids[2:] for reply in replies]
        self.prompts: list[list[int]] = []

    def submit(self, request: GenerateRequest) -> int:
        self.prompts.append(list(request.ids))
        return len(self.prompts)

    def check(self, request: GenerateRequest) -> None: ...

    def _step(self) -> list[Event]:
        tokens = tuple(Token(index, -1.0, -1.0) for index in self.replies[len(self.prompts) - 1])
        return [Event(len(self.prompts), None, Completion(tokens, "stop"))]

    def _cancel(self, request: int) -> None: ...


def test_the_tool_loop_runs_calls_and_goes_on(tokenizer: Tokenizer) -> None:
    @tool(isolated=False)
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    call = json.dumps({"name": "add", "arguments": {"a": 2, "b": 3}})
    said = [Message("assistant", "", tool_calls=(call, '{"name": "no"}')), Message("assistant", "the mat")]
    engine = Scripted(tokenizer, said)
    with Toolbox([add]) as toolbox:
        asked = Conversation((Message("user", "the cat"),), toolbox.descriptions)
        loop = ToolLoop(tokenizer, asked, toolbox.session())
        episode = run_episodes(engine, [loop], GenerateRequest([0]))[0]
    assert loop.calls[0][1].text == "5"
    assert loop.calls[1][1].failed and "no tool" in loop.calls[1][1].text
    results = tuple(Message("tool", result.text) for _, result in loop.calls)
    whole = Conversation((*asked.messages, said[0], *results, said[1]), asked.tools)
    rendered = tokenizer.render(whole)
    assert list(episode.ids) == rendered.ids
    assert list(episode.weight) == rendered.weight  # what tools say is not the model's own
    assert episode.finish_reason == "done"
