"""Text out of the tokens of a completion as they come: whole characters, no stop text, and what each part is."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fledge.infer.stops import StopMatcher
from fledge.tokens.tokenizer import Tokenizer

Kind = Literal["content", "thinking", "tool_call", "broken_call"]
MARKS: dict[str, Kind] = {
    "<|think|>": "thinking",
    "<|/think|>": "content",
    "<|tool_call|>": "tool_call",
    "<|/tool_call|>": "content",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of one kind; a ``tool_call`` is a whole one, a ``broken_call`` one that did not come to its end."""

    kind: Kind
    text: str


@dataclass(eq=False)
class _Part:
    """A stretch of one kind whose bytes may still be held back for a stop text."""

    kind: Kind
    n_held: int = 0
    closed: bool = False
    told: str = ""
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))


class TextStream:
    """Feed token ids, get pieces. They join to the text of the ids up to the first of ``stops``, without specials.

    With ``marks`` the text between ``<|think|>`` and ``<|/think|>`` is thinking and that between ``<|tool_call|>`` and
    ``<|/tool_call|>`` a call. ``begins`` says that no text stands before: a sentencepiece's first space is left out.
    """

    def __init__(
        self, tokenizer: Tokenizer, stops: Sequence[str] = (), *, marks: bool = False, begins: bool = True
    ) -> None:
        self._bytes, self._special = tokenizer.token_bytes, tokenizer.special_ids
        self._marks = {tokenizer.special[name]: kind for name, kind in MARKS.items() if name in tokenizer.special}
        if not marks:
            self._marks = {}
        self._strip = begins and tokenizer.vocabulary.dummy_prefix
        self._stops = StopMatcher(stops)
        self._parts = deque([_Part("content")])

    @property
    def stopped(self) -> bool:
        """A stop text came."""
        return self._stops.found is not None

    def feed(self, *ids: int) -> list[Piece]:
        pieces: list[Piece] = []
        for index in ids:
            if index in self._marks:
                self._parts[-1].closed = True
                self._parts.append(_Part(self._marks[index]))
                pieces += self._given(b"")
            elif index not in self._special:
                data = self._bytes[index]
                self._parts[-1].n_held += len(data)
                pieces += self._given(self._stops.feed(data))
        return pieces

    def finish(self) -> list[Piece]:
        """What was held back, and a call that was cut off."""
        pieces = list(self._given(self._stops.finish()))
        for part in self._parts:
            if text := part.told + part.decoder.decode(b"", final=True):
                pieces.append(Piece("broken_call" if part.kind == "tool_call" else part.kind, text))
        self._parts = deque([_Part("content")])
        return pieces

    def _given(self, data: bytes) -> Iterator[Piece]:
        """Bytes that are no part of a stop, to the parts that they belong to."""
        if data and self._strip:
            self._strip = False
            self._parts[0].n_held -= data.startswith(b" ")
            data = data.removeprefix(b" ")
        while data or self._done:
            part = self._parts[0]
            own, data = data[: part.n_held], data[part.n_held :]
            part.n_held -= len(own)
            text = part.decoder.decode(own, final=self._done)
            if part.kind == "tool_call":
                part.told, text = part.told + text, part.told + text if self._done else ""
            if text:
                yield Piece(part.kind, text)
            if self._done:
                self._parts.popleft()

    @property
    def _done(self) -> bool:
        return self._parts[0].closed and not self._parts[0].n_held
