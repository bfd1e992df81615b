"""Tools that the server runs itself, with a small real one: a model that is led by the hand to call an adder."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

import openai
import pytest
from serving import MODEL, Running, serving

from fledge.infer.engine import Engine
from fledge.infer.request import Constraint, GenerateRequest
from fledge.infer.tools.named import named
from fledge.infer.tools.tool import describe
from fledge.infer.tools.toolbox import Toolbox
from fledge.serve.config import Limits
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Message

USER = {"role": "user", "content": "the cat"}
PARAMETERS = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": 0, "maximum": 99} for name in ("a", "b")},
    "required": ["a", "b"],
    "additionalProperties": False,
}
SECOND: dict[str, Any] = {"type": "function", "function": {"name": "ask"}}


@dataclass(frozen=True)
class Result:
    text: str
    failed: bool
    seconds: float
    name: str


class Adder:
    """One tool, ``add``; counts the calls of all its sessions."""

    names = ("add",)
    openai = ({"type": "function", "function": {"name": "add", "description": "adds", "parameters": PARAMETERS}},)

    def __init__(self) -> None:
        self.calls: list[dict[str, int]] = []
        self.threads: set[str] = set()
        self.seconds = 0.0

    def session(self, max_calls: int) -> AdderSession:
        return AdderSession(self, max_calls)


class AdderSession:
    def __init__(self, adder: Adder, max_calls: int) -> None:
        self.adder, self.left = adder, max_calls

    def run(self, text: str) -> Result:
        time.sleep(self.adder.seconds)
        self.left -= 1
        if self.left < 0:
            return Result("error: answer now", True, 0.0, "")
        arguments = json.loads(text)["arguments"]
        self.adder.calls.append(arguments)
        self.adder.threads.add(threading.current_thread().name)
        return Result(str(arguments["a"] + arguments["b"]), False, 0.0, "add")


class Led:
    """Grammars in place of the model's will: round by round, each reply must match the next of them."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch, grammars: list[str]) -> None:
        self.requests: list[GenerateRequest] = []
        submit, left = engine.submit, list(grammars)

        def led(request: GenerateRequest) -> int:
            request = replace(request, constraint=Constraint("grammar", left.pop(0)))
            self.requests.append(request)
            return submit(request)

        monkeypatch.setattr(engine, "submit", led)


def calling(*calls: tuple[str, int, int], said: str = "") -> str:
    lines = [json.dumps({"name": name, "arguments": {"a": a, "b": b}}) for name, a, b in calls]
    return "start: " + " ".join(
        ([json.dumps(said)] if said else []) + [f"<|tool_call|> {json.dumps(line)} <|/tool_call|>" for line in lines]
    )


SAYS = 'start: "it is done"'


def ask(server: Running, **fields: Any) -> Any:
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0)
    return client.chat.completions.create(model=MODEL, messages=[USER], max_tokens=300, **fields)


def test_results_go_into_the_conversation_and_the_reply_goes_on(
    engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    adder = Adder()
    led = Led(engine, monkeypatch, [calling(("add", 2, 3), ("add", 40, 2), said="hm "), calling(("add", 1, 1)), SAYS])
    with serving(engine, tokenizer, toolbox=adder) as server:
        given = ask(server)
    assert adder.calls == [{"a": 2, "b": 3}, {"a": 40, "b": 2}, {"a": 1, "b": 1}]
    assert all(name.startswith("tool") for name in adder.threads)
    choice = given.choices[0]
    assert (choice.message.content, choice.finish_reason, choice.message.tool_calls) == ("hm it is done", "stop", None)
    told = choice.message.executed_tools
    assert [(each["name"], each["result"], each["failed"]) for each in told] == [
        ("add", "5", False),
        ("add", "42", False),
        ("add", "2", False),
    ]
    lines = [json.dumps({"name": "add", "arguments": {"a": a, "b": b}}) for a, b in ((2, 3), (40, 2), (1, 1))]
    turns = (
        Message("user", "the cat"),
        Message("assistant", "hm ", "", tuple(lines[:2])),
        Message("tool", "5"),
        Message("tool", "42"),
        Message("assistant", "", "", (lines[2],)),
        Message("tool", "2"),
    )
    talk = Conversation(turns, (describe(Adder.openai[0]["function"]),))
    assert tokenizer.decode(led.requests[-1].ids) == tokenizer.decode(tokenizer.render(talk, True).ids)
    first, second, third = (list(request.ids) for request in led.requests)
    assert second[: len(first)] == first and third[: len(second)] == second  # token in, token out
    assert given.usage.prompt_tokens == len(first)


def test_the_toolbox_of_the_house(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"name": "calculator", "arguments": {"expression": "6*7"}})
    Led(engine, monkeypatch, [f"start: <|tool_call|> {json.dumps(line)} <|/tool_call|>", SAYS])
    with Toolbox([named("calculator")]) as toolbox, serving(engine, tokenizer, toolbox=toolbox) as server:
        message = ask(server).choices[0].message
    assert [each["result"] for each in message.executed_tools] == ["42"]
    assert message.content == "it is done"


def test_a_stream_tells_the_same(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    Led(engine, monkeypatch, [calling(("add", 2, 3)), SAYS] * 2)
    with serving(engine, tokenizer, toolbox=Adder()) as server:
        deltas = [chunk.choices[0].delta for chunk in ask(server, stream=True)]
    assert "".join(delta.content or "" for delta in deltas) == "it is done"
    told = [each for delta in deltas for each in getattr(delta, "executed_tools", [])]
    assert [each["result"] for each in told] == ["5"]


def test_the_clients_tools_come_first(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    adder = Adder()
    mine = {"type": "function", "function": {"name": "add"}}
    Led(engine, monkeypatch, [calling(("add", 2, 3)), calling(("add", 1, 1), ("ask", 4, 5))])
    with serving(engine, tokenizer, toolbox=adder) as server:
        for tools, names in (([mine], ["add"]), ([SECOND], ["ask"])):
            choice = ask(server, tools=tools).choices[0]
            assert [call.function.name for call in choice.message.tool_calls] == names
            assert choice.finish_reason == "tool_calls"
    assert adder.calls == []


def test_who_must_call_a_tool_may_answer_after_it(engine: Engine, tokenizer: Tokenizer) -> None:
    adder = Adder()
    bias = {str(tokenizer.special["<|tool_call|>"]): -100, str(tokenizer.end): 20}
    with serving(engine, tokenizer, toolbox=adder) as server:
        for choice in ("required", {"type": "function", "function": {"name": "add"}}):
            given = ask(server, tool_choice=choice, logit_bias=bias, seed=1, parallel_tool_calls=False).choices[0]
            assert len(given.message.executed_tools) == 1 and given.finish_reason == "stop"
    assert len(adder.calls) == 2


def test_tools_are_offered_unless_none_may_be_called(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, toolbox=Adder()) as server:
        named = {"type": "function", "function": {"name": "nothing"}}
        with pytest.raises(openai.BadRequestError, match="there is no tool 'nothing'"):
            ask(server, tool_choice=named)
        bias = {str(tokenizer.special["<|tool_call|>"]): 100}
        choice = ask(server, tool_choice="none", logit_bias=bias, seed=1).choices[0]
        assert choice.message.content and not hasattr(choice.message, "executed_tools")


def test_a_stop_text_ends_the_reply_before_tools_run(
    engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    adder = Adder()
    Led(engine, monkeypatch, [calling(("add", 1, 2)) + ' "so STOP there"'])
    with serving(engine, tokenizer, toolbox=adder) as server:
        choice = ask(server, stop="STOP").choices[0]
    assert (choice.message.content, choice.finish_reason, adder.calls) == ("so ", "stop", [])


def test_calls_are_bounded(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    adder = Adder()
    Led(engine, monkeypatch, [calling(("add", 1, 2))] * 3 + [SAYS])
    with serving(engine, tokenizer, toolbox=adder, limits=Limits(tool_calls=2)) as server:
        message = ask(server).choices[0].message
    assert len(adder.calls) == 2
    assert [each["failed"] for each in message.executed_tools] == [False, False, True]
    assert message.content == "it is done"


def test_slow_tools_keep_nobody_waiting(engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    adder = Adder()
    adder.seconds = 1.5
    Led(engine, monkeypatch, [calling(("add", 1, 2)), 'start: "x"', SAYS])
    with serving(engine, tokenizer, toolbox=adder) as server:
        slow = threading.Thread(target=ask, args=(server,))
        slow.start()
        while server.server.guard.driver.n_open or not engine._n_submitted:
            time.sleep(0.005)
        began = time.monotonic()
        body = {"model": MODEL, "prompt": "the", "max_tokens": 5}
        assert server.post("/v1/completions", body).status_code == 200
        assert time.monotonic() - began < 1.2
        slow.join()


def test_a_model_without_tokens_for_calls_takes_no_tools(engine: Engine, tokenizer: Tokenizer) -> None:
    bare = Tokenizer(tokenizer.vocabulary)
    bare.special = {name: index for name, index in tokenizer.special.items() if "tool_call" not in name}
    with serving(engine, bare, toolbox=Adder()) as server:
        with pytest.raises(openai.BadRequestError, match="no tokens for calls of tools"):
            ask(server, tools=[SECOND])
        assert ask(server).choices[0].finish_reason in ("stop", "length")
