"""Spoils a story so that it no longer holds together: the counterexamples that test the checker."""

from __future__ import annotations

import random
import re

from fledge.world.stories import lexicon
from fledge.world.stories.rules import Event, World
from fledge.world.stories.story import Story

Span = tuple[int, int, tuple[Event, ...]]
_ARTICLE = re.compile(r"\b([Aa])n? (?=([aeiou])?)")
_IDLE = frozenset(("muse", "weather", "scene"))


def holds_together(events: list[Event]) -> bool:
    """Whether the events can happen in this order."""
    world = World()
    reasons = [world.apply(event) for event in events]
    return (
        not any(reasons) and bool(events) and events[0].kind == "hero" and not any(e.kind == "hero" for e in events[1:])
    )


def _text(story: Story, spans: list[Span], sentences: list[str]) -> str:
    gaps = [story.text[a[1] : b[0]] for a, b in zip(story.spans, story.spans[1:], strict=False)]
    return sentences[0] + "".join(gap + sentence for gap, sentence in zip(gaps, sentences[1:], strict=True))


def exchanged(story: Story, rng: random.Random) -> tuple[str, list[Event]]:
    """Two sentences that tell events change places."""
    spans = list(story.spans)
    telling = [i for i, span in enumerate(spans) if span[2][0].kind not in _IDLE]
    i, j = sorted(rng.sample(telling, 2))
    spans[i], spans[j] = spans[j], spans[i]
    sentences = [story.text[a:b] for a, b, _ in spans]
    return _text(story, spans, sentences), [event for _, _, told in spans for event in told]


def replaced(story: Story, rng: random.Random) -> tuple[str, list[Event]]:
    """In one sentence a person, a thing or a place becomes another one of the story."""
    spans = list(story.spans)
    i = rng.randrange(len(spans))
    start, end, told = spans[i]
    sentence = story.text[start:end]
    field = rng.choice(("A", "B", "X", "Y", "P"))
    old = getattr(told[0], field)
    group = _group(old)
    fields = ("A", "B") if field in "AB" else ("X", "Y", "Z") if field in "XY" else ("P",)
    others = sorted({getattr(e, f) for e in story.events for f in fields} - {old, ""})
    others = [other for other in others if _group(other) == group]
    if not old or not others or told[0].kind in _IDLE or not re.search(rf"\b{re.escape(old)}\b", sentence):
        return story.text, list(story.events)
    new = rng.choice(others)
    sentence = re.sub(rf"\b{re.escape(old)}\b", new, sentence)
    sentence = _ARTICLE.sub(lambda m: m[1] + ("n " if m[2] else " "), sentence)
    events = tuple(event._replace(**{f: new for f in fields if getattr(event, f) == old}) for event in told)
    spans[i] = (start, end, events)
    sentences = [sentence if k == i else story.text[a:b] for k, (a, b, _) in enumerate(spans)]
    return _text(story, spans, sentences), [event for _, _, told in spans for event in told]


def _group(noun: str) -> str:
    if noun in lexicon.NAMES:
        return "name"
    if noun in lexicon.PLACES:  # the preposition stays as it is in the text
        return " ".join(lexicon.PLACES[noun][:2])
    return "kind" if noun in lexicon.KINDS else "role" if noun in lexicon.FAMILY else "thing"


def swap_event(story: Story, rng: random.Random) -> str:
    """The text of the story with two sentences exchanged or somebody or something replaced, so that the order of
    events, as the simulation itself replays them, has become impossible."""
    for _ in range(80):
        text, events = (exchanged if rng.random() < 0.5 else replaced)(story, rng)
        if text != story.text and not holds_together(events):
            return text
    spans = list(story.spans)
    spans[0], spans[-1] = spans[-1], spans[0]
    return _text(story, spans, [story.text[a:b] for a, b, _ in spans])
