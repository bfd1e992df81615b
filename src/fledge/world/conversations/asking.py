"""Questions on facts, follow-ups that say only she or he, and questions on people who stand nowhere."""

from __future__ import annotations

from random import Random

from fledge.types import Message
from fledge.world.conversations.smalltalk import turn
from fledge.world.facts.questions import ANSWERS, FOLLOW_UPS, N_TRAINED_QUESTIONS, QUESTIONS
from fledge.world.facts.telling import sentence
from fledge.world.facts.universe import Fact, Subject, Universe
from fledge.world.skills.exercise import pick

LEADS = ("", "", "", "", "I have a question. ", "Excuse me. ", "Please help me. ", "Hello. ", "Hi! ", "One question: ")
"""What may stand before any question in tuning."""
CAPITALS = ("And in capital letters?", "Can you write that in capital letters?", "In capital letters, please.")
OBJECTS = {"she": ("she", "her", "her"), "he": ("he", "him", "his")}


def question(rng: Random, attribute: str, name: str, new_wording: bool = False) -> str:
    return pick(rng, QUESTIONS[attribute], N_TRAINED_QUESTIONS, new_wording).format(S=name)


def reply(universe: Universe, fact: Fact) -> str:
    """The full sentence that answers a question on ``fact``."""
    return sentence(ANSWERS[fact.attribute], fact, universe, "name")


def ask(universe: Universe, rng: Random, fact: Fact, new_wording: bool = False) -> tuple[Message, Message]:
    asked = question(rng, fact.attribute, fact.subject.name, new_wording)
    lead = "" if new_wording else rng.choice(LEADS)
    return turn(lead + asked, reply(universe, fact))


def may_ask(universe: Universe, subject: Subject) -> list[Fact]:
    """Facts on a subject that tuning may ask for: none that names somebody who is never asked about."""
    untold = {person.name for person in universe.group("unasked")}
    return [f for f in universe.of[subject.key].values() if f.attribute in QUESTIONS and f.value not in untold]


def fact_turns(universe: Universe, rng: Random, n_turns: int) -> list[Message]:
    """A question on a person or place that may be asked about, and follow-ups on the same one."""
    if rng.random() < 0.08:
        fact = rng.choice(may_ask(universe, rng.choice(universe.places)))
        return list(ask(universe, rng, fact))
    person = rng.choice(universe.group("asked"))
    facts = rng.sample(may_ask(universe, person), n_turns)
    messages = list(ask(universe, rng, facts[0]))
    nominative, objective, possessive = OBJECTS[person.gender]
    for fact in facts[1:]:
        if rng.random() < 0.15:
            break
        wording = rng.choice(FOLLOW_UPS[fact.attribute])
        asked = wording.format(s=nominative, o=objective, r=possessive)
        messages += turn(asked, reply(universe, fact))
    if rng.random() < 0.1:
        messages += turn(rng.choice(CAPITALS), messages[-1].content.upper())
    return messages


def unknown_turns(rng: Random, people: tuple[Subject, ...], new_wording: bool = False) -> list[Message]:
    """A question on somebody who stands nowhere; the answer says so."""
    person = rng.choice(people)
    attribute = rng.choice([name for name in QUESTIONS if not name.startswith("place_")])
    asked = question(rng, attribute, person.name, new_wording)
    return list(turn(asked, f"I do not know anybody called {person.name}."))
