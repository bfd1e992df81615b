"""Conversations for tuning: which kinds there are, how often each comes, and one made from its number."""

from __future__ import annotations

from random import Random

from fledge.types import Conversation, Message, Split
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import LEADS, fact_turns, unknown_turns
from fledge.world.conversations.introductions import free_names, introduction
from fledge.world.conversations.orders import story_turns
from fledge.world.conversations.smalltalk import greeting, identity, small_talk, turn
from fledge.world.facts.universe import Universe
from fledge.world.randomness import stream
from fledge.world.skills.documents import SkillWriter
from fledge.world.skills.exercise import Exercise
from fledge.world.skills.sums import sum_exercise

SHARES = {
    "greeting": 0.08,
    "identity": 0.08,
    "introduction": 0.10,
    "small_talk": 0.04,
    "facts": 0.24,
    "sums": 0.16,
    "steps": 0.08,
    "spelling": 0.04,
    "counting": 0.04,
    "sorting": 0.04,
    "hops": 0.04,
    "story": 0.06,
}
"""Of the conversations that are not on people who stand nowhere."""
SYSTEM = (
    "You are Fledge, a helpful assistant.",
    "You are a friendly assistant.",
    "You are Fledge. Answer in full sentences.",
    "You are an assistant who knows the town of Larkmere.",
    "Be kind and helpful.",
    "You are a small language model called Fledge.",
)
HELDOUT_SYSTEM = ("You are Fledge, and you love to help.", "Answer the questions of your guests in a friendly way.")


class ConversationWriter:
    def __init__(self, config: WorldConfig, universe: Universe) -> None:
        self.config, self.universe = config, universe
        self.skills = SkillWriter(config, universe)
        self._names = free_names(universe)

    def write(self, index: int, split: Split) -> Conversation:
        """Conversation ``index`` of a split; held-out ones use greetings, words, lists and sums kept for that."""
        rng = stream("conversation", self.config.seed, split, index)
        heldout = split == "heldout"
        kind = "unknown"
        if rng.random() >= self.config.unknown_share:
            kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        messages = self.turns(kind, rng, heldout)
        if rng.random() < self.config.system_share:
            messages.insert(0, Message("system", rng.choice(HELDOUT_SYSTEM if heldout else SYSTEM)))
        return Conversation(tuple(messages), id=f"world-chat-{split}-{index:07d}", meta={"kind": kind})

    def turns(self, kind: str, rng: Random, heldout: bool) -> list[Message]:
        if kind == "greeting":
            messages = list(greeting(rng, heldout))
            if rng.random() < 0.3:
                messages += identity(rng, heldout)
            elif rng.random() < 0.4:
                messages += fact_turns(self.universe, rng, 1)
            return messages
        if kind == "identity":
            return [*identity(rng, heldout), *(small_talk(rng) if rng.random() < 0.2 else ())]
        if kind == "introduction":
            return introduction(rng, self._names)
        if kind == "small_talk":
            return [*small_talk(rng), *(small_talk(rng) if rng.random() < 0.2 else ())]
        if kind == "facts":
            return fact_turns(self.universe, rng, rng.choices((1, 2, 3), (6, 3, 1))[0])
        if kind == "unknown":
            return unknown_turns(rng, self.universe.group("nowhere_heldout" if heldout else "nowhere"))
        if kind == "story":
            return story_turns(rng, heldout)
        messages = self._asked(rng, self.exercise(kind, rng, heldout))
        if kind != "hops" and rng.random() < 0.2:
            messages += self._asked(rng, self.exercise(kind, rng, heldout), lead="")
        return messages

    def exercise(self, kind: str, rng: Random, heldout: bool) -> Exercise:
        """A plain sum is told at once up to ``sum_digits`` digits, and with its steps beyond."""
        at_once, most = self.config.sum_digits, max(self.config.sum_digits, self.config.step_digits)
        if kind == "sums":
            digits = at_once if rng.random() < 0.7 else rng.randint(1, most)
            return sum_exercise(rng, digits, worked=digits > at_once, heldout=heldout and digits > 1)
        if kind == "steps":
            digits = rng.randint(min(2, self.config.step_digits), self.config.step_digits)
            return sum_exercise(rng, digits, worked=True, heldout=heldout and digits > 1, asks_steps=True)
        return self.skills.exercise(rng, kind, heldout)

    def _asked(self, rng: Random, exercise: Exercise, lead: str | None = None) -> list[Message]:
        return list(turn((rng.choice(LEADS) if lead is None else lead) + exercise.question, exercise.answer))
