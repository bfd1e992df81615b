"""Conversations in which tools are offered: what is said and called. What the tools give is for who runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from fledge.types import Split
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import LEADS, OBJECTS, ask, may_ask, question, reply
from fledge.world.conversations.introductions import free_names
from fledge.world.conversations.writer import ConversationWriter
from fledge.world.facts.questions import FOLLOW_UPS, QUESTIONS
from fledge.world.facts.universe import Universe
from fledge.world.lookup.beyond import beyond
from fledge.world.lookup.directory import N_DIRECTORIES, Directory, training_directory
from fledge.world.lookup.reading import ASKED, NOBODY_FOUND, NOT_FOUND
from fledge.world.randomness import stream

CALCULATOR, SEARCH = "calculator", "search"
SHARES = {"calculate": 0.24, "search": 0.40, "absent": 0.09, "plain": 0.23, "refuse": 0.04}
PLAIN = {"greeting": 4, "identity": 3, "introduction": 2, "small_talk": 2, "places": 2, "sums": 6, "counting": 1}
"""What is asked where tools are offered and not needed. People are always looked up, places are known."""
BOTH_SHARE = 0.8
TOO_HARD = "That is too hard for me without a calculator."


@dataclass(frozen=True)
class Turn:
    """What a user says and the assistant answers, after the call of ``tool`` where there is one.

    ``answer`` holds only where the tool has shown ``document`` (in this turn or before); elsewhere ``otherwise`` does,
    and a turn without that is left out.
    """

    user: str
    answer: str
    tool: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    document: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class Dialogue:
    """Turns with the names of the tools that are offered; they search the directory with the number ``directory``."""

    id: str
    kind: str
    turns: tuple[Turn, ...]
    tools: tuple[str, ...]
    directory: int


class DialogueWriter:
    """Dialogues by number, about people of the training directories and numbers that no test uses."""

    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config, self.universe = config, universe
        self._plain = ConversationWriter(config, universe)
        self._names = free_names(universe)
        self.directory: Callable[[int], Directory] = lru_cache(N_DIRECTORIES)(
            lambda number: training_directory(config, universe, number)
        )

    def write(self, index: int, split: Split = "train") -> Dialogue:
        rng = stream("dialogue", self.config.seed, split, index)
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        number = index % N_DIRECTORIES
        tools, turns = self._turns(kind, rng, self.directory(number))
        return Dialogue(f"world-tools-{split}-{index:07d}", kind, tuple(turns), tools, number)

    def _turns(self, kind: str, rng: Random, directory: Directory) -> tuple[tuple[str, ...], list[Turn]]:
        both = rng.random() < BOTH_SHARE
        if kind == "calculate":
            n = rng.choices((1, 2), (4, 1))[0]
            return (CALCULATOR, SEARCH) if both else (CALCULATOR,), [self._calculated(rng, i == 0) for i in range(n)]
        if kind == "refuse":
            asked = beyond(rng, self.config, False).question
            return () if both else (SEARCH,), [Turn(_led(rng, asked), TOO_HARD)]
        if kind == "plain":
            offered = (CALCULATOR, SEARCH) if both else (rng.choice((CALCULATOR, SEARCH)),)
            return offered, self._needless(rng)
        offered = (CALCULATOR, SEARCH) if both else (SEARCH,)
        return offered, [self._absent(rng, directory)] if kind == "absent" else self._searched(rng, directory)

    def _calculated(self, rng: Random, first: bool) -> Turn:
        exercise = beyond(rng, self.config, False)
        expression = " ".join(map(str, exercise.data))
        asked = _led(rng, exercise.question) if first else exercise.question
        return Turn(asked, exercise.answer, CALCULATOR, {"expression": expression})

    def _searched(self, rng: Random, directory: Directory) -> list[Turn]:
        """One person: a question that is looked up, and some more that the same passages answer."""
        universe = directory.universe
        person = rng.choice(universe.people)
        facts = [fact for fact in universe.of[person.key].values() if fact.attribute in QUESTIONS]
        told = [fact for fact in facts if fact.key in directory.told]
        rng.shuffle(told)
        n = min(len(told), rng.choices((1, 2, 3, 4, 5), (2, 2, 3, 3, 2))[0])
        first, *more = told[:n] or facts[:1]
        lost = NOT_FOUND.format(name=person.name)
        asked = question(rng, first.attribute, person.name)
        query = {"query": asked}
        document = directory.told.get(first.key, "none")
        turns = [Turn(_led(rng, asked), reply(universe, first), SEARCH, query, document, lost)]
        nominative, objective, possessive = OBJECTS[person.gender]
        for fact in more:
            wording = rng.choice(FOLLOW_UPS[fact.attribute])
            asked = wording.format(s=nominative, o=objective, r=possessive)
            turns.append(Turn(asked, reply(universe, fact), document=directory.told[fact.key]))
        untold = [fact for fact in facts if fact.key not in directory.told]
        if untold and rng.random() < 0.12:
            fact = rng.choice(untold)
            asked = question(rng, fact.attribute, person.name)
            if rng.random() < 0.5:
                turns = [Turn(_led(rng, asked), lost, SEARCH, {"query": asked})]
            else:
                turns.append(Turn(asked, lost))
        return turns

    def _absent(self, rng: Random, directory: Directory) -> Turn:
        there = directory.universe.by_name
        name = next(name for name in iter(lambda: rng.choice(self._names), None) if name not in there)
        asked = question(rng, rng.choice(ASKED), name)
        return Turn(_led(rng, asked), NOBODY_FOUND.format(name=name), SEARCH, {"query": asked})

    def _needless(self, rng: Random) -> list[Turn]:
        kind = rng.choices(list(PLAIN), list(PLAIN.values()))[0]
        if kind == "places":
            said = list(ask(self.universe, rng, rng.choice(may_ask(self.universe, rng.choice(self.universe.places)))))
        else:
            said = self._plain.turns(kind, rng, False)
        return [Turn(user.content, assistant.content) for user, assistant in zip(said[::2], said[1::2], strict=True)]


def _led(rng: Random, asked: str) -> str:
    return rng.choice(LEADS) + asked
