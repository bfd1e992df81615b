"""The small rules of English that the town's texts need."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def words(text: str) -> tuple[str, ...]:
    """The words of a table that is written as running text."""
    return tuple(text.split())


def article(noun: str) -> str:
    """``a cake``, ``an oak chair``: right for every noun of this world, which has no silent h and no ``uni``."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def number_word(n: int) -> str:
    """``three`` up to twelve, digits beyond."""
    return NUMBERS[n] if 0 <= n < len(NUMBERS) else str(n)


def listing(items: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def whole_word(phrase: str, text: str) -> bool:
    """Whether ``phrase`` stands in ``text`` as whole words, in any case of letters."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None
