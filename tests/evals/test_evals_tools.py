"""Tasks asked with tools: calls are carried out, counted, and shown in the transcript."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from fledge.evals.ask import ask
from fledge.evals.run import evaluate_tasks
from fledge.evals.tools import CALL_TOKENS, WithTools
from fledge.infer.engine import Engine
from fledge.infer.request import Completion, Event, GenerateRequest, Token
from fledge.infer.tools.named import named
from fledge.infer.tools.toolbox import Toolbox
from fledge.stages.figures import call_rows
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Answer, Conversation, Example, Message, Request, Score, Split


def call(name: str, **arguments: str) -> str:
    return json.dumps({"name": name, "arguments": arguments})


class Scripted:
    """Says for each conversation, by the user's text, one turn after another."""

    context_length = 1000

    def __init__(self, tokenizer: Tokenizer, script: dict[str, list[Message]]) -> None:
        self.tokenizer, self.script = tokenizer, {asked: list(turns) for asked, turns in script.items()}
        self.asked: dict[int, GenerateRequest] = {}
        self.done: set[int] = set()
        self.driven: set[int] = set()

    def submit(self, request: GenerateRequest) -> int:
        self.asked[len(self.asked)] = request
        return len(self.asked) - 1

    def step(self) -> list[Event]:
        number = next(number for number in self.asked if number not in self.done)
        self.done.add(number)
        user = self.tokenizer.parse(self.asked[number].ids).messages[0].content
        ids = self.tokenizer.render(Conversation((self.script[user].pop(0),))).ids[2:]
        return [Event(number, None, Completion(tuple(Token(index, -0.5, -0.5) for index in ids), "stop"))]

    def put_back(self, events: Sequence[Event]) -> None:
        assert not events

    def cancel(self, request: int) -> None: ...

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        assert not requests
        return []

    def logprobs(self, sequences: Sequence[list[int]]) -> list[object]:
        return []


@dataclass
class Sums:
    """The last word of an answer is scored."""

    name: str = "sums"
    chance: float = 0.0

    def examples(self, split: Split) -> Iterator[Example]:
        for asked, gold in (("6*7", "42"), ("2+2", "4"), ("hello", "hi"), ("9*9", "81")):
            yield Example(asked, Conversation((Message("user", asked),)), gold)

    def requests(self, example: Example) -> Sequence[Request]:
        return [Request("generate", example.prompt, max_tokens=5)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        return Score(float(answers[0].text.split()[-1:] == [example.gold]))

    def validate(self) -> None: ...


def test_calls_are_carried_out_and_counted(tokenizer: Tokenizer) -> None:
    script = {
        "6*7": [
            Message("assistant", "", tool_calls=(call("calculator", expression="6*7"),)),
            Message("assistant", "42"),
        ],
        "2+2": [Message("assistant", "it is 4")],
        "hello": [
            Message("assistant", "", tool_calls=(call("search", query="hello"), "no call")),
            Message("assistant", "hi"),
        ],
        "9*9": [
            Message("assistant", "", tool_calls=(call("calculator", expression="9*"),)),
            Message("assistant", "no"),
        ],
    }
    rows: list[dict] = []
    with Toolbox([named("calculator")]) as box:
        task = WithTools(Sums(), box.descriptions, "calculator")  # type: ignore[arg-type]
        engine = Scripted(tokenizer, script)
        result = evaluate_tasks(
            engine,  # type: ignore[arg-type]
            tokenizer,
            [task],
            toolbox=box,
            on_example=lambda name, row: rows.append(row),
        )[0]
    assert (result.name, result.mean, result.tool) == ("sums_with_tools", 0.75, "calculator")
    assert result.calls == {"prompts": 4, "made": 4, "failed": 3, "called": 2, "wrong": 1}
    assert rows[0]["answers"][0]["calls"] == [{"call": call("calculator", expression="6*7"), "result": "42"}]
    assert "calls" not in rows[1]["answers"][0]
    assert all(request.max_tokens == CALL_TOKENS for request in engine.asked.values())
    [row] = call_rows({"tasks": [result.to_dict()]})
    assert row == ("sums", "4", "4", "3", "50.0 %", "25.0 %")


def test_without_a_toolbox_nothing_is_called(engine: Engine, tokenizer: Tokenizer) -> None:
    prompt = Conversation((Message("user", "the cat"),), ("a(b: string): c",))
    [answer] = ask(engine, tokenizer, [Request("generate", prompt, max_tokens=4)])
    assert isinstance(answer, Answer) and not answer.calls
    plain = evaluate_tasks(engine, tokenizer, [Sums()])[0]  # type: ignore[list-item]
    assert plain.calls == {} and not call_rows({"tasks": [plain.to_dict()]})


def test_a_model_that_says_anything_is_answered(engine: Engine, tokenizer: Tokenizer) -> None:
    """Whatever random weights write with tools, an answer with its counts comes back."""
    with Toolbox([named("calculator")]) as box:
        task = WithTools(Sums(), ("x",), "calculator")  # type: ignore[arg-type]
        result = evaluate_tasks(engine, tokenizer, [task], toolbox=box)[0]
    assert result.n + result.excluded == 4 and result.calls["prompts"] == 4
    assert len(call_rows({"tasks": [result.to_dict()]})) == 1


def test_no_call_at_all_is_counted_too(tokenizer: Tokenizer) -> None:
    script = {asked: [Message("assistant", "4")] for asked in ("6*7", "2+2", "hello", "9*9")}
    with Toolbox([named("calculator")]) as box:
        task = WithTools(Sums(), box.descriptions)  # type: ignore[arg-type]
        result = evaluate_tasks(Scripted(tokenizer, script), tokenizer, [task], toolbox=box)[0]  # type: ignore[arg-type]
    assert result.calls == {"prompts": 4, "made": 0, "failed": 0, "called": 0, "wrong": 0}
    assert call_rows({"tasks": [result.to_dict()]}) == (("sums", "4", "0", "0", "", "0.0 %"),)


def test_with_tools_asks_the_same_questions() -> None:
    plain, offered = list(Sums().examples("heldout")), list(WithTools(Sums(), ("t",)).examples("heldout"))  # type: ignore[arg-type]
    assert [example.prompt.messages for example in plain] == [example.prompt.messages for example in offered]
    assert all(example.prompt.tools == ("t",) for example in offered)
    assert [example.gold for example in plain] == [example.gold for example in offered]
    assert pytest.approx(0.0) == WithTools(Sums(), ("t",)).chance  # type: ignore[arg-type]
