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
_NOTICE = re.compile(r"^(?:This is a featured article|Spoiler warning:|Spoilers end here|CAPTION:)")
_SENTENCE_ENDS = (".", "!", "?", ":", ";", '"', "”", ".)")
_LEAD_CHARACTERS = 120
_VERB = re.compile(r" (?:is|are|was|were|refers?) ")


def schools_wikipedia(text: str) -> str:
    """Return title, headings, paragraphs and list items of an article; other texts as they are.

    Infoboxes, tables, picture captions, notices and the licence go: they are what neither fills lines of 72 columns
    nor ends like a sentence.
    """
    head = _HEAD.match(text)
    if head is None:
        return text
    body = _TAIL.sub("", text[head.end() :])
    parts: list[tuple[bool, str]] = []  # whether it is a heading, and its text
    lead = -1
    for block in _BLANK.split(body.strip("\n")):
        lines = block.split("\n")
        if lines[0][:1].strip():
            parts.append((True, " ".join(map(str.strip, lines))))
            continue
        texts = _prose(_without_captions(lines))
        if lead < 0 and not any(is_heading for is_heading, _ in parts):
            first = next((number for number, text in enumerate(texts) if _is_lead(text)), None)
            if first is not None:
                lead, texts = len(parts), texts[first:]
        if texts:
            parts.append((False, "\n".join(texts)))
    del parts[: max(lead, 0)]
    while parts and parts[-1][0]:
        parts.pop()
    return "\n\n".join([" ".join(head[1].split()), *(text for _, text in parts)])


def _is_lead(text: str) -> bool:
    """Whether ``text`` can open an article: what comes before it is the infobox."""
    is_sentence = text.endswith(_SENTENCE_ENDS) and not text.startswith("- ")
    return is_sentence and (len(text) >= _LEAD_CHARACTERS or (len(text) >= 40 and _VERB.search(text) is not None))


def _without_captions(lines: list[str]) -> list[str]:
    """A picture leaves its caption, a line ``Enlarge``, and its caption again: all of it goes."""
    while "Enlarge" in (bare := [line.strip() for line in lines]):
        at = bare.index("Enlarge")
        longest = min(at, len(lines) - at - 1)
        size = next((k for k in range(longest, 0, -1) if bare[at - k : at] == bare[at + 1 : at + 1 + k]), 0)
        lines = lines[: at - size] + lines[at + 1 + size :]
    return lines


def _prose(lines: list[str]) -> list[str]:
    """The paragraphs and list items among ``lines``, each as one line; what comes twice in a row comes once."""
    kept: list[str] = []
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines) and _continues(lines[end - 1], lines[end], is_first=end == start + 1):
            end += 1
        text = join_lines(lines[start:end]).replace("( ", "(")
        is_paragraph = end - start > 1 or text.endswith(_SENTENCE_ENDS)
        if _ITEM.match(lines[start]):
            item = _ITEM.sub("", text, count=1).strip()
            text = "- " + item if any(map(str.isalpha, item)) else ""
        elif _NOTICE.match(text) or not is_paragraph or "   " in text:
            text = ""
        if text and kept[-1:] != [text]:
            kept.append(text)
        start = end
    return kept


def _continues(line: str, following: str, *, is_first: bool) -> bool:
    indent, next_indent = len(line) - len(line.lstrip()), len(following) - len(following.lstrip())
    if _ITEM.match(following):
        return False
    hangs = is_first and _ITEM.match(line) is not None and next_indent > indent
    return (hangs or next_indent == indent) and is_wrapped(line, following, WIDTH)
