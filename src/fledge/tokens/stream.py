"""Text out of ids as they come: only whole characters are given out."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer


class StreamDecoder:
    """Feed ids, get the text that is complete by then; ``finish`` gives what is left (U+FFFD for a cut character).

    The pieces join to ``tokenizer.decode`` of all ids. ``skip_special`` leaves special tokens out.
    """

    def __init__(self, tokenizer: Tokenizer, *, skip_special: bool = True) -> None:
        self._bytes = tokenizer.token_bytes
        self._skipped = set(tokenizer.special.values()) if skip_special else set()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._strip = tokenizer.vocabulary.dummy_prefix

    def feed(self, *ids: int) -> str:
        data = b"".join([self._bytes[index] for index in ids if index not in self._skipped])
        if data and self._strip:
            self._strip = False
            data = data.removeprefix(b" ")
        return self._utf8.decode(data)

    def finish(self) -> str:
        return self._utf8.decode(b"", final=True)


def stream_text(tokenizer: Tokenizer, ids: Iterable[int], *, skip_special: bool = True) -> Iterator[str]:
    """Yield text as ``ids`` arrive, without empty pieces."""
    decoder = StreamDecoder(tokenizer, skip_special=skip_special)
    for index in ids:
        if text := decoder.feed(index):
            yield text
    if text := decoder.finish():
        yield text
