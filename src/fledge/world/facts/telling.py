"""Sentences that tell facts: every wording of every fact in every voice, compiled once."""

from __future__ import annotations

import re
from random import Random
from typing import Literal

from fledge.world.config import MAX_WORDINGS, WorldConfig
from fledge.world.facts.universe import Fact, Universe
from fledge.world.facts.wordings import WORDINGS
from fledge.world.grammar import article, capital
from fledge.world.randomness import number_of

Voice = Literal["name", "pronoun", "I"]
_FORMS = {
    "she": ("she", "her", "her"),
    "he": ("he", "him", "his"),
    "it": ("it", "it", "its"),
    "I": ("I", "me", "my"),
}
_VERB = re.compile(r"\[([^]|]*)\|([^]|]*)\]")


def sentence(wording: str, fact: Fact, universe: Universe, voice: Voice) -> str:
    """One wording of one fact, with pronouns, verbs, article and capital put right."""
    pronoun = fact.subject.gender if voice in ("name", "pronoun") else voice
    subject, objective, possessive = _FORMS[pronoun]
    back_s, back_r = subject, possessive
    if voice == "name":
        subject = objective = fact.subject.name
        possessive = fact.subject.name + "'s"
    known = universe.of[fact.subject.key]
    values = {"S": subject, "O": objective, "P": possessive, "s": back_s, "r": back_r, "v": fact.value}
    values["a"] = article(fact.value)
    values["k"] = known["pet_kind"].value if "pet_kind" in known else ""
    values["w"] = ""
    if fact.attribute == "sibling":
        values["w"] = {"she": "sister", "he": "brother", "it": ""}[universe.by_name[fact.value].gender]
    text = _VERB.sub(r"\2" if voice == "I" else r"\1", wording)
    return capital(text.format_map(values))


def facts_told(wording: str, fact: Fact) -> tuple[str, ...]:
    """Keys of the facts that the wording tells: one on a pet's name may tell its kind as well."""
    if "{k}" in wording:
        return (fact.key, f"{fact.subject.key}.pet_kind")
    return (fact.key,)


Told = list[tuple[str, tuple[str, ...]]]


class Teller:
    """Draws sentences. ``wordings`` of the settings limits each fact to that many, chosen once for each fact."""

    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config, self.universe = config, universe
        self._sentences: dict[tuple[str, Voice, bool], Told] = {}

    def _of(self, key: str, voice: Voice, unseen: bool) -> Told:
        """The sentences that may tell a fact, each with the keys of the facts that it tells."""
        found = self._sentences.get((key, voice, unseen))
        if found is None:
            fact = self.universe.facts[key]
            every = WORDINGS[fact.attribute]
            kept = every[MAX_WORDINGS:]
            if not unseen:
                seed = self.config.seed
                order = sorted(range(MAX_WORDINGS), key=lambda i: number_of(seed, "wording", key, i))
                kept = tuple(every[i] for i in sorted(order[: self.config.wordings]))
            found = [(sentence(wording, fact, self.universe, voice), facts_told(wording, fact)) for wording in kept]
            self._sentences[key, voice, unseen] = found
        return found

    def tell(self, rng: Random, key: str, voice: Voice, heldout: bool, told: list[str]) -> str:
        """A sentence on the fact ``key``; adds the keys that it tells to ``told``. Half are unseen if ``heldout``."""
        sentences = self._of(key, voice, heldout and rng.random() < 0.5)
        text, keys = sentences[int(rng.random() * len(sentences))]
        told.extend(keys)
        return text
