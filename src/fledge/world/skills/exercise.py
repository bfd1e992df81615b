"""One exercise: what is asked, how it is worked out, and the answer that counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Exercise:
    """``answer`` is the full text of the reply and holds ``gold``; ``data`` is what the question gives to work on.

    ``n_choices`` is among how many answers of the same shape a blind guess would choose; ``told`` are the keys of
    facts that the answer tells; ``line`` is the exercise as one line of a sheet.
    """

    kind: str
    question: str
    answer: str
    gold: str
    n_choices: int
    data: tuple[Any, ...] = ()
    told: tuple[str, ...] = ()
    line: str = ""


def solve(kind: str, data: Sequence[Any]) -> str:
    """The answer to an exercise, worked out apart from the text that shows the work."""
    solvers: dict[str, Callable[..., str]] = {
        "sum": lambda a, sign, b: str(a + b if sign == "+" else a - b),
        "spell": lambda word: "-".join(word),
        "backwards": lambda word: "-".join(reversed(word)),
        "letters": lambda word: str(len(word)),
        "letter": lambda word, letter: str(word.count(letter)),
        "things": lambda items: str(len(items)),
        "same": lambda items, thing: str(list(items).count(thing)),
        "alphabet": lambda items: ", ".join(sorted(items)),
        "ascending": lambda items: ", ".join(map(str, sorted(items))),
        "descending": lambda items: ", ".join(map(str, sorted(items, reverse=True))),
    }
    return solvers[kind](*data)


def pick(rng: Random, wordings: Sequence[str], n_trained: int, heldout_wording: bool) -> str:
    """One of the trained wordings (the first ``n_trained``), or one of those kept for tests."""
    return rng.choice(wordings[n_trained:] if heldout_wording else wordings[:n_trained])
