"""One notation for wordings, read in two directions: expanded into text, or compiled into a regular expression.

``|`` separates alternatives, ``{name}`` inserts a rule (lower case) or a slot (first letter upper case, or one of
the pronoun slots), ``[x|y|]`` is an inline choice, ``a~`` is the indefinite article that agrees with what follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

PRONOUN_SLOTS = frozenset(("he", "him", "his", "himself", "bhe", "bhim", "bhis"))
_PIECE = re.compile(r"\{(\w+)\}|\[([^\[\]]*)\]")


class Slot(str):
    """A hole in a wording that the realiser fills from the state."""


class Here(tuple[Any, ...]):
    """All alternatives of a rule whose reading depends on where one is; ``readings`` are those for each surrounding."""

    readings: tuple[tuple[Any, ...], ...]


IN, FAIR, ROUGH = range(3)  # indoors; outdoors in fair weather; outdoors in rain, snow or fog
_SURROUNDINGS = (("any", "all", "in"), ("any", "all", "out", "fair"), ("all", "out", "rough"))
Part = Any  # str | Slot | tuple[Wording, ...]
Wording = tuple[Part, ...]


class Grammar:
    """Rules by name; ``compile`` turns a wording into parts that refer to the rules' alternatives."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._texts = rules
        self._rules: dict[str, tuple[Wording, ...]] = {}
        self._regexes: dict[int, str] = {}

    def rule(self, name: str) -> tuple[Wording, ...]:
        if name not in self._rules:
            self._rules[name] = (
                self._here(name.removesuffix("_here"))
                if name.endswith("_here")
                else self.alternatives(self._texts[name])
            )
        return self._rules[name]

    def _here(self, base: str) -> Here:
        names = ("any", "all", "out", "in", "fair", "rough")
        parts = {n: self.rule(f"{base}_{n}") for n in names if f"{base}_{n}" in self._texts}
        rule = Here(wording for n in names for wording in parts.get(n, ()))
        rule.readings = tuple(tuple(wording for n in group for wording in parts.get(n, ())) for group in _SURROUNDINGS)
        return rule

    def alternatives(self, text: str) -> tuple[Wording, ...]:
        return tuple(self.compile(piece) for piece in split_alternatives(text))

    def compile(self, text: str) -> Wording:
        parts: list[Part] = []
        end = 0
        for match in _PIECE.finditer(text):
            if match.start() > end:
                parts.append(text[end : match.start()])
            name, inline = match.groups()
            if name is None:
                parts.append(tuple(self.compile(piece) for piece in inline.split("|")))
            elif name[0].isupper() or name in PRONOUN_SLOTS:
                parts.append(Slot(name))
            else:
                parts.append(self.rule(name))
            end = match.end()
        if end < len(text):
            parts.append(text[end:])
        return tuple(parts)


def split_alternatives(text: str) -> list[str]:
    pieces, depth, start = [], 0, 0
    for i, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == "|" and depth == 0:
            pieces.append(text[start:i])
            start = i + 1
    pieces.append(text[start:])
    return pieces


def uncapitalized(text: str) -> str:
    """Wordings of whole sentences without their capitals, which the realiser sets."""
    return "|".join(piece[:1].lower() + piece[1:] if piece[:2] != "I " else piece for piece in split_alternatives(text))


def expand(
    wording: Wording, fill: Callable[[str], str], random: Callable[[], float], out: list[str], where: int = FAIR
) -> None:
    """Appends the words of one random reading of ``wording`` to ``out``, as it suits the surrounding ``where``."""
    for part in wording:
        kind = part.__class__
        if kind is str:
            out.append(part)
        elif kind is tuple:
            expand(part[int(random() * len(part))], fill, random, out, where)
        elif kind is Here:
            readings = part.readings[where]
            expand(readings[int(random() * len(readings))], fill, random, out, where)
        else:
            out.append(fill(part))


_ARTICLE = re.compile(r"\b([aA])~(?= ((?!uni|use|one|eu)[aeiou]|hour|honest)?)")


def articles(text: str) -> str:
    """``a~ apple`` becomes ``an apple``; the letter decides but in words such as "uniform" or "hour"."""
    if "~" not in text:
        return text
    return _ARTICLE.sub(lambda m: m[1] + "n" if m[2] else m[1], text)


def words_of(grammar_texts: Mapping[str, str]) -> set[str]:
    """Every word form that the wordings can say themselves, slots and rule names left out."""
    words: set[str] = set()
    for text in grammar_texts.values():
        words.update(re.findall(r"[a-z'-]+", _NAMES_OF_PIECES.sub(" ", text).lower()))
    return words


_NAMES_OF_PIECES = re.compile(r"\{\w+\}")
