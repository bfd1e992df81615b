"""Documents that tell facts: encyclopedia entries, notices, letters, diaries, overheard talk and lists."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fledge.world.config import WorldConfig
from fledge.world.facts import phrases
from fledge.world.facts.attributes import PERSON_ATTRIBUTES, RELATIONS
from fledge.world.facts.names import TOWN
from fledge.world.facts.telling import Teller, Voice
from fledge.world.facts.universe import Subject, Universe
from fledge.world.grammar import capital

_LISTED = tuple(attribute.name for attribute in PERSON_ATTRIBUTES)
PLACE_SHARE = 0.14


class FactWriter:
    """Writes one fact document at a time; knows the town and the dials, keeps no state between documents."""

    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config, self.universe = config, universe
        self.teller = Teller(config, universe)
        self._write: dict[str, Callable[[Random, bool, list[str]], str]] = {
            "entry": self._entry,
            "notice": self._notice,
            "letter": self._letter,
            "diary": self._diary,
            "overheard": self._overheard,
            "list": self._list,
        }

    def write(self, rng: Random, heldout: bool) -> tuple[str, str, tuple[str, ...]]:
        """``(kind, text, keys of the facts told, one for each telling)``."""
        kind = rng.choice(self.config.fact_kinds)
        told: list[str] = []
        return kind, self._write[kind](rng, heldout, told), tuple(told)

    def _person(self, rng: Random) -> Subject:
        return rng.choice(self.universe.people)

    def _attributes(
        self, rng: Random, subject: Subject, low: int, high: int, present: tuple[Subject, ...] = ()
    ) -> list[str]:
        """Some of what is known of a subject: shuffled, or the first in the fixed order.

        Facts that name somebody ``present`` (who writes, who reads) are left out: a letter would say you or me.
        """
        names = {person.name for person in present}
        known = [name for name, fact in self.universe.of[subject.key].items() if fact.value not in names]
        n = min(len(known), rng.randint(low, high))
        if not self.config.shuffle_order:
            return known[:n]
        drawn = rng.sample(known, n)
        if "pet_kind" in drawn and "pet_name" in drawn:  # "His cat is called Inky. He keeps a cat." tells nothing new
            first, second = sorted((drawn.index("pet_kind"), drawn.index("pet_name")))
            drawn[first], drawn[second] = "pet_kind", "pet_name"
        return drawn

    def portrait(
        self,
        rng: Random,
        subject: Subject,
        attributes: list[str],
        heldout: bool,
        told: list[str],
        *,
        named: bool = False,
    ) -> list[str]:
        """Sentences on one subject. The name comes first (unless ``named``), and again where she could be another."""
        sentences, unclear = [], not named
        for attribute in attributes:
            voice: Voice = "name" if unclear or rng.random() < self.config.name_share else "pronoun"
            sentences.append(self.teller.tell(rng, f"{subject.key}.{attribute}", voice, heldout, told))
            unclear = attribute in RELATIONS
        return sentences

    def _about_me(
        self, rng: Random, writer: Subject, n: int, heldout: bool, told: list[str], present: tuple[Subject, ...]
    ) -> list[str]:
        attributes = self._attributes(rng, writer, n, n, present)
        return [self.teller.tell(rng, f"{writer.key}.{attribute}", "I", heldout, told) for attribute in attributes]

    def _entry(self, rng: Random, heldout: bool, told: list[str]) -> str:
        if rng.random() < PLACE_SHARE:
            place = rng.choice(self.universe.places)
            others = [p for p in rng.sample(self.universe.places, 3) if p != place][:2]
            parts = [
                " ".join(self.portrait(rng, subject, self._attributes(rng, subject, 3, 3), heldout, told))
                for subject in (place, *others)
            ]
            return "\n\n".join([rng.choice(phrases.PLACE_TITLES), *parts])
        person = self._person(rng)
        low = 6 if self.config.shuffle_order else len(_LISTED)
        attributes = self._attributes(rng, person, low, len(_LISTED))
        sentences = self.portrait(rng, person, attributes, heldout, told)
        if self.config.shuffle_order and rng.random() < 0.3:
            sentences.insert(0, rng.choice(phrases.ENTRY_OPENINGS).format(name=person.name, town=TOWN))
        return f"{person.name}\n\n{' '.join(sentences)}"

    def _notice(self, rng: Random, heldout: bool, told: list[str]) -> str:
        person = self._person(rng)
        body = self.portrait(rng, person, self._attributes(rng, person, 3, 6), heldout, told)
        opening = rng.choice(phrases.NOTICE_OPENINGS).format(name=person.name, town=TOWN)
        parts = [rng.choice(phrases.NOTICE_TITLES), f"{opening} {' '.join(body)} {rng.choice(phrases.NOTICE_CLOSINGS)}"]
        if rng.random() < 0.25:
            place = rng.choice(self.universe.places)
            parts.append(" ".join(self.portrait(rng, place, self._attributes(rng, place, 1, 2), heldout, told)))
        return "\n\n".join(parts)

    def _letter(self, rng: Random, heldout: bool, told: list[str]) -> str:
        writer, reader, person = rng.sample(self.universe.people, 3)
        present = (writer, reader, person)
        news = self.portrait(rng, person, self._attributes(rng, person, 3, 6, present), heldout, told)
        mine = self._about_me(rng, writer, rng.randint(1, 3), heldout, told, present)
        bridge = rng.choice(phrases.LETTER_BRIDGES).format(name=person.name)
        body = f"{rng.choice(phrases.LETTER_OPENINGS)} {bridge} {' '.join(news)}"
        myself = f"{rng.choice(phrases.LETTER_MYSELF)} {' '.join(mine)} {rng.choice(phrases.LETTER_CLOSINGS)}"
        return f"Dear {reader.name},\n\n{body}\n\n{myself}\n\n{rng.choice(phrases.LETTER_ENDS)}\n{writer.name}"

    def _diary(self, rng: Random, heldout: bool, told: list[str]) -> str:
        writer, person = rng.sample(self.universe.people, 2)
        day = f"{rng.choice(phrases.DAYS)}. {rng.choice(phrases.DIARY_WEATHER)}"
        meeting = rng.choice(phrases.DIARY_MEETINGS).format(name=person.name)
        present = (writer, person)
        news = self.portrait(rng, person, self._attributes(rng, person, 3, 6, present), heldout, told, named=True)
        mine = self._about_me(rng, writer, rng.randint(1, 2), heldout, told, present)
        text = f"{day} {meeting} {' '.join(news)}\n\n{rng.choice(phrases.DIARY_MYSELF)} {' '.join(mine)}"
        return f"From the diary of {writer.name}\n\n{text} {rng.choice(phrases.DIARY_ENDS)}"

    def _overheard(self, rng: Random, heldout: bool, told: list[str]) -> str:
        """Talk between two people. Nobody asks for a fact, so that being asked is new to the reader in tuning."""
        person = self._person(rng)
        opening, reply = rng.choice(phrases.TALK_OPENINGS)
        sentences = self.portrait(rng, person, self._attributes(rng, person, 4, 7), heldout, told, named=True)
        lines = [f'"{opening.format(name=person.name)}"']
        first = f"{reply} {sentences[0]}"
        rest, mine = sentences[1:], True
        pools = (phrases.TALK_LINKS, phrases.TALK_PROMPTS, phrases.TALK_AGREEING)
        links, prompts, agreeing = (iter(rng.sample(pool, len(pool))) for pool in pools)
        lines.append(f'"{first}"')
        while rest:
            n = rng.randint(1, 2)
            turn, rest = rest[:n], rest[n:]
            if rng.random() < 0.5:
                lines.append(f'"{next(links)} {" ".join(turn)}"')
            elif mine:
                lines.append(f'"{next(prompts)}"')
                lines.append(f'"{" ".join(turn)}"')
                continue
            else:
                lines.append(f'"{next(agreeing)} {" ".join(turn)}"')
            mine = not mine
        lines.append(f'"{rng.choice(phrases.TALK_ENDS)}"')
        return f"{rng.choice(phrases.TALK_SCENES)}\n\n" + "\n".join(lines)

    def _list(self, rng: Random, heldout: bool, told: list[str]) -> str:
        """One thing known of many people; as sentences, or (where more than one wording is allowed) name: value."""
        attribute = rng.choice(_LISTED)
        able = [person for person in self.universe.people if attribute in self.universe.of[person.key]]
        people = rng.sample(able, min(len(able), rng.randint(6, 9)))
        values = {person.name: self.universe.of[person.key][attribute].value for person in people}
        # of two who are each other's brother, sister or friend, one stands in the list
        people = [p for i, p in enumerate(people) if all(values[q.name] != p.name for q in people[:i])]
        title, plain = rng.choice(phrases.LIST_TITLES[attribute]).format(town=TOWN), self.config.wordings > 1
        lines = []
        as_table = plain and rng.random() < 0.5
        for person in people:
            key = f"{person.key}.{attribute}"
            if as_table:
                told.append(key)
                lines.append(f"{person.name}: {capital(self.universe.facts[key].value)}")
            else:
                lines.append(self.teller.tell(rng, key, "name", heldout, told))
        return f"{title}\n\n" + "\n".join(lines)
