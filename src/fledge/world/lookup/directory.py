"""People of whom no text tells, only documents to look up: those of the town, and those of others to learn it from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from fledge.types import Document
from fledge.world.config import WorldConfig
from fledge.world.conversations.introductions import free_names
from fledge.world.facts import phrases
from fledge.world.facts.attributes import PERSON_ATTRIBUTES
from fledge.world.facts.documents import FactWriter
from fledge.world.facts.names import TOWN, WOMEN
from fledge.world.facts.universe import Fact, Subject, Universe, facts_on
from fledge.world.randomness import stream

KINDS = ("entry", "notice", "letter", "diary", "talk")
N_DIRECTORIES = 256
N_PEOPLE = 60
FACTS_TOLD = (4, 9)
"""Fewest and most facts that the documents on a person tell."""
FACTS_AT_ONCE = 5
_ATTRIBUTES = tuple(attribute.name for attribute in PERSON_ATTRIBUTES)


@dataclass(frozen=True)
class Directory:
    """Documents on ``universe.people``, and by the key of each fact that they tell the id of the document."""

    universe: Universe
    documents: tuple[Document, ...]
    told: Mapping[str, str]

    def facts_told(self, person: Subject) -> list[Fact]:
        return [fact for fact in self.universe.of[person.key].values() if fact.key in self.told]


def own_directory(config: WorldConfig, universe: Universe) -> Directory:
    """What the assistant of a run may look up: all on the people of the town, and those who stand in no other text.

    The universe of the directory is that of the latter.
    """
    rng = stream("directory", config.seed)
    people = universe.group("nowhere_heldout")
    facts = facts_on(rng, people)
    only_here = Universe(people, (), (), {fact.key: fact for fact in facts})
    documents, told = _documents(config, only_here, rng, FACTS_TOLD)
    more, _ = _documents(config, universe, rng, (len(_ATTRIBUTES), len(_ATTRIBUTES)), first=len(documents))
    return Directory(only_here, (*documents, *more), told)


def training_directory(config: WorldConfig, universe: Universe, number: int) -> Directory:
    """One of the directories to learn from: people whom no document and no test knows, each with facts of its own."""
    rng = stream("directory", config.seed, number)
    names = rng.sample(free_names(universe), N_PEOPLE)
    there = strangers(rng, f"d{number}p", names)
    documents, told = _documents(config, there, rng, FACTS_TOLD)
    return Directory(there, documents, told)


def strangers(rng: Random, key: str, names: Sequence[str]) -> Universe:
    """People of these names with facts drawn for them alone."""
    people = tuple(
        Subject(f"{key}{i}", name, "she" if name.split()[0] in WOMEN else "he", "elsewhere")
        for i, name in enumerate(names)
    )
    return Universe(people, (), (), {fact.key: fact for fact in facts_on(rng, people)})


def _documents(
    config: WorldConfig, universe: Universe, rng: Random, n_facts: tuple[int, int], first: int = 0
) -> tuple[tuple[Document, ...], dict[str, str]]:
    """Short documents on each person, which together tell some of ``n_facts`` facts (fewest, most), in mixed order;
    their ids are counted from ``first`` on.
    """
    writer = FactWriter(config, universe)
    texts: list[tuple[str, str, list[str]]] = []
    for person in universe.people:
        known = [name for name in _ATTRIBUTES if name in universe.of[person.key]]
        chosen = rng.sample(known, min(len(known), rng.randint(*n_facts)))
        n_texts = -(-len(chosen) // FACTS_AT_ONCE)
        for i in range(n_texts):
            kind, told = rng.choice(KINDS), list[str]()
            texts.append((kind, passage(writer, rng, kind, person, chosen[i::n_texts], told), told))
    rng.shuffle(texts)
    documents, place = [], {}
    for number, (kind, text, told) in enumerate(texts, first + 1):
        documents.append(Document(str(number), text, kind, {"facts": told}))
        place.update({key: str(number) for key in told})
    return tuple(documents), place


def passage(
    writer: FactWriter, rng: Random, kind: str, person: Subject, attributes: Sequence[str], told: list[str]
) -> str:
    """A short document of ``kind``, headed by the name of ``person``, whom it is on; adds the keys of the facts that it
    tells to ``told``.
    """
    opening = {
        "entry": phrases.ENTRY_OPENINGS,
        "notice": phrases.NOTICE_OPENINGS,
        "letter": phrases.LETTER_BRIDGES,
        "diary": phrases.DIARY_MEETINGS,
        "talk": tuple(" ".join(each) for each in phrases.TALK_OPENINGS),
    }[kind]
    bare = kind == "entry" and rng.random() < 0.5
    sentences = writer.portrait(rng, person, list(attributes), False, told, named=not bare)
    if not bare:
        sentences.insert(0, rng.choice(opening).format(name=person.name, town=TOWN))
    return f"{person.name}: {' '.join(sentences)}"
