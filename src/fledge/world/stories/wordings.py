"""The wording tables compiled once: parts for the realiser, and from them regular expressions for the reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from fledge.world.stories import acts, doings, framing, lexicon, scenery, tails, talk, words
from fledge.world.stories.grammar import FAIR, IN, ROUGH, Grammar, Part, Slot, Wording, uncapitalized, words_of
from fledge.world.stories.phrasing import says

RULE_TEXTS: dict[str, str] = {
    **words.WORDS,
    **doings.DOINGS,
    **scenery.DETAILS,
    **scenery.MEMORY,
    **scenery.MANNERS,
    "hot": scenery.MUSING["hot"],
    **tails.TAILS,
    **talk.TALK_RULES,
    **talk.FRAME_RULES,
    **{f"more_{kind}": text for kind, text in talk.MORE.items()},
    **framing.FULL_RULES,
    **framing.LEADS,
}
for _name in (*scenery.DETAILS, "opener", *(f"more_{kind}" for kind in talk.MORE), *framing.LEADS):
    RULE_TEXTS[_name] = uncapitalized(RULE_TEXTS[_name])
_HERE = re.compile(r"\{(\w+_here)\}")
# a rule whose expression is longer than this is captured as a run of words and verified on its own
LONGEST_INLINE = 300
_PLACEHOLDERS = {
    "Ai": r"(?P<{}>[IC]\d+)",
    "Bi": r"(?P<{}>[IC]\d+)",
    "A": r"(?P<{}>C\d+|he|she)",
    "B": r"(?P<{}>C\d+|him|her|he|she)",
    "Bn": r"(?P<{}>C\d+)",
    "Bs": r"(?P<{}>C\d+'s|his|her)",
    "At": r"(?P<{}>L\d+)",
    "To": r"(?P<{}>L\d+)",
    "S": r"(?P<{}>S\d+)",
    "he": r"(?P<{}>he|she)",
    "him": r"(?P<{}>him|her)",
    "his": r"(?P<{}>his|her)",
    "himself": r"(?P<{}>himself|herself)",
    "bhe": r"(?P<{}>he|she)",
    "bhim": r"(?P<{}>him|her)",
    "bhis": r"(?P<{}>his|her)",
}
_SUFFIX = {IN: "in", FAIR: "fair", ROUGH: "rough"}
_RUN = r"[A-Za-z'-]+(?: [A-Za-z',-]+){0,28}?"


@dataclass(frozen=True)
class Pattern:
    """One wording of one kind of event and the expression that reads it back."""

    kind: str
    wording: Wording
    regex: re.Pattern[str]


class Wordings:
    """All tables, compiled. Use ``wordings()``."""

    def __init__(self) -> None:
        self.grammar = grammar = Grammar(RULE_TEXTS)
        self.acts = {kind: grammar.alternatives(text) for kind, text in acts.ACTS.items()}
        for name, text in scenery.MUSING.items():
            if name.startswith("muse"):
                self.acts[name] = grammar.alternatives(text)
        self.talk = {kind: grammar.alternatives(uncapitalized(text)) for kind, text in talk.TALK.items()}
        self.full = {kind: grammar.alternatives(uncapitalized(text)) for kind, text in framing.FULL.items()}
        self.frames = {kind: grammar.alternatives(text) for kind, text in talk.FRAMES.items()}
        self.likeness = grammar.alternatives(scenery.LIKENESS)
        for name in (*RULE_TEXTS, *dict.fromkeys(_HERE.findall(" ".join(RULE_TEXTS.values())))):
            grammar.rule(name)
        self._names = {id(alternatives): name for name, alternatives in grammar._rules.items()}
        self._lengths: dict[int, int] = {}
        self._index: dict[str, list[tuple[str, Wording]]] = {}
        for kind, alternatives in self.acts.items():
            for wording in alternatives:
                for first in first_words(wording):
                    self._index.setdefault(first, []).append((kind, wording))
        for wording in grammar.rule("gesture"):
            for first in first_words(wording):
                self._index.setdefault(first, []).append(("muse", wording))
        self._full_index: dict[str, list[tuple[str, Wording]]] = {}
        for kind, alternatives in self.full.items():
            for wording in grammar.rule("view_here") if kind == "scene" else alternatives:
                for first in first_words(wording):
                    self._full_index.setdefault(first, []).append((kind, wording))
        one_sentence = [w for frames in self.frames.values() for w in frames if not any(p == '. "' for p in w)]
        self.reading_frames = [
            *one_sentence,
            *grammar.alternatives(
                '"{Qc}" {A} {said}.|"{Qc}" {A} {replied}.|"{Qc}" {A} {denied}.'
                '|"{Qc}" {A} {thanked_aloud}.|"{Qc}" {A} {asked}.'
            ),
        ]
        self.talk_wordings = [(kind, w) for kind, alternatives in self.talk.items() for w in alternatives]
        self.talk_wordings += [
            ("chatter", w)
            for w in (*grammar.rule("opener"), *(w for kind in talk.MORE for w in grammar.rule(f"more_{kind}")))
        ]
        self._fitting: dict[tuple[int, str, int], tuple[Wording, ...]] = {}
        self._patterns: dict[int, re.Pattern[str]] = {}
        self._says: dict[tuple[int, str], bool] = {}

    def fitting(self, tables: dict[str, tuple[Wording, ...]], kind: str, where: int) -> tuple[Wording, ...]:
        """The wordings of a kind that suit the surrounding: its own and those of its variant for it."""
        key = (id(tables), kind, where)
        if key not in self._fitting:
            special = tables.get(f"{kind}/{_SUFFIX[where]}", ())
            self._fitting[key] = special if kind.startswith("weather") and special else tables.get(kind, ()) + special
        return self._fitting[key]

    def says(self, wording: Wording, form: str) -> bool:
        """Whether a wording says a word itself or in an inline choice."""
        key = (id(wording), form)
        if key not in self._says:
            self._says[key] = says(wording, form)
        return self._says[key]

    # reading ------------------------------------------------------------------------------------------------------

    def acts_starting(self, first: str) -> list[tuple[str, Wording]]:
        return self._index.get(first, []) + self._index.get("*", [])

    def full_starting(self, first: str) -> list[tuple[str, Wording]]:
        return self._full_index.get(first, []) + self._full_index.get("*", [])

    def is_lead(self, text: str) -> bool:
        return self.reads("then", text) or self.reads("but", text)

    def pattern(self, wording: Wording) -> re.Pattern[str]:
        found = self._patterns.get(id(wording))
        if found is None:
            found = self._patterns[id(wording)] = re.compile(self._regex(wording, [0]))
        return found

    def reads(self, name: str, run: str) -> bool:
        """Whether a run of words is a reading of the rule."""
        for wording in self.likeness if name == "likeness" else self.grammar.rule(name):
            match = self.pattern(wording).fullmatch(run)
            if match and self.verified(match):
                return True
        return False

    def verified(self, match: re.Match[str]) -> bool:
        """Whether the runs of words that a match took for long rules are readings of those rules."""
        return all(
            self.reads(name.split("__", 1)[1], run)
            for name, run in match.groupdict().items()
            if run is not None and name[0] == "r" and "__" in name
        )

    def _regex(self, wording: Wording, counter: list[int]) -> str:
        return "".join(self._part(part, counter) for part in wording)

    def _part(self, part: Part, counter: list[int]) -> str:
        if isinstance(part, Slot):
            counter[0] += 1
            template = _PLACEHOLDERS.get(part)
            if template is None:
                template = r"(?P<{}>.+?)" if part[0] == "Q" else r"(?P<{}>T\d+|it)"
            return template.format(f"{part}_{counter[0]}")
        if isinstance(part, str):
            return re.escape(part).replace(r"\ ", " ").replace("a\\~", "an?").replace("a~", "an?")
        if all(len(w) == 1 and type(w[0]) is str and w[0].isalpha() and w[0].islower() for w in part) and len(part) > 6:
            return "[a-z-]+"  # an open class of words: the reader checks the vocabulary of the sentence once
        name = self._names.get(id(part))
        if name and self._length(part) > LONGEST_INLINE:
            counter[0] += 1
            empty = any(not w for w in part)
            lead = " ?" if any(w and type(w[0]) is str and w[0][:1] in (" ", ",") for w in part) else ""
            run = r",?" + lead + _RUN if lead else _RUN
            return f"(?P<r{counter[0]}__{name}>{run}){'?' if empty else ''}"
        return "(?:" + "|".join(self._regex(w, counter) for w in part) + ")"

    def _length(self, part: Part) -> int:
        found = self._lengths.get(id(part))
        if found is None:
            found = sum(len(p) if isinstance(p, str) else min(self._length(p), 400) for w in part for p in w)
            self._lengths[id(part)] = found
        return found

    def vocabulary(self) -> frozenset[str]:
        return _vocabulary()


def first_words(wording: Wording) -> set[str]:
    first = wording[0]
    if isinstance(first, Slot):
        return {"*"}
    if isinstance(first, str):
        word = first.split(" ")[0].strip(",")
        return {"a", "an"} if word == "a~" else {word} if word else {"*"}
    found: set[str] = set()
    for alternative in first:
        found |= first_words(alternative) if alternative else {"*"}
    return found


@lru_cache(maxsize=1)
def wordings() -> Wordings:
    return Wordings()


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    texts = {
        **RULE_TEXTS,
        **{f"act {k}": v for k, v in acts.ACTS.items()},
        **{f"talk {k}": v for k, v in talk.TALK.items()},
        **{f"full {k}": v for k, v in framing.FULL.items()},
        **{f"frame {k}": v for k, v in talk.FRAMES.items()},
        **{f"musing {k}": v for k, v in scenery.MUSING.items()},
        "likeness": scenery.LIKENESS,
    }
    words = words_of(texts)
    for table in (
        lexicon.THINGS,
        lexicon.ADJECTIVES,
        lexicon.PLACES,
        lexicon.SPOT_NOUNS,
        lexicon.SPOT_LOOKS,
        lexicon.KINDS,
        lexicon.FAMILY,
        lexicon.TRAITS,
        lexicon.GROWN_TRAITS,
        lexicon.RELATIONS,
        lexicon.NAMES,
        lexicon.TREES,
    ):
        for phrase in table:
            words.update(phrase.lower().split())
    words.update(
        lexicon.word_list("a an the i it's he she him her his himself herself named called my your at to in on into of")
    )
    return frozenset(words)
