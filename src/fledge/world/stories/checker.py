"""Reads a story back into events and replays them: does it hold together?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.world.stories.reading import Reader
from fledge.world.stories.rules import Event, World
from fledge.world.stories.story import has_word
from fledge.world.stories.tagging import split_sentences
from fledge.world.stories.wordings import wordings

Verdict = Literal["consistent", "inconsistent", "unverified"]
LEAST_RECOGNIZED = 0.95
MAX_CHARS = 8000


@dataclass(frozen=True)
class StoryCheck:
    """``recognized`` is the share of sentences that were read; ``reasons`` say what contradicts what."""

    verdict: Verdict
    reasons: tuple[str, ...]
    recognized: float
    n_sentences: int


def read_story(text: str) -> tuple[list[Event], list[str], int, int]:
    """Events, contradictions, number of sentences recognised and number of sentences.

    A sentence that cannot be read may have changed anything about those it names: what is later said of them
    is not held against the story.
    """
    world = World()
    reader = Reader(wordings(), world)
    sentences = split_sentences(text[:MAX_CHARS])
    events: list[Event] = []
    reasons: list[str] = []
    clouded: set[str] = set()
    n_recognized = 0
    for number, sentence in enumerate(sentences, 1):
        reading = reader.read(sentence)
        n_recognized += reading.recognized
        if not reading.recognized:
            clouded |= reading.mentioned | {reader.focus.subject, reader.focus.other}
            continue
        events += reading.events
        if not (clouded & reading.mentioned):
            reasons += [f"sentence {number}: {fault}" for fault in reading.faults]
    return events, reasons, n_recognized, len(sentences)


def check(text: str) -> StoryCheck:
    """Never raises; time is bounded by ``MAX_CHARS``."""
    _, reasons, n_recognized, n_sentences = read_story(text)
    recognized = n_recognized / n_sentences if n_sentences else 0.0
    verdict: Verdict = "inconsistent" if reasons else "consistent"
    if not reasons and (recognized < LEAST_RECOGNIZED or len(text) > MAX_CHARS):
        verdict = "unverified"
    return StoryCheck(verdict, tuple(reasons), recognized, n_sentences)


def has_ending(text: str) -> str | None:
    """The kind of ending that the text tells, read from its last sentences."""
    events, _, _, _ = read_story(text)
    for event in reversed(events):
        if event.kind.startswith("end_"):
            return event.kind.removeprefix("end_")
    return None


def follows_order(text: str, words: tuple[str, ...], ending: str | None) -> bool:
    """Whether the text says every ordered word and ends as ordered."""
    return all(has_word(text, word) for word in words) and (ending is None or has_ending(text) == ending)
