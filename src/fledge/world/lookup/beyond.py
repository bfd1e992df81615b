"""Sums beyond the assistant's own skill: numbers of more digits than it learned to add, products and quotients."""

from __future__ import annotations

from random import Random

from fledge.world.config import WorldConfig
from fledge.world.skills.exercise import Exercise, pick
from fledge.world.skills.sums import ASK, N_TRAINED, is_heldout

MORE_DIGITS = 3
"""By so many the numbers of a sum may be longer than those added with steps."""
WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
ASK_IN_WORDS = (
    "What is {a} {word} {b}?",
    "How much is {a} {word} {b}?",
    "Please tell me what {a} {word} {b} is.",
    "I have to know {a} {word} {b}.",
    "Can you work out {a} {word} {b}?",
    "{a} {word} {b}, please.",
    "Which number is {a} {word} {b}?",
    "What do I get for {a} {word} {b}?",
)


def beyond(rng: Random, config: WorldConfig, heldout: bool, new_wording: bool = False) -> Exercise:
    """A sum, difference, product or even quotient; pairs of numbers that are kept for tests where ``heldout``."""
    while True:
        sign = rng.choice("+-**/")
        a, b = _operands(rng, config, sign)
        # a quotient goes with the product that it undoes
        if is_heldout(*((a // b, b) if sign == "/" else (a, b))) == heldout:
            break
    gold = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]
    wordings = ASK if rng.random() < 0.5 else ASK_IN_WORDS
    question = pick(rng, wordings, N_TRAINED, new_wording).format(a=a, b=b, sign=sign, word=WORDS[sign])
    answer = f"{a} {sign} {b} = {gold}."
    n_choices = 9 * 10 ** (len(str(gold)) - 1)
    return Exercise("beyond", question, answer, str(gold), n_choices, (a, sign, b))


def _operands(rng: Random, config: WorldConfig, sign: str) -> tuple[int, int]:
    """The first is not the smaller one of a difference, and a multiple of the second in a quotient."""
    if sign in "+-":
        most = max(config.sum_digits, config.step_digits)
        digits = most + rng.randint(1, MORE_DIGITS)
        a, b = _number(rng, digits), _number(rng, rng.randint(most, digits))
        return (max(a, b), min(a, b)) if sign == "-" or rng.random() < 0.5 else (b, a)
    a, b = _number(rng, rng.randint(2, 4)), _number(rng, rng.randint(2, 3))
    return (a * b, b) if sign == "/" else (a, b)


def _number(rng: Random, digits: int) -> int:
    return rng.randint(10 ** (digits - 1) + 1, 10**digits - 1)
