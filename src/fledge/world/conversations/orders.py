"""Stories to order: with given words, with a given ending.

The story is written first and the order made from it, so that every order can be met, at no cost.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from fledge.types import Message
from fledge.world.conversations.smalltalk import turn
from fledge.world.grammar import listing
from fledge.world.stories.story import ORDER_ADJECTIVES, ORDER_NOUNS, Story, write_story

MAX_CHARS = 850
"""Stories longer than this are written anew (at most so often), so that a conversation fits a short context."""
TRIES = 6
ORDERED = frozenset((*ORDER_NOUNS, *ORDER_ADJECTIVES))
ENDINGS = {"happy": "happily", "sad": "sadly", "funny": "in a funny way", "wise": "with a lesson"}
WITH_WORDS = (
    "Write a story with the words {words}.",
    "Tell me a story with the words {words}.",
    "Please write a short story. Use the words {words}.",
    "Make up a story that has the words {words} in it.",
    "Can you tell a story with these words: {words}?",
    "I would like a story with {words}.",
    "Use {words} in a story.",
    "Give me a story in which I can find the words {words}.",
)
WITH_BOTH = (
    "Write a story with the words {words}, ending {how}.",
    "Tell me a story with the words {words} that ends {how}.",
    "Please write a short story. Use the words {words}, and let it end {how}.",
    "Make up a story with {words}. Give it a {kind} ending.",
    "Can you tell a story with the words {words} and a {kind} ending?",
    "I would like a {kind} ending and the words {words} in my story.",
    "Use {words} in a story, and finish it {how}.",
    "Give me a story with {words}. The end should be {kind}.",
)
WITH_ENDING = (
    "Write a story that ends {how}.",
    "Tell me a story with a {kind} ending.",
    "Please write a short story, ending {how}.",
    "Make up a story and let it end {how}.",
    "Can you tell a story with a {kind} ending?",
    "I would like a story that ends {how}.",
    "Let me hear a story. It should finish {how}.",
    "Give me a story. The end should be {kind}.",
)
PLAIN = (
    "Tell me a story.",
    "Write a story.",
    "Please tell me a short story.",
    "Can you make up a story?",
    "I would like to hear a story.",
    "A story, please.",
    "Let me hear a story.",
    "Do you have a story for me?",
)
N_TRAINED = 6


def short_story(rng: Random) -> Story:
    """A story of at most :data:`MAX_CHARS` characters, or the shortest of a few."""
    stories = []
    for _ in range(TRIES):
        stories.append(write_story(rng))
        if len(stories[-1].text) <= MAX_CHARS:
            break
    return min(stories, key=lambda story: len(story.text))


def words_of(rng: Random, story: Story) -> tuple[str, ...]:
    """One to three nouns and adjectives of a story, drawn from those that it says most."""
    counts = Counter(word for word in re.findall(r"(?<!\w)[a-z]+(?!\w)", story.text) if word in ORDERED)
    often = [word for word, _ in counts.most_common(5)]
    return tuple(rng.sample(often, min(len(often), rng.randint(1, 3))))


def order(rng: Random, heldout: bool = False) -> tuple[str, Story, tuple[str, ...], str | None]:
    """``(what is asked, a story that meets it, the words, the ending)``; a held-out order has a wording of its own."""
    story, kind = short_story(rng), rng.random()
    words = words_of(rng, story) if kind < 0.7 else ()
    ending = story.ending if 0.3 <= kind < 0.9 else None
    wordings = {(True, False): WITH_WORDS, (True, True): WITH_BOTH, (False, True): WITH_ENDING, (False, False): PLAIN}
    chosen = wordings[bool(words), ending is not None]
    wording = rng.choice(chosen[N_TRAINED:] if heldout else chosen[:N_TRAINED])
    given = {"words": listing(words) if words else "", "kind": ending or "", "how": ENDINGS.get(ending or "", "")}
    return wording.format(**given), story, words, ending


def story_turns(rng: Random, heldout: bool = False) -> list[Message]:
    asked, story, _, _ = order(rng, heldout)
    return list(turn(asked, story.text))
