"""Stories that simulate their own day: the surface that the rest of the world calls."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fledge.world.stories import lexicon
from fledge.world.stories.cast import Stage, UsedUp
from fledge.world.stories.episodes import EPISODES
from fledge.world.stories.lexicon import ENDINGS, NAMES, VERBS
from fledge.world.stories.orders import VERB_PLOTS, keepsake, last_episode, told
from fledge.world.stories.plots import PLOTS
from fledge.world.stories.rules import Event
from fledge.world.stories.tell import Teller
from fledge.world.stories.wordings import wordings

__all__ = ["ENDINGS", "NAMES", "Story", "order_words", "write_story"]
MIN_WORDS, MAX_WORDS = 80, 300
ORDER_NOUNS: tuple[str, ...] = tuple(
    n
    for n in (*lexicon.TOYS, *lexicon.WEAR, *lexicon.TREASURES, *lexicon.FOODS, *lexicon.REACHERS, *lexicon.MENDERS,
              *lexicon.NETS, *lexicon.ANIMALS, *lexicon.GROWN_UPS, *lexicon.PLACES)
    if " " not in n
)  # fmt: skip
ORDER_ADJECTIVES: tuple[str, ...] = tuple(
    a for a in dict.fromkeys((*lexicon.LOOKS, *lexicon.SIZES, *lexicon.COLOURS, *lexicon.TRAITS))
)


@dataclass(frozen=True)
class Story:
    """One story. ``spans`` are the sentences of the text (start, end) with the events that each tells."""

    text: str
    title: str
    events: tuple[Event, ...]
    words: tuple[str, ...]
    ending: str
    spans: tuple[tuple[int, int, tuple[Event, ...]], ...] = ()


def order_words(rng: random.Random) -> tuple[str, ...]:
    """One to three words to order a story with: a noun, perhaps a verb and an adjective."""
    words = [rng.choice(ORDER_NOUNS)]
    if rng.random() < 0.7:
        words.append(rng.choice(tuple(VERBS)))
    if rng.random() < 0.5:
        words.append(rng.choice(ORDER_ADJECTIVES))
    return tuple(dict.fromkeys(words))


def has_word(text: str, word: str) -> bool:
    """Whether the story says an ordered word, a verb in its base or past form."""
    said = f" {' '.join(''.join(c if c.isalpha() or c in '-' else ' ' for c in text.lower()).split())} "
    return f" {word} " in said or (word in VERBS and f" {VERBS[word]} " in said)


def write_story(rng: random.Random, *, words: tuple[str, ...] = (), ending: str | None = None) -> Story:
    """A story of 80 to 300 words, pure in ``rng`` and the arguments. Ordered words take part in its events."""
    wished = ending
    for attempt in range(3000):
        ending = wished or ("happy", "happy", "happy", "sad", "funny", "wise")[int(rng.random() * 6)]
        try:
            story = _attempt(rng, words, ending, attempt)
        except UsedUp:
            continue
        if story is not None:
            return story
    raise AssertionError(f"no story with {words} and the ending {wished}")


def _attempt(rng: random.Random, words: tuple[str, ...], ending: str, attempt: int) -> Story | None:
    stage = Stage(rng, words)
    verbs = tuple(w for w in words if w in VERBS)
    names = [name for name, (_, endings) in PLOTS.items() if ending in endings]
    if verbs and attempt < 300 and not attempt % 2:
        names = [name for name in names if name in VERB_PLOTS.get(verbs[0], names)] or names
    name = names[int(rng.random() * len(names))]
    plot = PLOTS[name][0]
    hero = stage.hero()
    place = stage.new_place()
    stage.do("hero", hero, P=place)
    weather = lexicon.WEATHERS[int(rng.random() * len(lexicon.WEATHERS))]
    stage.do("weather", P=weather)
    if verbs and attempt % 2 and verbs[0] in EPISODES:
        EPISODES[verbs[0]](stage, hero, verbs[0])
    if words and attempt % 4 == 3:
        keepsake(stage, hero, words[0])
    central = plot(stage, hero, ending)
    for verb in verbs:
        if not told(stage, (verb,)):
            last_episode(stage, hero, verb)
    if not told(stage, verbs) or any(w not in stage.used for w in words if w not in VERBS):
        return None
    stage.do(f"end_{ending}", hero)
    forms = tuple(form for verb in verbs for form in (VERBS[verb], verb))
    n_events = len(stage.events)
    if n_events > 27:
        return None
    # an event takes about 11 words and so does a detail beside it; a story that came out too long is told with fewer
    detail = min(0.95, max(0.1, (262 - 11 * n_events) / 11 / n_events))
    for share in (1.0, 0.4, 0.0):
        teller = Teller(rng, stage.cast, wordings(), forms, weather, name)
        text, spans = tell(teller, stage.events, weather, rng, detail * share)
        n_words = text.count(" ") + text.count("\n") + 1
        if n_words <= MAX_WORDS and all(has_word(text, word) for word in words):
            break
    if not MIN_WORDS <= n_words <= MAX_WORDS or not all(has_word(text, word) for word in words):
        return None
    adjectives = stage.cast.things.get(central, ())
    title = f"{hero} and the {' '.join((*adjectives[:1], central))}"
    return Story(text, title, tuple(stage.events), words, ending, tuple(spans))


def tell(
    teller: Teller, events: list[Event], weather: str, rng: random.Random, detail: float
) -> tuple[str, list[tuple[int, int, tuple[Event, ...]]]]:
    """The text of the events with details in between (``detail``: how often), and the span of each sentence."""
    random = rng.random
    pieces: list[str] = []
    spans: list[tuple[int, int, tuple[Event, ...]]] = []
    length = since_weather = 0
    i, last = 0, len(events) - 1
    hero = events[0].A
    tables = teller.tables
    while i <= last:
        event = events[i]
        happened: tuple[Event, ...] = (event,)
        new_paragraph = bool(pieces) and (
            event.kind in ("go", "carry", "meet_at", "go_both", "lead") and random() < 0.6
        )
        if new_paragraph:
            teller.new_paragraph()
        if event.kind in tables.talk and (event.kind not in tables.acts or random() < 0.6):
            text = teller.say(event)
        elif event.kind in tables.full or event.kind in ("weather", "end_wise"):
            text = teller.whole(event)
        else:
            text, joined = teller.narrate(event, events[i + 1] if i < last else None)
            if joined:
                i += 1
                happened = (event, events[i])
        pieces.append("\n" if new_paragraph else " ") if pieces else None
        length += bool(spans)
        pieces.append(text)
        spans.append((length, length + len(text), happened))
        length += len(text)
        i += 1
        since_weather = 0 if event.kind == "weather" else since_weather + 1
        if (
            i <= last
            and happened[-1].kind not in ("sleep", "fall")
            and events[i].kind != "end_funny"
            and random() < detail
        ):
            place = teller.world.get(hero, "at")
            draw = random()
            if draw < 0.45:
                extra = Event("muse", hero)
                text = teller.narrate(extra, None)[0]
            elif draw < 0.8 or since_weather < 4:
                extra = Event("scene", P=place)
                text = teller.whole(extra)
            else:
                extra = Event("weather", P=weather)
                since_weather = 0
                text = teller.whole(extra)
            pieces.extend((" ", text))
            spans.append((length + 1, length + 1 + len(text), (extra,)))
            length += 1 + len(text)
    return "".join(pieces), spans
