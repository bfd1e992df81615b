from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from fledge.infer.chat import ChatSession, Sampling, command, run_chat, run_transcript, sample_text
from fledge.infer.engine import Engine
from fledge.infer.prompts import prompt_ids, reply_limits, reply_text
from fledge.infer.request import GenerateRequest, Token
from fledge.model.decoder import Decoder
from fledge.run.terminal import printable
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message


class Scripted:
    """Says the same ids every time, and remembers what it was asked."""

    def __init__(self, ids: list[int], context_length: int) -> None:
        self.ids, self.context_length = ids, context_length
        self.requests: list[GenerateRequest] = []

    def stream(self, request: GenerateRequest) -> Iterator[Token]:
        self.requests.append(request)
        return (Token(index, -1.0, -1.0) for index in self.ids)


def scripted(tokenizer: Tokenizer, text: str, context: int = 200, **settings: int) -> ChatSession:
    engine = Scripted([*tokenizer.encode(text), tokenizer.end], context)
    return ChatSession(engine, tokenizer, Sampling(**settings))  # type: ignore[arg-type]


def test_history_is_what_the_renderer_writes(tokenizer: Tokenizer) -> None:
    session = scripted(tokenizer, "a mat")
    session.system = "be a cat"
    assert "".join(session.reply("where?")) == "a mat"
    assert "".join(session.reply("and then?")) == "a mat"
    turns = [
        Message("system", "be a cat"),
        Message("user", "where?"),
        Message("assistant", "a mat"),
        Message("user", "and then?"),
    ]
    asked = session.engine.requests[-1]  # type: ignore[attr-defined]
    assert list(asked.ids) == tokenizer.render(Conversation(tuple(turns)), add_generation_prompt=True).ids
    assert asked.stop_ids == (tokenizer.end,)
    assert tokenizer.bos in asked.forbidden_ids
    assert tokenizer.end not in asked.forbidden_ids


def test_oldest_turns_leave_first_and_it_is_told(tokenizer: Tokenizer) -> None:
    session = scripted(tokenizer, "xyzxyz", context=60, max_tokens=10)
    out = io.StringIO()
    run_transcript(session, [f"zqj{i}zqj" for i in range(8)], out, forget=False)
    last = session.engine.requests[-1]  # type: ignore[attr-defined]
    assert len(last.ids) <= 50
    said = [message.content for message in tokenizer.parse(last.ids).messages if message.role == "user"]
    assert said == [f"zqj{i}zqj" for i in range(8 - len(said), 8)]
    assert 1 < len(said) < 8
    assert "no longer fit in the model's 60 tokens" in out.getvalue()
    assert last.ids[0] == tokenizer.bos


def test_a_prompt_of_a_transcript_does_not_steer_the_terminal(tokenizer: Tokenizer) -> None:
    out = io.StringIO()
    run_transcript(scripted(tokenizer, "a mat"), ["\x1b[31mred\x07"], out)
    assert out.getvalue() == "you> \ufffd[31mred\ufffd\nfledge> a mat\n"


def test_a_message_too_long_by_itself_is_refused_and_forgotten(tokenizer: Tokenizer) -> None:
    session = scripted(tokenizer, "yes", context=40)
    list(session.reply("hello"))
    before = list(session.turns)
    with pytest.raises(FledgeError, match="the model reads 40 in all; say it in fewer words"):
        session.reply("zqj " * 50)
    assert session.turns == before


def test_a_reply_that_is_cut_off_still_ends_its_turn(tokenizer: Tokenizer, engine: Engine) -> None:
    session = ChatSession(engine, tokenizer, Sampling(max_tokens=5, temperature=0))
    list(session.reply("the"))
    assert "cut off" in session.notice
    assert session.turns[0][1][-1] == tokenizer.end
    session.reset()
    stopped = session.reply("the dog")
    next(stopped, None)
    stopped.close()  # type: ignore[attr-defined]
    assert len(session.turns) == 1
    assert session.turns[0][1][-1] == tokenizer.end


def test_commands(tokenizer: Tokenizer) -> None:
    session = scripted(tokenizer, "yes")
    list(session.reply("hello"))
    assert command(session, "/temperature 0.2") == "(temperature: 0.2)"
    assert session.sampling.temperature == 0.2
    for bad in ("/temperature", "/temperature warm", "/temperature -1", "/temperature nan"):
        command(session, bad)
    assert session.sampling.temperature == 0.2
    assert session.turns
    assert command(session, "/reset") == "(forgotten)"
    assert not session.turns
    list(session.reply("hello"))
    command(session, "/system Be kind.")
    assert session.system == "Be kind."
    assert not session.turns
    assert "/exit" in command(session, "/help")
    assert "/what is no command" in command(session, "/what")


def test_the_loop(tokenizer: Tokenizer) -> None:
    session = scripted(tokenizer, "the cat", context=64)
    out = io.StringIO()
    run_chat(session, io.StringIO(f"hello\n\n/temperature 0\n{'zqj' * 90}\n/exit\nnever\n"), out)
    text = out.getvalue()
    assert "you> fledge> the cat\n" in text
    assert "(temperature: 0)" in text
    assert "say it in fewer words" in text
    assert len(session.engine.requests) == 1  # type: ignore[attr-defined]
    out = io.StringIO()
    run_chat(session, io.StringIO(""), out)
    assert out.getvalue().endswith("you> \n")


def test_thinking_is_not_shown_and_bytes_arrive_as_whole_characters(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    ids = [special["<|think|>"], *tokenizer.encode("cat"), special["<|/think|>"], *tokenizer.encode("é€ ok\x1b[2J")]
    session = ChatSession(Scripted([*ids, tokenizer.end], 100), tokenizer)  # type: ignore[arg-type]
    pieces = list(session.reply("hi"))
    assert "".join(pieces) == "é€ ok\ufffd[2J"
    assert all("\ufffd" not in piece or piece == "\ufffd" for piece in pieces)
    assert session.turns[0][1][:-1] == ids


def test_printable() -> None:
    assert printable("a\tb\nc\r\x07\x9b") == "a\tb\nc\ufffd\ufffd\ufffd"


def test_sampled_text_is_the_text_of_the_sampled_ids(tokenizer: Tokenizer, model: Decoder) -> None:
    engine = Engine(model, context_length=48)
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=30, seed=5)
    stops, forbidden = reply_limits(tokenizer, "")
    request = GenerateRequest(prompt_ids(tokenizer, "the"), 30, 1.0, seed=5, stop_ids=stops, forbidden_ids=forbidden)
    completion = engine.generate([request])[0]
    whole = printable(reply_text(tokenizer, "the", completion.ids))
    assert "".join(sample_text(engine, tokenizer, "the", sampling)) == whole
    assert whole
    assert stops == (tokenizer.eos,)


def test_replies_differ_from_turn_to_turn_and_repeat_with_the_seed(tokenizer: Tokenizer, engine: Engine) -> None:
    def talk(seed: int) -> list[str]:
        session = ChatSession(engine, tokenizer, Sampling(temperature=1.0, max_tokens=8, seed=seed))
        said = []
        for _ in range(3):
            session.reset()
            said.append("".join(session.reply("the")))
        return said

    assert talk(1) == talk(1) != talk(50)
    assert len(set(talk(1))) > 1
