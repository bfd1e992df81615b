"""Addition and subtraction, told at once or with worked steps from the last digit to the first.

A tenth of all pairs of numbers of two or more digits is kept for tests: neither their sum nor their difference
stands anywhere in training. Worked steps write the last digit first, since a carry only depends on what stands
to its right; each step then is a sum of single digits (compare arXiv 2307.03381).
"""

from __future__ import annotations

from random import Random

from fledge.world.grammar import plural
from fledge.world.randomness import share_of
from fledge.world.skills.exercise import Exercise, pick, solve

HELDOUT_SHARE = 0.1
N_TRAINED = 6
ASK = (
    "What is {a} {sign} {b}?",
    "{a} {sign} {b} = ?",
    "How much is {a} {sign} {b}?",
    "Can you tell me what {a} {sign} {b} is?",
    "Please work out {a} {sign} {b}.",
    "{a} {sign} {b}",
    "I need the result of {a} {sign} {b}.",
    "Do you know the answer to {a} {sign} {b}?",
)
ASK_STEPS = (
    "Work out {a} {sign} {b} step by step.",
    "What is {a} {sign} {b}? Show the steps.",
    "How do I work out {a} {sign} {b}?",
    "Please show me how to do {a} {sign} {b}.",
    "{a} {sign} {b}, with steps, please.",
    "Explain {a} {sign} {b} to me.",
    "Show your work: {a} {sign} {b}.",
    "What are the steps of {a} {sign} {b}?",
)
MORE = (
    "A shopkeeper has {a} {things} and gets {b} more. Now there are {c} {things}.",
    "There were {a} {things} on the table, and somebody brought {b} more. Now there are {c} {things}.",
    "There are {a} {things} in the shop. Then {b} more arrive. Now the shop has {c} {things}.",
    "A child found {a} {things} yesterday and {b} {things} today. That makes {c} {things}.",
)
LESS = (
    "A shopkeeper has {a} {things} and sells {b}. Now there are {c} {things} left.",
    "There were {a} {things} on the table, and somebody took {b}. Now there are {c} {things} left.",
    "There are {a} {things} in the shop. People buy {b}. Now the shop has {c} {things} left.",
    "A child had {a} {things} and lost {b}. That leaves {c} {things}.",
)
COUNTED = ("apple", "egg", "nut", "pear", "plum", "shell", "coin", "card", "button", "stone", "pencil", "flower")


def is_heldout(a: int, b: int) -> bool:
    """Whether the pair, in either order and with either sign, is kept for tests."""
    return min(a, b) >= 10 and share_of("sum", min(a, b), max(a, b)) < HELDOUT_SHARE


def operands(rng: Random, digits: int, heldout: bool, *, mixed: bool = False) -> tuple[int, str, int]:
    """``(a, sign, b)`` with ``digits`` digits each (``mixed``: one may be shorter); the result is never negative."""
    low, high = (10 ** (digits - 1) if digits > 1 else 0), 10**digits - 1
    while True:
        a = rng.randint(low, high)
        b = rng.randint(0 if mixed else low, high)
        sign = rng.choice("+-")
        if sign == "+" and rng.random() < 0.5:
            a, b = b, a
        if sign == "-" and a < b:
            a, b = b, a
        if is_heldout(a, b) == heldout:
            return a, sign, b


def steps(a: int, sign: str, b: int) -> str:
    """The worked steps, last digit first: ``7 + 5 = 12, write 2, carry 1. …``"""
    n = len(str(max(a, b)))
    carry, written, lines = 0, "", []
    for i in range(n):
        x, y = a // 10**i % 10, b // 10**i % 10
        also = f" {sign} 1" if carry else ""
        if sign == "+":
            total = x + y + carry
            carry = total // 10
            tail = ", carry 1" if carry else ""
            lines.append(f"{x} + {y}{also} = {total}, write {total % 10}{tail}.")
            written = str(total % 10) + written
        else:
            total = x - y - carry
            carry = int(total < 0)
            borrowed = f"borrow 1, {x + 10}" if carry else str(x)
            total += 10 * carry
            lines.append(f"{borrowed} - {y}{also} = {total}, write {total}.")
            written = str(total) + written
    if carry:
        lines.append("Write 1.")
        written = "1" + written
    assert int(written) == (a + b if sign == "+" else a - b)
    return " ".join(line[0].upper() + line[1:] for line in lines)


def n_results(sign: str, digits: int) -> int:
    """How many results numbers of ``digits`` digits can have."""
    low, high = (10 ** (digits - 1) if digits > 1 else 0), 10**digits - 1
    return 2 * (high - low) + 1 if sign == "+" else high - low + 1


def sum_exercise(
    rng: Random,
    digits: int,
    *,
    worked: bool,
    heldout: bool = False,
    asks_steps: bool = False,
    new_wording: bool = False,
) -> Exercise:
    """A sum of numbers of ``digits`` digits. Training mixes in shorter numbers; tests have exactly ``digits``."""
    a, sign, b = operands(rng, digits, heldout, mixed=not heldout and rng.random() < 0.2)
    gold = solve("sum", (a, sign, b))
    fact = f"{a} {sign} {b} = {gold}"
    answer = f"{steps(a, sign, b)} So {fact}." if worked else f"{fact}."
    question = pick(rng, ASK_STEPS if asks_steps else ASK, N_TRAINED, new_wording).format(a=a, b=b, sign=sign)
    line = f"{a} {sign} {b}. {answer}" if worked else fact
    return Exercise("sum", question, answer, gold, n_results(sign, digits), (a, sign, b), line=line)


def sum_in_words(rng: Random, digits: int) -> str:
    """A sum as something that happens to things."""
    while True:
        a, sign, b = operands(rng, digits, False, mixed=True)
        c = a + b if sign == "+" else a - b
        if min(a, b, c) >= 2:
            break
    return rng.choice(MORE if sign == "+" else LESS).format(a=a, b=b, c=c, things=plural(rng.choice(COUNTED)))
