"""What a source yields: units to read, raw records, and extracted text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fledge.types import Reject

Outcome = Literal["ok", "empty", "timeout", "crashed", "unreadable"]


@dataclass(frozen=True)
class Unit:
    """One file to read by itself: on disk, downloaded from a URL, or on a hub.

    ``id`` is stable: it does not depend on where the named folder lies. ``format`` and ``codec`` are those of
    :mod:`fledge.text.sources.formats`. ``remote`` is (endpoint, repository, revision, file) for a file of a hub,
    which is downloaded below ``path`` when it is read. ``sha256`` is that of a downloaded URL.
    ``problem`` is set for what cannot be read at all.
    """

    id: str
    source: str
    path: str
    format: str
    codec: str
    n_bytes: int
    url: str = ""
    encoding: str = ""
    remote: tuple[str, ...] = ()
    sha256: str = ""
    problem: Reject | None = None


@dataclass(frozen=True)
class RawRecord:
    """One document as it was found: exactly one of ``text``, ``html`` and ``pdf`` is set.

    ``encoding`` is what a server said of ``html``, or empty. ``meta`` holds JSON values: ``encoding`` where a text
    was not UTF-8, ``replaced_characters`` where broken bytes became U+FFFD, ``part`` (from 1) of a long file.
    """

    id: str
    source: str
    text: str | None = None
    html: bytes | None = None
    pdf: bytes | None = None
    encoding: str = ""
    url: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Bytes of the raw document (UTF-8 for text)."""
        if self.text is not None:
            return len(self.text.encode("utf-8"))
        return len(self.html or self.pdf or b"")


@dataclass(frozen=True)
class Extracted:
    """What came out of an HTML page or a PDF, in ``seconds``; ``detail`` says why where it is not "ok"."""

    text: str
    title: str
    outcome: Outcome
    seconds: float
    detail: str = ""
