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
            self._rules[name] = self.alternatives(self._texts[name])
        return self._rules[name]

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

    def regex(self, wording: Wording, slot: Callable[[str], str]) -> str:
        return "".join(self._part_regex(part, slot) for part in wording)

    def _part_regex(self, part: Part, slot: Callable[[str], str]) -> str:
        if isinstance(part, Slot):
            return slot(part)
        if isinstance(part, str):
            return re.escape(part).replace("a\\~", "an?").replace("\\ ", " ")
        if all(len(w) == 1 and type(w[0]) is str and w[0].isalpha() and w[0].islower() for w in part) and len(part) > 4:
            return "[a-z]+"  # an open class of words: the reader checks the vocabulary of the whole sentence once
        return "(?:" + "|".join(self.regex(wording, slot) for wording in part) + ")"


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


def expand(wording: Wording, fill: Callable[[str], str], random: Callable[[], float], out: list[str]) -> None:
    """Appends the words of one random reading of ``wording`` to ``out``."""
    for part in wording:
        kind = part.__class__
        if kind is str:
            out.append(part)
        elif kind is tuple:
            expand(part[int(random() * len(part))], fill, random, out)
        else:
            out.append(fill(part))


_ARTICLE = re.compile(r"\b([aA])~(?= ([aeiou])?)")


def articles(text: str) -> str:
    """``a~ apple`` becomes ``an apple``; no word of the lexicon breaks the rule of the first letter."""
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
