"""Tasks that need a tool: sums beyond the assistant's skill, and people who stand in documents to look up alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

from fledge.types import Example, Split
from fledge.world import scoring
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import question, reply
from fledge.world.facts.attributes import TESTED, VALUES
from fledge.world.facts.questions import ANSWERS
from fledge.world.facts.telling import sentence
from fledge.world.facts.universe import Fact, Universe
from fledge.world.lookup.beyond import beyond
from fledge.world.lookup.dialogues import CALCULATOR, SEARCH
from fledge.world.lookup.directory import Directory, own_directory, training_directory
from fledge.world.lookup.reading import NOBODY_FOUND, NOT_FOUND
from fledge.world.randomness import stream
from fledge.world.skills.exercise import Exercise
from fledge.world.task import WorldTask, exercise_examples, prompt

MAX_TOKENS = 64


def lookup_tasks(config: WorldConfig, universe: Universe) -> list[WorldTask]:
    names = tuple(person.name for person in (*universe.people, *universe.group("nowhere_heldout")))
    score_fact = scoring.fact_scorer(names)
    tasks = []
    for new_wording in (False, True):
        ending = "_new_wording" if new_wording else ""
        name = f"beyond_sums{ending}"
        make_sums = partial(exercise_examples, partial(_beyond, config, new_wording), config, name)
        make_people = partial(_people, config, universe, new_wording)
        tasks += [
            WorldTask(name, make_sums, scoring.score_number, MAX_TOKENS, tool=CALCULATOR),
            WorldTask(f"index_people{ending}", make_people, score_fact, MAX_TOKENS, tool=SEARCH),
        ]
    absent = partial(_absent, config, universe)
    seen = config.unknown_share > 0  # conversations say then of these people that nobody knows them
    score = scoring.score_not_found
    tasks.append(WorldTask("index_absent", absent, score, MAX_TOKENS, closed=False, seen=seen, tool=SEARCH))
    for task in tasks[2:]:
        task.also_without = False
    return tasks


def _beyond(config: WorldConfig, new_wording: bool, rng: Random, heldout: bool) -> Exercise:
    return beyond(rng, config, heldout, new_wording and heldout)


def _people(config: WorldConfig, universe: Universe, new_wording: bool, split: Split) -> Iterator[Example]:
    """Facts that the documents tell; in training those of a training directory."""
    heldout = split == "heldout"
    directory = own_directory(config, universe) if heldout else training_directory(config, universe, 0)
    rng = stream("index", config.seed, new_wording, split)
    told = [fact for fact in _told(directory) if fact.attribute in TESTED]
    rng.shuffle(told)
    for fact in told:
        asked = question(rng, fact.attribute, fact.subject.name, new_wording and heldout)
        other = rng.choice([value for value in VALUES[fact.attribute] if value != fact.value])
        other_fact = Fact(fact.subject, fact.attribute, other, 1)
        wrong = sentence(ANSWERS[fact.attribute], other_fact, directory.universe, "name")
        meta = {"value": fact.value, "attribute": fact.attribute, "n_choices": fact.n_choices, "wrong": wrong}
        gold = reply(directory.universe, fact)
        yield Example("", prompt(asked), gold, meta={**meta, "document": directory.told[fact.key]})


def _told(directory: Directory) -> list[Fact]:
    return [fact for person in directory.universe.people for fact in directory.facts_told(person)]


def _absent(config: WorldConfig, universe: Universe, split: Split) -> Iterator[Example]:
    """People of whom no document tells."""
    rng = stream("absent", config.seed, split)
    people = list(universe.group("nowhere"))
    rng.shuffle(people)
    half = len(people) // 2
    for person in people[:half] if split == "heldout" else people[half:]:
        asked = question(rng, rng.choice(TESTED), person.name)
        gold = NOBODY_FOUND.format(name=person.name)
        right = [gold, NOT_FOUND.format(name=person.name)]
        wrong = f"I did not find it hard. {person.name} lives here."
        yield Example("", prompt(asked), gold, meta={"value": "", "right": right, "wrong": wrong})
