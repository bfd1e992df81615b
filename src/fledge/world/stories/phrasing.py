"""How sentences look: capitals, repetition, who comes into view in them, and wordings that misfire."""

from __future__ import annotations

import re

from fledge.world.stories.grammar import Slot, Wording, articles
from fledge.world.stories.words import WORDS

# leads that name somebody, and clauses with another subject than the sentence
COMPANY = re.compile(r"After a (?:short talk|nod)|When |While |Just as |In front of |As soon as ", re.IGNORECASE)
_ANOTHER = re.compile(r"(?:, (?:and|but|where|exactly)\b|\bwho\b).*")
PASSER_BY = re.compile(
    r"\b(?:Mr|Mrs|Miss|[Ss]omebody|[Ss]omeone|{})\b".format(
        "|".join(WORDS[name] for name in ("stranger0", "beast0", "bird0", "insect")).rstrip("|")
    )
)
POINTING = re.compile(r"\b(?:it|one|none)\b")
# the same thing named twice in one breath: "moss and moss", "a drum and an old drum"
TWICE = re.compile(r"\b(\w{4,}) (?:and|or|nor|with|about) (?:some |the |an? |a~ )?(?:\w+ )?\1s?\b")
# after one of these a second clause with "and" would go on with the wrong subject or inside the wrong clause
CLOSED = re.compile(r"[,]| (?:and|while|who|until|because|that|whose|which|when|although|before|if) ")
# a thing of the scenery that "it" could mean as well
THING_BESIDE = re.compile(
    r"\b(?:{})\b".format(
        "|".join(WORDS[name] for name in ("kitchenware", "linen", "oddment", "tool", "vehicle0", "small_boat", "ship"))
    )
)
AWKWARD = re.compile(
    r"took the [\w-]+ (?:path|road|way) into |searched on "
    r"|cut .*\b(?:bowl|jar|bottle|pot|bag|box) of |.*\b(?:bowl|jar|bottle|pot) of .* bites"
)
_COLLIDED = re.compile(r"(?:bumped|ran) into |came across ")


def awkward(text: str, kind: str, last: str) -> bool:
    """Whether a clause says what its kind allows but this case does not; ``last`` is the kind told before."""
    return AWKWARD.match(text) is not None or (kind == "meet" and last == "fall" and _COLLIDED.match(text) is not None)


def sentence(text: str) -> str:
    text = articles(text)
    if text[0] == '"':
        return '"' + text[1].upper() + text[2:]
    return text[0].upper() + text[1:]


def crowds(text: str) -> bool:
    """Whether somebody who passes by is the subject of a clause at the end."""
    clause = _ANOTHER.search(text)
    return clause is not None and PASSER_BY.search(clause[0]) is not None


def says(wording: Wording, form: str) -> bool:
    for part in wording:
        if isinstance(part, Slot):
            continue
        if isinstance(part, str):
            if form in part.replace(",", " ").split():
                return True
        elif len(part) < 12 and any(says(w, form) for w in part):
            return True
    return False
