"""People who say their names. Nothing is to be known of them: the assistant has to repeat what it was just told.

Without such turns, tuning on questions about a few people makes a small model put their names in place of others'.
"""

from __future__ import annotations

from random import Random

from fledge.types import Message
from fledge.world.conversations.smalltalk import HELLOS, OFFERS, turn
from fledge.world.facts.names import FAMILIES, MEN, WOMEN
from fledge.world.facts.universe import Universe

TELLS = (
    "I am {name}.",
    "My name is {name}.",
    "This is {name}.",
    "You are talking to {name}.",
    "I would like to introduce myself. I am {name}.",
    "People call me {name}.",
)
MEETS = ("Hello, {name}!", "Nice to meet you, {name}.", "Welcome, {name}!", "It is good to meet you, {name}.")
ASKS = ("What is my name?", "Who am I?", "Do you know my name?", "Do you remember my name?", "And what am I called?")
RECALLS = ("Your name is {name}.", "You are {name}.")
REQUESTS = (
    ("Please greet {name} for me.", "Hello, {name}!"),
    ("Say hello to {name}.", "Hello, {name}!"),
    ("Say the name {name}.", "{name}."),
    ("Please repeat the name {name}.", "{name}."),
    ("Write the name {name} in capital letters.", "{NAME}."),
    ("Write a line to thank {name}.", "Thank you very much, {name}!"),
    ("My friend {name} is here.", "Welcome, {name}! How can I help you both?"),
    ("Say goodbye to {name}.", "Goodbye, {name}!"),
)


def free_names(universe: Universe) -> tuple[str, ...]:
    """Every full name that the town's name books allow and nobody has whom a test or a document speaks of."""
    taken = {person.name for person in (*universe.people, *universe.nowhere)}
    names = (f"{first} {family}" for first in (*WOMEN, *MEN) for family in FAMILIES)
    return tuple(name for name in names if name not in taken)


def introduction(rng: Random, names: tuple[str, ...]) -> list[Message]:
    """Somebody says a name, their own or another's, and hears it back."""
    name = names[int(rng.random() * len(names))]
    if rng.random() < 0.4:
        asked, answer = rng.choice(REQUESTS)
        return list(turn(asked.format(name=name), answer.format(name=name, NAME=name.upper())))
    hello = f"{rng.choice(HELLOS)}! " if rng.random() < 0.5 else ""
    met = f"{rng.choice(MEETS)} {rng.choice(OFFERS)}".format(name=name)
    messages = list(turn(hello + rng.choice(TELLS).format(name=name), met))
    if rng.random() < 0.6:
        messages += turn(rng.choice(ASKS), rng.choice(RECALLS).format(name=name))
    return messages
