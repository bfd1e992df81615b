"""Pages that can only be understood by reading them: passages on strangers, met once, and what is asked of them.

They are laid out as a search gives its passages. Other pages say again what cannot be known by heart: long numbers, and
questions on strangers.
"""

from __future__ import annotations

from random import Random

from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import question, reply
from fledge.world.conversations.introductions import free_names
from fledge.world.facts.documents import FactWriter
from fledge.world.facts.questions import FOLLOW_UPS, QUESTIONS
from fledge.world.facts.universe import Universe
from fledge.world.lookup.beyond import WORDS, beyond
from fledge.world.lookup.directory import FACTS_AT_ONCE, KINDS, passage, strangers

PAGES = {"passages": 0.62, "numbers": 0.13, "questions": 0.13, "answers": 0.12}
PLAIN_SHARE = 0.4
"""Of the pages: those whose passages tell facts in the words of the answers, which is easier to begin with."""
TITLES = ("Read and answer", "From the papers", "Who is who?", "Read well", "What was written", "Strangers")
COPY_TITLES = ("Say it again", "Once more", "To be copied", "From the copy book")
ABSENT_SHARE, UNTOLD_SHARE = 0.3, 0.2
"""Of the pages: those that also ask about somebody who is not there, and for a fact that is not told."""
N_BYSTANDERS = 5
ASKED = tuple(FOLLOW_UPS)
"""What may be asked about a person."""
NOT_FOUND = "I did not find that about {name}."
NOBODY_FOUND = "I did not find anybody called {name}."


class ReadingWriter:
    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config = config
        self._names = free_names(universe)
        self._known = set(self._names)
        self._firsts = sorted({name.split()[0] for name in self._names})
        self._families = sorted({name.split()[1] for name in self._names})

    def write(self, rng: Random, heldout: bool) -> tuple[str, str, tuple[str, ...]]:
        """``(kind, text, ())``; the facts are on nobody of the town."""
        kind = rng.choices(list(PAGES), list(PAGES.values()))[0]
        if kind == "passages":
            return kind, self._passages(rng, heldout), ()
        say = {"numbers": self._number, "questions": self._question, "answers": self._answer}[kind]
        lines = [say(rng) for _ in range(rng.randint(6, 9))]
        return kind, f"{rng.choice(COPY_TITLES)}\n\n" + "\n".join(lines), ()

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
        lines = [f"{question(rng, f.attribute, f.subject.name)} {reply(universe, f)}" for f in asked]
        if rng.random() < ABSENT_SHARE and (other := self._like(rng, name)) not in names:
            lines.append(f"{question(rng, rng.choice(ASKED), other)} {NOBODY_FOUND.format(name=other)}")
        untold = [f for f in universe.of[first.key].values() if f.key not in told and f.attribute in QUESTIONS]
        if untold and rng.random() < UNTOLD_SHARE:
            lines.append(f"{question(rng, rng.choice(untold).attribute, name)} {NOT_FOUND.format(name=name)}")
        rng.shuffle(lines)
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

    def _number(self, rng: Random) -> str:
        exercise = beyond(rng, self.config, False)
        a, sign, b = exercise.data
        expression = f"{a} {sign} {b}"
        asked = rng.choice((f"{a} {WORDS[sign]} {b}", expression))
        return f"{asked}: {expression} → {exercise.gold}. {expression} = {exercise.gold}."

    def _question(self, rng: Random) -> str:
        asked = question(rng, rng.choice(ASKED), rng.choice(self._names))
        return f"{asked} → {asked}"

    def _answer(self, rng: Random) -> str:
        universe = strangers(rng, "s", rng.sample(self._names, 3))
        facts = [fact for fact in universe.of[universe.people[0].key].values() if fact.attribute in QUESTIONS]
        told = reply(universe, rng.choice(facts))
        return f"{told} → {told}"
