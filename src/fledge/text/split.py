"""How a file becomes documents: split at separators, and cut where it is too long."""

from __future__ import annotations

import re

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def endoftext(text: str) -> list[str]:
    """Split at ``<|endoftext|>``."""
    return _filled(text.split("<|endoftext|>"))


def blank_lines(text: str) -> list[str]:
    """Split at empty lines."""
    return _filled(_BLANK_LINES.split(text))


def lines(text: str) -> list[str]:
    """Each line is a document."""
    return _filled(text.split("\n"))


def at_pattern(text: str, pattern: str) -> list[str]:
    """Split at every match of the regular expression ``pattern`` (``^`` is the start of a line); matches go."""
    spans = [match.span() for match in re.finditer(pattern, text, re.MULTILINE)]
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    return _filled([text[start:end] for start, end in zip(starts, ends, strict=True)])


def _filled(parts: list[str]) -> list[str]:
    return [part.strip("\r\n") for part in parts if part.strip()]


def cut(text: str, max_bytes: int) -> list[str]:
    """Cut ``text`` into parts of at most ``max_bytes`` bytes of UTF-8.

    Each cut is made at the last paragraph, else line, else word that ends in the later half of a part; a text without
    any is cut between characters. Only whitespace at the cuts is lost.
    """
    data = text.encode("utf-8")
    parts, start = [], 0
    while len(data) - start > max_bytes:
        end = _last_break(data, start, start + max_bytes)
        parts.append(data[start:end].decode("utf-8").strip("\n"))
        start = end
    parts.append(data[start:].decode("utf-8").strip("\n"))
    return [part for part in parts if part.strip()] if len(parts) > 1 else [text]


def _last_break(data: bytes, start: int, end: int) -> int:
    middle = start + (end - start) // 2
    for separator in (b"\n\n", b"\n", b" "):
        found = data.rfind(separator, middle, end)
        if found >= 0:
            return found + len(separator)
    while end > start + 1 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end
