"""Text out of tokens as they come: what each part is, and nothing of a stop text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.text import Piece, TextStream
from fledge.tokens.tokenizer import Tokenizer

words = st.lists(st.text("ab →é€", max_size=4), max_size=8)


@given(words, st.lists(st.text("ab →é", min_size=1, max_size=3), max_size=2))
@settings(max_examples=200, deadline=None)
def test_pieces_join_to_the_text_before_the_first_stop(tokenizer: Tokenizer, parts, stops) -> None:
    text = "".join(parts)
    stream = TextStream(tokenizer, stops)
    pieces = [piece for byte in text.encode() for piece in stream.feed(tokenizer.token_bytes.index(bytes([byte])))]
    pieces += stream.finish()
    ends = [(text.encode().find(s.encode()) + len(s.encode()), -len(s), s) for s in stops if s in text]
    wanted = text if not ends else text[: text.find(min(ends)[2])]
    assert "".join(piece.text for piece in pieces) == wanted
    assert stream.stopped == bool(ends)
    assert all(piece.text and piece.kind == "content" for piece in pieces)


def ids_of(tokenizer: Tokenizer, *parts: str) -> list[int]:
    return [i for part in parts for i in ([tokenizer.special[part]] if part[:2] == "<|" else tokenizer.encode(part))]


def joined(pieces: list[Piece]) -> list[tuple[str, str]]:
    """Neighbours of one kind as one, but for calls."""
    told: list[tuple[str, str]] = []
    for piece in pieces:
        if told and told[-1][0] == piece.kind and piece.kind in ("content", "thinking"):
            told[-1] = (piece.kind, told[-1][1] + piece.text)
        else:
            told.append((piece.kind, piece.text))
    return told


def test_thinking_and_calls_are_told_apart(tokenizer: Tokenizer) -> None:
    ids = ids_of(tokenizer, "<|think|>", "hm é", "<|/think|>", "yes", "<|tool_call|>", '{"a": 1}', "<|/tool_call|>")
    ids += ids_of(tokenizer, "<|tool_call|>", "{}", "<|/tool_call|>", "<|tool_call|>", '{"cut', "<|end|>")
    wanted = [
        ("thinking", "hm é"),
        ("content", "yes"),
        ("tool_call", '{"a": 1}'),
        ("tool_call", "{}"),
        ("broken_call", '{"cut'),
    ]
    stream = TextStream(tokenizer, marks=True)
    assert joined([*[piece for index in ids for piece in stream.feed(index)], *stream.finish()]) == wanted
    stream = TextStream(tokenizer, ["never there"], marks=True)
    assert joined([*stream.feed(*ids), *stream.finish()]) == wanted
    plain = TextStream(tokenizer)
    assert "".join(p.text for p in [*plain.feed(*ids), *plain.finish()]) == 'hm éyes{"a": 1}{}{"cut'


def test_a_stop_text_that_begins_in_thinking_is_held_back_there(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer, ["ab"], marks=True)
    ids = ids_of(tokenizer, "<|think|>", "x", "a", "<|/think|>", "c", "a")
    assert joined(stream.feed(*ids)) == [("thinking", "xa"), ("content", "c")]
    assert joined(stream.feed(*ids_of(tokenizer, "b", "zzz"))) == []
    assert stream.stopped and stream.finish() == []


def test_a_character_cut_off_is_replaced(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer)
    assert stream.feed(tokenizer.token_bytes.index(b"\xe2")) == []
    assert stream.finish() == [Piece("content", "\ufffd")]
