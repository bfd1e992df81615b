"""What a format's reader is given: one file's bytes and how its records are to be named."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.encoding import BadText, as_utf8
from fledge.text.sources.records import RawRecord
from fledge.text.sources.streams import ByteStream, Fault
from fledge.types import FledgeError, Reject

SHOWN_CHARACTERS = 1000


class Input:
    """One file: ``name`` identifies it (``books.zip!a.txt``), ``raw`` is its unpacked stream, ``n_bytes`` its size as
    it is stored, 0 where nobody can tell.

    ``is_named``: the user named this very file, so that a missing column is for them to settle; a file among
    others is set aside instead, and the others are read.
    """

    def __init__(
        self,
        name: str,
        raw: ByteStream,
        settings: SourceSettings,
        *,
        n_bytes: int = 0,
        url: str = "",
        encoding: str = "",
        is_named: bool = False,
    ) -> None:
        self.name, self.raw, self.settings, self.url, self.encoding = name, raw, settings, url, encoding
        self.n_bytes, self.is_named = n_bytes, is_named
        self.bytes: io.BufferedReader[Any] = io.BufferedReader(raw, 65_536)

    @cached_property
    def _text(self) -> tuple[io.BufferedReader[Any], dict[str, Any]]:
        return as_utf8(self.bytes)

    @property
    def utf8(self) -> io.BufferedReader[Any]:
        """The bytes as UTF-8 without a mark."""
        return self._text[0]

    @property
    def fault(self) -> Fault | None:
        """Why the bytes ended early; None while they have not."""
        return self.raw.fault

    def record(self, text: str, where: str = "", meta: Mapping[str, Any] | None = None) -> RawRecord:
        """A text; ``where`` is its row or part, as in ``#12``."""
        meta = {**self._text[1], **(meta or {})}
        return RawRecord(self.name + where, self.name, text=text, url=self.url, meta=meta)

    def reject(self, rule: str, reason: str, where: str = "", *, text: str = "", n_bytes: int = 0) -> Reject:
        """A piece set aside; the reason begins with file and place."""
        place = self.name + where.replace("#", ":")
        shown = text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode("utf-8")  # lone surrogates go
        return Reject(self.name + where, self.name, rule, f"{place}: {reason}", shown, n_bytes or len(text))

    def refuse(self, rule: str, reason: str, *, n_bytes: int = 0) -> Reject:
        """The whole file set aside, with its size; or with the ``n_bytes`` that were seen, where it unpacks to more."""
        return self.reject(rule, reason, n_bytes=max(self.n_bytes, n_bytes))

    def wrong_column(self, what: str, columns: Sequence[str]) -> Reject:
        """The Reject for a file without a usable text column; raises FledgeError where the user named that file."""
        there = ", ".join(list(columns)[:20]) or "none"
        what = f"{what}; its columns: {there}"
        fix = "name the column that holds the text with the setting text_column"
        if self.is_named:
            raise FledgeError(what, where=self.name, fix=fix)
        return self.refuse("missing-column", f"{what}; {fix}")

    def bad_text(self, error: BadText, where: str = "", n_bytes: int = 0) -> Reject:
        return self.reject(error.rule, error.reason, where, n_bytes=n_bytes)

    def whole(self) -> bytes | Reject | None:
        """All bytes of a file that makes sense only whole; None where a fault cut it."""
        most = self.settings.max_item_bytes
        pieces, n_bytes = [], 0
        while n_bytes <= most and (piece := self.bytes.read(1 << 20)):  # reading by n sets n bytes aside at once
            pieces.append(piece)
            n_bytes += len(piece)
        data = b"".join(pieces)
        if len(data) > most:
            return self.refuse("too-large", f"over {most} bytes (setting max_item_bytes)", n_bytes=len(data))
        return None if self.fault else data

    def lines(self) -> Iterator[tuple[int, bytes | Reject]]:
        """Line number (from 1) and line without its end; a line over the limit becomes a Reject.

        The last line of a stream that a fault cut is dropped when it lacks its end.
        """
        most, number = self.settings.max_item_bytes, 0
        while line := self.utf8.readline(most + 1):
            number += 1
            if len(line) > most and not line.endswith(b"\n"):
                n_bytes = len(line)
                while (rest := self.utf8.readline(65_536)) and not rest.endswith(b"\n"):
                    n_bytes += len(rest)
                reason = f"the line is over {most} bytes (setting max_item_bytes)"
                yield number, self.reject("too-large", reason, f"#{number}", n_bytes=n_bytes)
            elif line.endswith(b"\n") or not self.fault:
                yield number, line.rstrip(b"\r\n")
