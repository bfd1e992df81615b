"""Sheets of worked exercises, as a school in the town would print them."""

from __future__ import annotations

from random import Random

from fledge.world.config import WorldConfig
from fledge.world.facts.universe import Universe
from fledge.world.skills.exercise import Exercise
from fledge.world.skills.hops import trained_hop
from fledge.world.skills.letters import letters_exercise
from fledge.world.skills.lists import COUNT_KINDS, SORT_KINDS, list_exercise
from fledge.world.skills.sums import sum_exercise, sum_in_words

SHEETS = ("sums", "sums", "sums", "steps", "steps", "steps", "spelling", "counting", "sorting", "hops")
"""How often each kind of sheet comes."""
TITLES = {
    "sums": (
        "Sums",
        "A page of sums",
        "Adding and taking away",
        "Numbers for Monday",
        "Quick sums",
        "From the sum book",
    ),
    "steps": ("Sums step by step", "Worked sums", "How sums are done", "Long sums", "Sums with all their steps"),
    "spelling": ("Spelling", "Letters and words", "The spelling page", "Words and their letters", "Spelling bee"),
    "counting": ("Counting", "How many?", "Let us count", "The counting page", "Count with me"),
    "sorting": ("Sorting", "In the right order", "Let us sort", "The sorting page", "Order, please"),
    "hops": ("A quiz about the town", "Questions and answers", "Who knows the town?", "The town quiz", "Think twice"),
}


class SkillWriter:
    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config, self.universe = config, universe

    def write(self, rng: Random, heldout: bool) -> tuple[str, str, tuple[str, ...]]:
        """``(kind, text, keys of the facts told)``; half of the exercises of a held-out sheet are held out too."""
        kind = rng.choice(SHEETS)
        told: list[str] = []
        if kind == "sums":
            digits, with_words = self.config.sum_digits, rng.random() < 0.2
            n = rng.randint(6, 9) if with_words else rng.randint(12, 18)
            drawn = (
                sum_in_words(rng, digits) if with_words and rng.random() < 0.6 else self._sum(rng, heldout)
                for _ in range(n)
            )
            lines = list(dict.fromkeys(drawn))
        else:
            n = {"steps": 4, "spelling": 8, "counting": 5, "sorting": 5, "hops": 4}[kind]
            exercises = [self.exercise(rng, kind, heldout and rng.random() < 0.5) for _ in range(rng.randint(n - 1, n))]
            lines = [exercise.line for exercise in exercises]
            told = [key for exercise in exercises for key in exercise.told]
        return kind, f"{rng.choice(TITLES[kind])}\n\n" + "\n".join(lines), tuple(told)

    def _sum(self, rng: Random, heldout: bool) -> str:
        """Mostly of the full size; shorter ones now and then."""
        digits = self.config.sum_digits if rng.random() < 0.85 else rng.randint(1, self.config.sum_digits)
        return sum_exercise(rng, digits, worked=False, heldout=heldout and digits > 1 and rng.random() < 0.5).line

    def exercise(self, rng: Random, kind: str, heldout: bool = False) -> Exercise:
        """One exercise of a sheet; also what conversations ask."""
        if kind == "steps":
            digits = self.config.step_digits if rng.random() < 0.7 else rng.randint(1, self.config.step_digits)
            return sum_exercise(rng, digits, worked=True, heldout=heldout and digits > 1)
        if kind == "spelling":
            return letters_exercise(rng, rng.choice(("spell", "backwards", "letters")), heldout=heldout)
        if kind == "counting":
            return list_exercise(rng, rng.choice(COUNT_KINDS), rng.randint(2, self.config.list_items), heldout=heldout)
        if kind == "sorting":
            return list_exercise(rng, rng.choice(SORT_KINDS), rng.randint(3, self.config.list_items), heldout=heldout)
        return trained_hop(self.universe, rng, self.config.hops)
