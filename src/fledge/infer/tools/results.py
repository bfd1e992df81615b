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


def cut(text: str, limit: int) -> str:
    """``text``, or where it is longer its beginning and a last line that says so: ``limit`` characters at most."""
    if len(text) <= limit:
        return text
    room = limit - len(f"\n[cut after {limit} characters]")
    return f"{text[:room]}\n[cut after {room} characters]"


def failure(message: str, output: str, limit: int) -> str:
    """``output``, then ``error: message`` as the last line, within ``limit`` characters; the message comes first."""
    line = cut(" ".join(f"error: {harmless(message)}".split()), limit)
    room = limit - len(line) - 1
    above = harmless(output).rstrip("\n")
    return f"{cut(above, room)}\n{line}" if above and room > 100 else line
