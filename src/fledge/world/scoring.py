"""How answers to the world's tasks are scored: 1 or 0, and why."""

from __future__ import annotations

import re
from collections.abc import Callable

from fledge.types import Example, Score
from fledge.world.conversations.smalltalk import NAME, greets
from fledge.world.facts.attributes import VALUES
from fledge.world.grammar import whole_word
from fledge.world.stories.checker import check

Scorer = Callable[[Example, str], Score]
_NUMBER = re.compile(r"\d+")
_SPELLED = re.compile(r"(?<![\w-])\w(?:-\w)+(?![\w-])")
_LISTED = re.compile(r"\w+(?:, \w+)+")


def _last(pattern: re.Pattern[str], example: Example, answer: str) -> Score:
    found = pattern.findall(answer)
    if not found:
        return Score(0.0, "no answer")
    return Score(1.0, "right") if found[-1] == example.meta["value"] else Score(0.0, "wrong")


def score_number(example: Example, answer: str) -> Score:
    """The last number is the one meant."""
    return _last(_NUMBER, example, answer)


def score_spelling(example: Example, answer: str) -> Score:
    """The last run of letters with hyphens is the one meant; a number where letters were to be counted."""
    return _last(_NUMBER if example.meta["value"].isdigit() else _SPELLED, example, answer)


def score_order(example: Example, answer: str) -> Score:
    """The last list with commas is the one meant."""
    return _last(_LISTED, example, answer)


def fact_scorer(names: tuple[str, ...]) -> Scorer:
    """The value stands in the answer as whole words, and no other value of the attribute and no other person does.

    ``names`` are all people, also the values of attributes that hold people; those that the prompt or the gold names
    do not count.
    """

    def score(example: Example, answer: str) -> Score:
        value, attribute = example.meta["value"], example.meta["attribute"]
        assert not isinstance(example.prompt, str)
        allowed = example.prompt.messages[-1].content + " " + example.gold
        others = [other for other in (*VALUES[attribute], *names) if other != value and other not in allowed]
        if not whole_word(value, answer):
            return Score(0.0, "value missing")
        if any(whole_word(other, answer) for other in others):
            return Score(0.0, "another value or person too")
        return Score(1.0, "right")

    return score


def score_identity(example: Example, answer: str) -> Score:
    return Score(1.0, "right") if whole_word(NAME, answer) else Score(0.0, "name missing")


def score_greeting(example: Example, answer: str) -> Score:
    return Score(1.0, "right") if greets(answer) else Score(0.0, "does not greet")


def score_unknown(example: Example, answer: str) -> Score:
    says_so = re.search(r"\bdo(?: not|n't) know\b", answer, re.IGNORECASE) is not None
    return Score(1.0, "right") if says_so else Score(0.0, "makes something up")


def score_story(example: Example, answer: str) -> Score:
    """1 where the checker finds the story consistent; the reason is the verdict, so that shares can be counted."""
    verdict = check(answer).verdict
    return Score(1.0 if verdict == "consistent" else 0.0, verdict)


def score_story_words(example: Example, answer: str) -> Score:
    missing = [word for word in example.meta["words"] if not whole_word(word, answer)]
    return Score(0.0, "a word is missing") if missing else Score(1.0, "right")


def score_not_found(example: Example, answer: str) -> Score:
    """1 where the answer says that and nothing else, of whom was asked about."""
    says_so = answer.strip() in example.meta["right"]
    return Score(1.0, "right") if says_so else Score(0.0, "makes something up")
