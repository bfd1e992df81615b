"""Splits a text into sentences and finds in each the phrases that name people, things, places and spots."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from fledge.world.stories import lexicon

_KIN = "|".join(lexicon.FAMILY)
STATES = ("broken",)


@dataclass
class Tagged:
    """A sentence whose noun phrases are replaced by tokens: I (introduced person), C (person), T (thing), L (place)
    and S (spot), each with the index of its entry."""

    text: str
    people: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # token -> key, trait, kind
    things: dict[str, tuple[str, str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # token -> noun, determiner, adjectives
    places: dict[str, tuple[str, str]] = field(default_factory=dict)  # token -> place, preposition
    spots: dict[str, str] = field(default_factory=dict)


def _any(words: tuple[str, ...] | list[str] | dict[str, str]) -> str:
    return "|".join(re.escape(w).replace(r"\ ", " ") for w in sorted(words, key=len, reverse=True))


@lru_cache(maxsize=1)
def _phrases() -> re.Pattern[str]:
    spots: dict[str, list[str]] = {}
    for noun, prepositions in {**lexicon.SPOTS_OUT, **lexicon.SPOTS_IN}.items():
        spots.setdefault(prepositions, []).append(noun)
    spot = "|".join(f"(?:{prepositions.replace(' ', '|')}) the (?:(?:{_any(lexicon.SPOT_LOOKS)}) )?(?:{_any(nouns)})"
                    for prepositions, nouns in spots.items())  # fmt: skip
    treetop = f"(?:in|at the top of) the (?:(?:{_any(lexicon.SPOT_LOOKS)}) )?(?:{_any(lexicon.TREES)})"
    kinds, names = _any(lexicon.KINDS), _any(lexicon.NAMES)
    adjectives = _any(tuple(dict.fromkeys((*lexicon.ADJECTIVES, *STATES))))
    traits = _any(tuple(dict.fromkeys((*lexicon.TRAITS, *lexicon.GROWN_TRAITS))))
    return re.compile(
        rf"\b(?:(?P<spot>{spot}|{treetop})"
        rf"|(?P<prep>in|at|on|to|into) the (?P<place>{_any(list(lexicon.PLACES))})"
        rf"|(?P<det>[Tt]he(?: (?:{kinds})'s)?|[Aa]n?|[Hh]is|[Hh]er|[Mm]y|[Yy]our|(?:{names}|{_KIN})'s)"
        rf" (?P<adj>(?:(?:{adjectives}) ){{0,3}})(?P<thing>{_any(list(lexicon.THINGS))})"
        rf"|(?P<rel>[Hh]is|[Hh]er) (?:{'|'.join(lexicon.RELATIONS)}) (?P<relname>{names})"
        rf"|[Aa]n? (?P<trait>(?:{traits}) )?(?P<kind>{kinds})(?: (?:named|called) (?P<intro>{names}))?"
        rf"|[Tt]he (?P<known>{kinds})|(?P<called>(?:{kinds})(?=!))|(?P<name>{names}|{_KIN}))\b"
    )


def tag(sentence: str) -> Tagged:
    """The sentence with tokens for its phrases."""
    tagged = Tagged("")

    def replace(match: re.Match[str]) -> str:
        group = match.lastgroup
        index = str(len(tagged.people) + len(tagged.things) + len(tagged.places) + len(tagged.spots))
        if match["spot"]:
            tagged.spots["S" + index] = match["spot"]
            return "S" + index
        if match["place"]:
            tagged.places["L" + index] = (match["place"], match["prep"])
            return "L" + index
        if match["thing"]:
            tagged.things["T" + index] = (
                match["thing"],
                match["det"].lower() if match["det"][0] in "TAHMYthamy" and "'" not in match["det"] else match["det"],
                tuple(match["adj"].split()),
            )
            return "T" + index
        if match["relname"]:
            tagged.people["I" + index] = (match["relname"], "", "")
            return "I" + index
        if match["kind"]:
            tagged.people["I" + index] = (
                match["intro"] or match["kind"],
                (match["trait"] or "").strip(),
                match["kind"],
            )
            return "I" + index
        assert group
        tagged.people["C" + index] = (match["known"] or match["called"] or match["name"], "", "")
        return "C" + index

    text = _phrases().sub(replace, sentence)
    start = 1 if text[:1] == '"' else 0
    first = text[start:].split(" ", 1)[0]
    if first and first[0].isupper() and not (len(first) > 1 and first[1].isdigit()) and first not in ("I", "I'm"):
        text = text[:start] + text[start].lower() + text[start + 1 :]
    tagged.text = text
    return tagged


_SPEECH = re.compile(r"\s+(?=[a-z])")


def split_sentences(text: str, limit: int = 400) -> list[str]:
    """Sentences with their end marks; quoted speech stays with the words that frame it."""
    sentences: list[str] = []
    for line in text.split("\n"):
        start, inside = 0, False
        i, n = 0, len(line)
        while i < n and len(sentences) < limit:
            char = line[i]
            if char == '"':
                inside = not inside
            ends = char in ".!?" and not inside
            if char == '"' and not inside and i and line[i - 1] in ".!?" and not _SPEECH.match(line, i + 1):
                ends = True
            if ends and (i + 1 == n or line[i + 1] == " "):
                piece = line[start : i + 1].strip()
                if piece:
                    sentences.append(piece)
                start = i + 1
            i += 1
        rest = line[start:].strip()
        if rest and len(sentences) < limit:
            sentences.append(rest)
    return sentences
