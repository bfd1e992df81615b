"""A chat with tools: calls are carried out and shown, and the history holds every id that was read or said."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from fledge.infer.chat import ChatSession, shown_call
from fledge.infer.request import GenerateRequest, Token
from fledge.infer.terminal import command, run_transcript
from fledge.infer.tools.named import named
from fledge.infer.tools.tool import tool
from fledge.infer.tools.toolbox import Toolbox
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import CallMade, Conversation, Message


def call(expression: str) -> Message:
    text = json.dumps({"name": "calculator", "arguments": {"expression": expression}})
    return Message("assistant", "", tool_calls=(text,))


class Scripted:
    """Says one turn after another, and remembers what it was asked."""

    def __init__(self, tokenizer: Tokenizer, turns: list[Message], context_length: int) -> None:
        self.turns = [tokenizer.render(Conversation((turn,))).ids[2:] for turn in turns]
        self.context_length = context_length
        self.requests: list[GenerateRequest] = []

    def stream(self, request: GenerateRequest) -> Iterator[Token]:
        self.requests.append(request)
        ids = self.turns[min(len(self.requests), len(self.turns)) - 1]
        return (Token(index, -1.0, -1.0) for index in ids)


@tool(isolated=False)
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def chat(tokenizer: Tokenizer, turns: list[Message], context: int = 2000, max_calls: int = 8) -> ChatSession:
    engine = Scripted(tokenizer, turns, context)
    return ChatSession(engine, tokenizer, toolbox=Toolbox([named("calculator"), shout]), max_calls=max_calls)  # type: ignore[arg-type]


def test_a_call_is_shown_and_the_history_is_what_the_renderer_writes(tokenizer: Tokenizer) -> None:
    said = [call("348*77"), Message("assistant", "it is so"), Message("assistant", "a mat")]
    session = chat(tokenizer, said)
    out = io.StringIO()
    run_transcript(session, ["348 times 77?", "where?"], out, forget=False)
    assert out.getvalue() == (
        "you> 348 times 77?\nfledge> [calculator 348*77 → 26796]\nit is so\nyou> where?\nfledge> a mat\n"
    )
    messages = (Message("user", "348 times 77?"), said[0], Message("tool", "26796"), said[1], Message("user", "where?"))
    assert session.toolbox is not None
    whole = Conversation(messages, session.toolbox.descriptions)
    requests = session.engine.requests  # type: ignore[attr-defined]
    assert list(requests[-1].ids) == tokenizer.render(whole, add_generation_prompt=True).ids
    begun = Conversation(messages[:3], whole.tools)
    assert list(requests[1].ids) == tokenizer.render(begun, add_generation_prompt=True).ids
    assert tokenizer.special["<|tool_call|>"] not in requests[0].forbidden_ids


def test_calls_have_an_end(tokenizer: Tokenizer) -> None:
    session = chat(tokenizer, [call("1+1")], max_calls=3)
    assert list(session.reply("go on")) == ["[calculator 1+1 → 2]\n"] * 3
    *before, last = session.engine.requests  # type: ignore[attr-defined]
    opens = tokenizer.special["<|tool_call|>"]
    assert opens in last.forbidden_ids and not any(opens in each.forbidden_ids for each in before)
    assert len(session.turns) == 1 and session.turns[0][1][-1] == tokenizer.end
    assert session.turns[0][1].count(opens) == 3


def test_a_result_that_does_not_fit_ends_the_reply(tokenizer: Tokenizer) -> None:
    session = chat(tokenizer, [call("2**900")], context=300)
    pieces = list(session.reply("big"))
    assert len(pieces) == 1 and "…]" in pieces[0]
    assert session.notice == "(no room for what the tool gave)"
    assert session.turns[0][1] == [tokenizer.end]


def test_a_reply_stopped_in_a_call_ends_its_turn(tokenizer: Tokenizer) -> None:
    session = chat(tokenizer, [call("1+1"), Message("assistant", "two")])
    reply = session.reply("sum")
    assert next(reply) == "[calculator 1+1 → 2]\n"
    reply.close()  # type: ignore[attr-defined]
    assert session.turns[0][1][-1] == tokenizer.end
    list(session.reply("again"))
    read = tokenizer.parse(session.engine.requests[-1].ids)  # type: ignore[attr-defined]
    roles = [message.role for message in read.messages]
    assert roles[:5] == ["user", "assistant", "tool", "assistant", "user"]


def test_tools_are_listed_and_switched(tokenizer: Tokenizer) -> None:
    session = chat(tokenizer, [Message("assistant", "yes")])
    assert command(session, "/tools") == "(calculator on, shout on)"
    list(session.reply("hello"))
    assert command(session, "/tools shout") == "(calculator on, shout off)"
    assert not session.turns and len(session.tools) == 1
    assert command(session, "/tools calculator") == "(calculator off, shout off)"
    list(session.reply("hello"))
    request = session.engine.requests[-1]  # type: ignore[attr-defined]
    assert tokenizer.special["<|tool_call|>"] in request.forbidden_ids
    assert not tokenizer.parse(request.ids).tools
    assert command(session, "/tools calculator") == "(calculator on, shout off)"
    assert "there is no tool nose" in command(session, "/tools nose")
    without = ChatSession(session.engine, tokenizer)
    assert command(without, "/tools") == "(there are no tools)"


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (CallMade('{"name": "s", "arguments": {"q": "a b", "k": 3}}', "s", "x\n\ny", False), "[s a b 3 → x y]"),
        (CallMade("no\x1b[2J", "", "error: bad", True), "[tool no\ufffd[2J → error: bad]"),
        (CallMade('{"name": "s", "arguments": {"q": "' + "a" * 300 + '"}}', "s", "b", False), f"[s {'a' * 99}… → b]"),
    ],
)
def test_the_line_of_a_call(made: CallMade, line: str) -> None:
    assert shown_call(made) == line
