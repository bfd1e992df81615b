"""Counting and sorting of small lists. Held out by list (a tenth of all lists, by hash) and by length."""

from __future__ import annotations

from random import Random
from typing import Any

from fledge.world.grammar import article, listing, plural
from fledge.world.randomness import share_of
from fledge.world.skills.exercise import Exercise, pick, solve
from fledge.world.skills.words import THINGS, WORDS

HELDOUT_SHARE = 0.1
N_TRAINED = 4
COUNT_KINDS = ("things", "same")
SORT_KINDS = ("alphabet", "ascending", "descending")
ASK = {
    "things": (
        "How many things are in this list: {items}?",
        "Count the things: {items}.",
        "Here is a list: {items}. How many things are there?",
        "How many things do you see here: {items}?",
        "I packed {items}. How many things did I pack?",
        "On the table are {items}. How many things is that?",
    ),
    "same": (
        "How many {things} are in this list: {items}?",
        "Count the {things}: {items}.",
        "Here is a list: {items}. How many {things} are there?",
        "How many {things} do you see here: {items}?",
        "I packed {items}. How many {things} did I pack?",
        "On the table are {items}. How many of them are {things}?",
    ),
    "alphabet": (
        "Sort these words: {items}.",
        "Put these words in order: {items}.",
        "Sort from A to Z: {items}.",
        "Which order do these words have in a word list: {items}?",
        "Please bring {items} into the order of the alphabet.",
        "Here are some words: {items}. Sort them.",
    ),
    "ascending": (
        "Sort these numbers: {items}.",
        "Put these numbers in order: {items}.",
        "Sort from small to large: {items}.",
        "Order these numbers, the smallest first: {items}.",
        "Please bring {items} into the right order.",
        "Here are some numbers: {items}. Sort them.",
    ),
    "descending": (
        "Sort these numbers from large to small: {items}.",
        "Put these numbers in order, the largest first: {items}.",
        "Sort from large to small: {items}.",
        "Order these numbers, starting with the largest: {items}.",
        "Please bring {items} into order, the largest first.",
        "Here are some numbers: {items}. Sort them from large to small.",
    ),
}


def is_heldout(items: tuple[Any, ...]) -> bool:
    """Whether a list, in any order, is kept for tests."""
    return share_of("list", *sorted(map(str, items))) < HELDOUT_SHARE


def _items(rng: Random, kind: str, n: int) -> tuple[Any, ...]:
    if kind in ("ascending", "descending"):
        return tuple(rng.sample(range(1, 100), n))
    if kind == "same":
        thing, *others = rng.sample(THINGS, 3)
        n_same = rng.randint(1, n - 1)
        items = [thing] * n_same + [rng.choice(others) for _ in range(n - n_same)]
        rng.shuffle(items)
        return tuple(items)
    return tuple(rng.sample(THINGS if kind == "things" else WORDS, n))


def list_exercise(rng: Random, kind: str, n: int, *, heldout: bool = False, new_wording: bool = False) -> Exercise:
    """Count or sort ``n`` items."""
    while True:
        items = _items(rng, kind, n)
        if is_heldout(items) == heldout:
            break
    wording = pick(rng, ASK[kind], N_TRAINED, new_wording)
    if kind in SORT_KINDS:
        gold = solve(kind, (items,))
        order = {"alphabet": "from A to Z", "ascending": "from small to large", "descending": "from large to small"}
        question = wording.format(items=", ".join(map(str, items)))
        answer = f"In order {order[kind]}: {gold}."
        n_choices = 1
        for factor in range(2, n + 1):
            n_choices *= factor
        return Exercise(kind, question, answer, gold, n_choices, (items,), line=f"{question} {answer}")
    thing = rng.choice(sorted(set(items)))
    data: tuple[Any, ...] = (items,) if kind == "things" else (items, thing)
    gold = solve(kind, data)
    question = wording.format(items=listing([article(item) for item in items]), things=plural(thing))
    counted = [item for item in items if kind == "things" or item == thing]
    numbered = ", ".join(f"{item} {i}" for i, item in enumerate(counted, 1))
    noun = "thing" if kind == "things" else thing
    answer = f"{numbered}. " + ("There is 1 " + noun if gold == "1" else f"There are {gold} {plural(noun)}") + "."
    answer = answer[0].upper() + answer[1:]
    n_choices = n if kind == "same" else 9
    return Exercise(kind, question, answer, gold, n_choices, data, line=f"{question} {answer}")
