"""Spelling: the letters of a word, backwards, how many there are. Held out by word."""

from __future__ import annotations

from random import Random

from fledge.world.skills.exercise import Exercise, pick, solve
from fledge.world.skills.words import HELDOUT_WORDS, TRAIN_WORDS

N_TRAINED = 4
ASK = {
    "spell": (
        "How do you spell {w}?",
        "Spell the word {w}.",
        "Please spell {w} for me.",
        "Which letters are in the word {w}?",
        "Give me the letters of {w}, one by one.",
        "I cannot spell {w}. Can you?",
    ),
    "backwards": (
        "Spell {w} backwards.",
        "How do you spell {w} backwards?",
        "What is {w} backwards?",
        "Write the word {w} backwards.",
        "Give me the letters of {w} from last to first.",
        "Turn the word {w} around.",
    ),
    "letters": (
        "How many letters are in {w}?",
        "How many letters does the word {w} have?",
        "Count the letters of {w}.",
        "How long is the word {w}?",
        "Tell me the number of letters in {w}.",
        "The word {w} has how many letters?",
    ),
}


def letters_exercise(rng: Random, kind: str, *, heldout: bool = False, new_wording: bool = False) -> Exercise:
    """``kind`` is ``spell``, ``backwards`` or ``letters``. The word is spelled before it is turned or counted."""
    word = rng.choice(HELDOUT_WORDS if heldout else TRAIN_WORDS)
    spelled, gold = "-".join(word), solve(kind, (word,))
    if kind == "spell":
        answer = f"The word {word} is spelled {gold}."
    elif kind == "backwards":
        answer = f"The word {word} is spelled {spelled}. Backwards it is {gold}."
    else:
        numbered = ", ".join(f"{letter} {i}" for i, letter in enumerate(word, 1))
        answer = f"{numbered}. The word {word} has {gold} letters."
    question = pick(rng, ASK[kind], N_TRAINED, new_wording).format(w=word)
    n_choices = 11 if kind == "letters" else 26 ** len(word)
    return Exercise(kind, question, answer, gold, n_choices, (word,), line=answer)
