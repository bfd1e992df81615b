"""Questions that need several facts in a row. Held out by composition (which links follow which) and by depth."""

from __future__ import annotations

from functools import cache
from itertools import product
from random import Random

from fledge.world.facts.attributes import RELATIONS, TESTED
from fledge.world.facts.questions import ANSWERS, N_TRAINED_QUESTIONS, QUESTIONS
from fledge.world.facts.telling import sentence
from fledge.world.facts.universe import Fact, Subject, Universe
from fledge.world.randomness import share_of
from fledge.world.skills.exercise import Exercise, pick

HELDOUT_SHARE = 0.25
Path = tuple[str, ...]
"""Links and last the attribute asked for: ``("friend", "street")`` has two hops."""


@cache
def paths(hops: int, heldout: bool | None = None) -> tuple[Path, ...]:
    """All chains of so many hops; of one hop the relations themselves. A quarter of the longer ones is held out."""
    if hops == 1:
        return tuple((relation,) for relation in RELATIONS if relation in QUESTIONS)
    every = sorted(product(*[RELATIONS] * (hops - 1), TESTED), key=lambda path: share_of("path", *path))
    n = round(HELDOUT_SHARE * len(every))
    chosen = every if heldout is None else every[:n] if heldout else every[n:]
    return tuple(sorted(chosen))


def chain(universe: Universe, start: Subject, path: Path) -> list[Fact] | None:
    """The facts along ``path``, or None where a link is missing or leads back to somebody on the way."""
    facts, here, seen = [], start, {start}
    for attribute in path:
        fact = universe.of[here.key].get(attribute)
        if fact is None:
            return None
        facts.append(fact)
        if attribute in RELATIONS:
            here = universe.by_name[fact.value]
            if here in seen:
                return None
            seen.add(here)
    return facts


def hop_exercise(
    universe: Universe, start: Subject, path: Path, rng: Random, new_wording: bool = False
) -> Exercise | None:
    """The question on ``path`` from ``start``, answered by telling the facts on the way; None where there is none."""
    facts = chain(universe, start, path)
    if facts is None:
        return None
    who = start.name
    for fact in facts[:-1]:
        who = f"the {link_name(fact, universe)} of {who}"
    question = pick(rng, QUESTIONS[path[-1]], N_TRAINED_QUESTIONS, new_wording).format(S=who)
    answer = " ".join(sentence(ANSWERS[fact.attribute], fact, universe, "name") for fact in facts)
    told = tuple(fact.key for fact in facts)
    return Exercise(
        f"hops_{len(path)}", question, answer, facts[-1].value, facts[-1].n_choices, path, told, f"{question} {answer}"
    )


def link_name(fact: Fact, universe: Universe) -> str:
    """``best friend``, ``teacher``, ``sister`` or ``brother``."""
    if fact.attribute == "sibling":
        return "sister" if universe.by_name[fact.value].gender == "she" else "brother"
    return {"friend": "best friend", "teacher": "teacher"}[fact.attribute]


def trained_hop(universe: Universe, rng: Random, max_hops: int) -> Exercise:
    """A question of two to ``max_hops`` hops that passes only people who may be asked about in tuning."""
    asked = universe.group("asked")
    for _ in range(1000):
        hops = rng.randint(min(2, max_hops), max_hops)
        path, start = rng.choice(paths(hops, heldout=False if hops > 1 else None)), rng.choice(asked)
        exercise = hop_exercise(universe, start, path, rng)
        untold = exercise is None or (
            exercise.gold in universe.by_name and universe.by_name[exercise.gold] not in asked
        )
        if exercise and not untold and all(universe.facts[key].subject in asked for key in exercise.told):
            return exercise
    raise AssertionError("no chain of asked people in this world")
