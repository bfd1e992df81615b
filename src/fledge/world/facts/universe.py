"""Who and what is in the town: subjects and the facts on them, fixed by the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Literal, get_args

from fledge.world.config import WorldConfig
from fledge.world.facts.attributes import PERSON_ATTRIBUTES, PLACE_ATTRIBUTES, PLACES, VALUES
from fledge.world.facts.names import FAMILIES, MEN, WOMEN
from fledge.world.randomness import stream

Group = Literal["asked", "unasked", "nowhere", "nowhere_heldout", "elsewhere"]
N_NOWHERE, N_NOWHERE_HELDOUT = 240, 60
TEACHER_YEARS = 12


@dataclass(frozen=True)
class Subject:
    """A person or a place. ``name`` is what a sentence calls it (``the bookshop``)."""

    key: str
    name: str
    gender: Literal["she", "he", "it"]
    group: Group


@dataclass(frozen=True)
class Fact:
    """``subject`` has ``value`` for ``attribute``; it was drawn from ``n_choices`` values at equal odds."""

    subject: Subject
    attribute: str
    value: str
    n_choices: int

    @property
    def key(self) -> str:
        return f"{self.subject.key}.{self.attribute}"


@dataclass(frozen=True)
class Universe:
    people: tuple[Subject, ...]
    places: tuple[Subject, ...]
    nowhere: tuple[Subject, ...]
    facts: dict[str, Fact]

    @cached_property
    def by_name(self) -> dict[str, Subject]:
        return {subject.name: subject for subject in (*self.people, *self.places)}

    @cached_property
    def of(self) -> dict[str, dict[str, Fact]]:
        """Facts by subject key and attribute, in the fixed order of the attributes."""
        table: dict[str, dict[str, Fact]] = {subject.key: {} for subject in (*self.people, *self.places)}
        for fact in self.facts.values():
            table[fact.subject.key][fact.attribute] = fact
        return table

    @cached_property
    def _groups(self) -> dict[str, tuple[Subject, ...]]:
        everybody = (*self.people, *self.nowhere)
        return {group: tuple(p for p in everybody if p.group == group) for group in get_args(Group)}

    def group(self, group: Group) -> tuple[Subject, ...]:
        return self._groups[group]

    def information_bits(self) -> float:
        """Bits that a reader must store to know every fact: the sum of log2 of the choices."""
        return sum(math.log2(fact.n_choices) for fact in self.facts.values())


def _names(rng: Random, n: int) -> list[tuple[str, Literal["she", "he"]]]:
    """``n`` different full names, each drawn alike, so that no group of people has a look of its own."""
    firsts: list[tuple[str, Literal["she", "he"]]] = [(name, "she") for name in WOMEN]
    firsts += [(name, "he") for name in MEN]
    numbers = rng.sample(range(len(firsts) * len(FAMILIES)), n)
    return [
        (f"{firsts[number // len(FAMILIES)][0]} {FAMILIES[number % len(FAMILIES)]}", firsts[number // len(FAMILIES)][1])
        for number in numbers
    ]


def build_universe(config: WorldConfig) -> Universe:
    """The town of ``config.seed``; depends on the seed, the number of people and the share never asked about."""
    rng = stream("universe", config.seed)
    names = _names(rng, config.n_people + N_NOWHERE + N_NOWHERE_HELDOUT)
    n_unasked = round(config.unasked_share * config.n_people)
    n_named = config.n_people + N_NOWHERE
    subjects = []
    for i, (name, gender) in enumerate(names):
        group: Group = "unasked" if i < n_unasked else "asked" if i < config.n_people else "nowhere"
        subjects.append(Subject(f"p{i}", name, gender, group if i < n_named else "nowhere_heldout"))
    people, nowhere = tuple(subjects[: config.n_people]), tuple(subjects[config.n_people :])
    places = tuple(Subject(f"q{i}", f"the {name}", "it", "asked") for i, name in enumerate(PLACES))
    facts = facts_on(rng, people)
    for place in places:
        for attribute in PLACE_ATTRIBUTES:
            facts.append(Fact(place, attribute.name, rng.choice(attribute.values), len(attribute.values)))
    return Universe(people, places, nowhere, {fact.key: fact for fact in facts})


def facts_on(rng: Random, people: tuple[Subject, ...]) -> list[Fact]:
    """All that is to be known of ``people``; their friends, teachers and siblings are among them."""
    facts: list[Fact] = []
    links = _links(rng, people)
    for person in people:
        for attribute in PERSON_ATTRIBUTES:
            if attribute.name == "birth_year":
                facts.append(links[f"{person.key}.birth_year"])
            elif attribute.values:
                facts.append(Fact(person, attribute.name, rng.choice(attribute.values), len(attribute.values)))
            elif (link := links.get(f"{person.key}.{attribute.name}")) is not None:
                facts.append(link)
    return facts


def _links(rng: Random, people: tuple[Subject, ...]) -> dict[str, Fact]:
    """Years of birth, friends, teachers (at least twelve years older) and, in half of the families, siblings."""
    facts = []
    years = {person: int(rng.choice(VALUES["birth_year"])) for person in people}
    for person in people:
        facts.append(Fact(person, "birth_year", str(years[person]), len(VALUES["birth_year"])))
        others = [other for other in people if other != person]
        facts.append(Fact(person, "friend", rng.choice(others).name, len(others)))
        older = [other for other in others if years[person] - years[other] >= TEACHER_YEARS]
        if older:
            facts.append(Fact(person, "teacher", rng.choice(older).name, len(older)))
    for family in FAMILIES:
        members = [person for person in people if person.name.endswith(" " + family)]
        rng.shuffle(members)
        for one, other in zip(members[0::2], members[1::2], strict=False):
            facts.append(Fact(one, "sibling", other.name, len(members) - 1))
            facts.append(Fact(other, "sibling", one.name, len(members) - 1))
    return {fact.key: fact for fact in facts}
