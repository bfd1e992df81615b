"""What a tool gave, as a text that is safe to show to a model and to print."""

from __future__ import annotations

import json
from typing import Any

from fledge.run.terminal import printable

NOTHING = "(no output)"


def as_text(value: Any) -> str:
    """Text as it is, other values as JSON, "" for None."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def harmless(text: str) -> str:
    """``text`` with line ends as ``\\n``, without control characters and halves of surrogate pairs (U+FFFD instead)."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return printable(whole.replace("\r\n", "\n").replace("\r", "\n"))


def cut(text: str, limit: int, length: int | None = None) -> str:
    """At most ``limit`` characters, the last of which say what is left out of ``length`` (default: those given)."""
    length = len(text) if length is None else length
    if length <= limit:
        return text
    room = limit - len(f"\n[{length} characters, cut after {limit}]")
    return f"{text[:room]}\n[{length} characters, cut after {room}]"


def failure(message: str, output: str, limit: int) -> str:
    """``output``, then ``error: message`` as the last line, within ``limit`` characters; the message comes first."""
    line = cut(" ".join(f"error: {harmless(message)}".split()), limit)
    room = limit - len(line) - 1
    above = harmless(output).rstrip("\n")
    return f"{cut(above, room)}\n{line}" if above and room > 100 else line
