"""Pages that can only be understood by reading them: passages on strangers, met once, and what is asked of them.

They are laid out as a search gives its passages. Other pages copy numbers too long to be known by heart.
"""

from __future__ import annotations

from random import Random

from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import question, reply
from fledge.world.conversations.introductions import free_names
from fledge.world.facts.documents import FactWriter
from fledge.world.facts.questions import QUESTIONS
from fledge.world.facts.universe import Universe
from fledge.world.lookup.beyond import WORDS, beyond
from fledge.world.lookup.directory import FACTS_AT_ONCE, KINDS, passage, strangers

NUMBERS_SHARE = 0.2
PLAIN_SHARE = 0.4
"""Of the pages: those whose passages tell facts in the words of the answers, which is easier to begin with."""
TITLES = ("Read and answer", "From the papers", "Who is who?", "Read well", "What was written", "Strangers")
NUMBER_TITLES = ("Long numbers", "Copy the numbers", "Numbers to write", "From the account book")
N_BYSTANDERS = 5


class ReadingWriter:
    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config = config
        self._names = free_names(universe)
        self._known = set(self._names)
        self._firsts = sorted({name.split()[0] for name in self._names})
        self._families = sorted({name.split()[1] for name in self._names})

    def write(self, rng: Random, heldout: bool) -> tuple[str, str, tuple[str, ...]]:
        """``(kind, text, ())``; the facts are on nobody of the town."""
        if rng.random() < NUMBERS_SHARE:
            return "numbers", self._numbers(rng), ()
        return "passages", self._passages(rng, heldout), ()

    def _passages(self, rng: Random, heldout: bool) -> str:
        name = rng.choice(self._names)
        names = list(dict.fromkeys((name, self._like(rng, name), self._like(rng, name))))
        names += [other for other in rng.sample(self._names, N_BYSTANDERS) if other not in names]
        universe = strangers(rng, "s", names)
        writer = FactWriter(self.config, universe)
        texts: list[str] = []
        told: list[str] = []
        first, *others = universe.people[:3]
        people = (first, *(rng.choice((first, other)) for other in others))
        plain = rng.random() < PLAIN_SHARE
        for person in people[: rng.choices((1, 2, 3), (4, 3, 3))[0]]:
            left = [name for name, fact in universe.of[person.key].items() if fact.key not in told]
            chosen = rng.sample(left, min(len(left), rng.randint(2, FACTS_AT_ONCE)))
            if chosen:
                kind = rng.choice(KINDS)
                if plain:
                    facts = [universe.of[person.key][name] for name in chosen]
                    text = " ".join(reply(universe, fact) for fact in facts)
                    told += [fact.key for fact in facts]
                else:
                    text = passage(writer, rng, kind, person, chosen, told)
                texts.append(f"{kind} ({rng.randint(1, 320)})\n{text}")
        asked = [universe.facts[key] for key in dict.fromkeys(told) if universe.facts[key].attribute in QUESTIONS]
        rng.shuffle(asked)
        lines = [f"{question(rng, f.attribute, f.subject.name)} {reply(universe, f)}" for f in asked]
        shown = "\n\n".join(f"[{i}] {text}" for i, text in enumerate(texts, 1))
        return f"{rng.choice(TITLES)}\n\n{shown}\n\n" + "\n".join(lines)

    def _like(self, rng: Random, name: str) -> str:
        """Another's name, of the same family or with the same first name."""
        first, family = name.split()
        while True:
            of_family = rng.random() < 0.5
            other = f"{rng.choice(self._firsts)} {family}" if of_family else f"{first} {rng.choice(self._families)}"
            if other != name and other in self._known:
                return other

    def _numbers(self, rng: Random) -> str:
        lines = []
        for _ in range(rng.randint(6, 9)):
            exercise = beyond(rng, self.config, False)
            a, sign, b = exercise.data
            expression = f"{a} {sign} {b}"
            words = f"{a} {WORDS[sign]} {b}"
            asked = rng.choice((words, expression))
            lines.append(f"{asked}: {expression} → {exercise.gold}. {expression} = {exercise.gold}.")
        return f"{rng.choice(NUMBER_TITLES)}\n\n" + "\n".join(lines)
