"""Environments that a model acts in, many at once: the tool loop of a conversation, and whatever else steps."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from fledge.infer.driving import Driven
from fledge.infer.prompts import following_ids, prompt_ids
from fledge.infer.request import Completion, GenerateRequest
from fledge.infer.tools.toolbox import Session, ToolResult
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Environment, Episode, FledgeError, Message, Reaction

MAX_TURNS = 16


class ToolLoop:
    """A reply in which tools may be called: an environment that ends with the first turn that calls none.

    ``calls`` are the texts of the calls so far, each with its result.
    """

    def __init__(self, tokenizer: Tokenizer, conversation: Conversation, session: Session) -> None:
        self.tokenizer, self.conversation, self.session = tokenizer, conversation, session
        self.calls: list[tuple[str, ToolResult]] = []

    def start(self) -> list[int]:
        return prompt_ids(self.tokenizer, self.conversation)

    def step(self, action_ids: Sequence[int]) -> Reaction:
        message = self.tokenizer.parse_reply(action_ids)
        if not message.tool_calls or self.tokenizer.end not in action_ids:
            return Reaction()
        made = [(call, self.session.run(call)) for call in message.tool_calls]
        self.calls += made
        results = [Message("tool", result.text) for _, result in made]
        return Reaction(following_ids(self.tokenizer, results), done=False)


def run_episodes(
    engine: Driven,
    environments: Sequence[Environment],
    request: GenerateRequest,
    *,
    groups: Sequence[int] | None = None,
    max_turns: int = MAX_TURNS,
    workers: int = 8,
) -> list[Episode]:
    """Run every environment to its end; the model's completions are batched, the environments step on threads.

    ``request`` says how to sample; its ``ids`` are replaced, and environment i of N draws with its seed + i. What a
    step of an environment raises is raised here, after the others' requests were cancelled.
    """
    numbers = range(len(environments)) if groups is None else groups
    if len(numbers) != len(environments):
        raise FledgeError(f"{len(environments)} environments have {len(numbers)} groups", where="groups")
    runs = [_Run(i, environment) for i, environment in enumerate(environments)]
    asked: dict[int, _Run] = {}
    stepping: dict[Future[Reaction], _Run] = {}

    def ask(run: _Run) -> None:
        if run.n_turns >= max_turns or len(run.ids) > engine.context_length:
            run.finish_reason = "length"
        else:
            number = engine.submit(replace(request, ids=list(run.ids), seed=request.seed + run.index))
            engine.driven.add(number)
            asked[number] = run

    with ThreadPoolExecutor(workers) as pool:
        try:
            for run in runs:
                run.read(run.environment.start())
                ask(run)
            while asked or stepping:
                if not asked:
                    wait(stepping, return_when=FIRST_COMPLETED)
                for future in [future for future in stepping if future.done()]:
                    run = stepping.pop(future)
                    if run.take_reaction(future.result()):
                        ask(run)
                events = engine.step() if asked else []
                engine.put_back([event for event in events if event.request not in asked])
                for event in events:
                    if event.request in asked and event.completion is not None:
                        run = asked.pop(event.request)
                        engine.driven.discard(event.request)
                        if run.take_completion(event.completion):
                            stepping[pool.submit(run.environment.step, event.completion.ids)] = run
        finally:
            for number in asked:
                engine.driven.discard(number)
                engine.cancel(number)
    return [run.episode(group) for run, group in zip(runs, numbers, strict=True)]


@dataclass
class _Run:
    """An environment under way."""

    index: int
    environment: Environment
    ids: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    behavior_logp: list[float] = field(default_factory=list)
    rewards: dict[int, float] = field(default_factory=dict)
    n_turns: int = 0
    finish_reason: str = ""
    weights_version: int = 0

    def read(self, ids: Sequence[int]) -> None:
        self.ids += ids
        self.weight += [0.0] * len(ids)
        self.behavior_logp += [0.0] * len(ids)

    def take_completion(self, completion: Completion) -> bool:
        """Whether the environment is to answer."""
        self.ids += completion.ids
        self.weight += [1.0] * len(completion.ids)
        self.behavior_logp += completion.logprobs
        self.n_turns += 1
        self.weights_version = completion.weights_version
        if completion.finish_reason == "cancelled":
            self.finish_reason = "cancelled"
        return completion.finish_reason != "cancelled"

    def take_reaction(self, reaction: Reaction) -> bool:
        """Whether the model is to go on."""
        if reaction.reward is not None:
            self.rewards[len(self.ids) - 1] = reaction.reward
        if reaction.done:
            self.finish_reason = "done"
            return False
        self.read(reaction.ids)
        return True

    def episode(self, group: int) -> Episode:
        reward = tuple(self.rewards.get(i, 0.0) for i in range(len(self.ids))) if self.rewards else None
        parts = (tuple(self.ids), tuple(self.weight), tuple(self.behavior_logp))
        return Episode(*parts, reward, self.finish_reason, group, self.weights_version)
