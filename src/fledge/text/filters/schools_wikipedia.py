"""The plain-text articles of the 2007 Schools Wikipedia: prose, headings and lists out of a text browser's dump."""

from __future__ import annotations

import re

from fledge.text.filters.unwrap import is_wrapped, join_lines

WIDTH = 72
_HEAD = re.compile(
    r"\A\s*#copyright[^\n]*\n(.*?)\n\s*\n2007 Schools Wikipedia Selection\.[^\n]*(?:\n[^\n]*\S[^\n]*)*", re.S
)
_TAIL = re.compile(r"\n\s*Retrieved from\s+\"[^\"]*\"\s+This reference article is mainly selected.*\Z", re.S)
_BLANK = re.compile(r"\n(?:[^\S\n]*\n)+")
_ITEM = re.compile(r"\s*(?:[*+o]|\d+\.) ")
_NOTICE = re.compile(r"^(?:This is a featured article|Spoiler warning:|Spoilers end here)")
_ENDS = (".", "!", "?", ":", ";", '"', "”", ")", "'", "’")


def schools_wikipedia(text: str) -> str:
    """Return title, headings, paragraphs and list items of an article; other texts as they are.

    Infoboxes, tables, picture captions, notices and the licence go: they are what neither fills lines of 72 columns
    nor ends like a sentence.
    """
    head = _HEAD.match(text)
    if head is None:
        return text
    body = _TAIL.sub("", text[head.end() :])
    parts, headings = [" ".join(head[1].split())], 0
    for block in _BLANK.split(body.strip("\n")):
        lines = block.split("\n")
        if lines[0][:1].strip():
            parts.append(" ".join(map(str.strip, lines)))
            headings += 1
            continue
        kept = _prose(_without_captions(lines))
        if kept:
            parts.append(kept)
            headings = 0
    return "\n\n".join(parts[: len(parts) - headings])


def _without_captions(lines: list[str]) -> list[str]:
    """A picture leaves its caption, a line ``Enlarge``, and its caption again: all of it goes."""
    while "Enlarge" in (bare := [line.strip() for line in lines]):
        at = bare.index("Enlarge")
        longest = min(at, len(lines) - at - 1)
        size = next((k for k in range(longest, 0, -1) if bare[at - k : at] == bare[at + 1 : at + 1 + k]), 0)
        lines = lines[: at - size] + lines[at + 1 + size :]
    return lines


def _prose(lines: list[str]) -> str:
    """The paragraphs and list items among ``lines``, one a line."""
    kept: list[str] = []
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and _continues(lines[end - 1], lines[end], is_first=end == start + 1):
            end += 1
        group = lines[start:end]
        text = join_lines(group)
        if _ITEM.match(group[0]):
            item = _ITEM.sub("", text, count=1).strip()
            if any(map(str.isalpha, item)):
                kept.append("- " + item)
        elif not _NOTICE.match(text) and (len(group) > 1 or text.endswith(_ENDS)) and "   " not in text:
            kept.append(text)
        start = end
    return "\n".join(kept)


def _continues(line: str, following: str, *, is_first: bool) -> bool:
    indent, next_indent = len(line) - len(line.lstrip()), len(following) - len(following.lstrip())
    if _ITEM.match(following):
        return False
    hangs = is_first and _ITEM.match(line) is not None and next_indent > indent
    return (hangs or next_indent == indent) and is_wrapped(line, following, WIDTH)
