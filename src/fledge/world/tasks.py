"""The world's tasks: questions with known answers, for evaluation, rejection sampling and reinforcement learning.

Split ``heldout`` asks what tuning never asked: other people, operands, words, lists, compositions, wordings or
depths. Split ``train`` asks the same kind of question within what tuning may ask. A task has at most
:data:`fledge.world.task.MAX_EXAMPLES` examples a split, in an order without a pattern, so that the first n are a fair
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

from fledge.types import Conversation, Example, Message, Split
from fledge.world import scoring
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import question, reply, unknown_turns
from fledge.world.conversations.orders import order
from fledge.world.conversations.smalltalk import greeting, identity
from fledge.world.facts.attributes import TESTED, VALUES
from fledge.world.facts.questions import ANSWERS
from fledge.world.facts.telling import sentence
from fledge.world.facts.universe import Fact, Group, Universe
from fledge.world.lookup.tasks import lookup_tasks
from fledge.world.randomness import stream
from fledge.world.skills.exercise import Exercise
from fledge.world.skills.hops import hop_exercise, paths
from fledge.world.skills.letters import letters_exercise
from fledge.world.skills.lists import COUNT_KINDS, SORT_KINDS, list_exercise
from fledge.world.skills.sums import sum_exercise
from fledge.world.task import MAX_EXAMPLES, Maker, WorldTask, exercise_examples, prompt

N_STORIES = 100
"""Examples of the tasks on stories, which take longer to write and to check."""
MakeExercise = Callable[[Random, bool], Exercise]
MakeTurns = Callable[[Random, bool], Sequence[Message]]
STORY_TOKENS = 448
"""Room for the longest story in a small vocabulary; one cut off cannot be read to its end."""


def _facts(universe: Universe, config: WorldConfig, group: Group, new_wording: bool, split: Split) -> Iterator[Example]:
    rng = stream("facts", config.seed, group, new_wording, split)
    people = universe.group("asked" if split == "train" else group)
    facts = [universe.of[person.key][attribute] for person in people for attribute in TESTED]
    rng.shuffle(facts)
    for fact in facts:
        asked = question(rng, fact.attribute, fact.subject.name, new_wording and split == "heldout")
        other = rng.choice([value for value in VALUES[fact.attribute] if value != fact.value])
        wrong = sentence(ANSWERS[fact.attribute], Fact(fact.subject, fact.attribute, other, 1), universe, "name")
        meta = {"value": fact.value, "attribute": fact.attribute, "fact": fact.key, "n_choices": fact.n_choices}
        yield Example("", prompt(asked), reply(universe, fact), meta={**meta, "wrong": wrong})


def _hops(universe: Universe, config: WorldConfig, hops: int, new_wording: bool, split: Split) -> Iterator[Example]:
    """One hop: relations of people never asked about. More: links in an order that was never asked for, or deeper."""
    rng = stream("hops", config.seed, hops, new_wording, split)
    train = split == "train"
    deeper = hops > config.hops
    chosen = paths(hops, heldout=None if hops == 1 or deeper else not train)
    starts = universe.group("asked" if train else "unasked") if train or hops == 1 else universe.people
    pairs = [(start, path) for start in starts for path in chosen]
    rng.shuffle(pairs)
    for start, path in pairs:
        exercise = hop_exercise(universe, start, path, rng, new_wording and not train)
        if exercise is None:
            continue
        if train and any(universe.facts[key].subject.group != "asked" for key in exercise.told):
            continue
        values = VALUES[path[-1]] or tuple(person.name for person in universe.people)
        known = exercise.question + " " + exercise.answer
        other = rng.choice([value for value in values if value not in known])
        meta = {"value": exercise.gold, "attribute": path[-1], "n_choices": exercise.n_choices, "path": list(path)}
        wrong = exercise.answer.replace(exercise.gold, other)
        yield Example("", prompt(exercise.question), exercise.answer, meta={**meta, "wrong": wrong})


def _small_talk(
    make: Callable[[Random, bool], Sequence[Message]], config: WorldConfig, name: str, split: Split
) -> Iterator[Example]:
    rng, seen = stream("talk", config.seed, name, split), set()
    for _ in range(20 * MAX_EXAMPLES):
        user, assistant = make(rng, split == "heldout")
        if user.content not in seen:
            seen.add(user.content)
            wrong = "The sun is over the river."
            yield Example("", Conversation((user,)), assistant.content, meta={"value": "", "wrong": wrong})


def _unknown(universe: Universe, rng: Random, heldout: bool) -> Sequence[Message]:
    return unknown_turns(rng, universe.group("nowhere_heldout" if heldout else "nowhere"))


def _stories(config: WorldConfig, split: Split, *, with_words: bool) -> Iterator[Example]:
    rng = stream("stories", config.seed, split, with_words)
    while True:
        asked, story, words, ending = order(rng, split == "heldout")
        if with_words and not words:
            continue
        wrong = "It is late."
        meta = {"value": "", "words": list(words), "ending": ending or "", "wrong": wrong}
        yield Example("", prompt(asked), story.text, meta=meta)


def build_tasks(config: WorldConfig, universe: Universe) -> list[WorldTask]:
    """All tasks of the world, in the order in which a report shows them."""
    tasks: list[WorldTask] = []

    def replies(name: str, make: Maker, scorer: scoring.Scorer, tokens: int = 64, n: int = MAX_EXAMPLES) -> None:
        tasks.append(WorldTask(name, make, scorer, tokens, closed=False, max_examples=n))

    def exercises(name: str, make: MakeExercise, scorer: scoring.Scorer, tokens: int) -> None:
        tasks.append(WorldTask(name, partial(exercise_examples, make, config, name), scorer, tokens))

    replies("greetings", partial(_small_talk, greeting, config, "greetings"), scoring.score_greeting)
    replies("identity", partial(_small_talk, identity, config, "identity"), scoring.score_identity)
    score_fact = scoring.fact_scorer(tuple(person.name for person in universe.people))
    groups: tuple[tuple[str, Group, bool], ...] = (
        ("facts_unasked", "unasked", False),
        ("facts_unasked_new_wording", "unasked", True),
        ("facts_asked", "asked", False),
    )
    for name, group, new_wording in groups:
        make_facts = partial(_facts, universe, config, group, new_wording)
        tasks.append(WorldTask(name, make_facts, score_fact, seen=group == "asked"))
    for hops in (1, 2, 3):
        tasks.append(WorldTask(f"multi_hop_{hops}", partial(_hops, universe, config, hops, False), score_fact, 96))
    make_hops = partial(_hops, universe, config, 2, True)
    tasks.append(WorldTask("multi_hop_2_new_wording", make_hops, score_fact, 96))

    most = max(config.sum_digits, config.step_digits)
    for digits in sorted({config.sum_digits, config.step_digits, most + 1}):
        worked = digits > config.sum_digits
        make = partial(_sum, digits, worked, asks_steps=False)
        exercises(f"sums_{digits}", make, scoring.score_number, 256 if worked else 32)
    make = partial(_sum, config.sum_digits, False, asks_steps=False, new_wording=True)
    exercises(f"sums_{config.sum_digits}_new_wording", make, scoring.score_number, 32)
    make = partial(_sum, config.step_digits, True, asks_steps=True)
    exercises("sums_steps", make, scoring.score_number, 256)
    tasks += lookup_tasks(config, universe)
    exercises("spelling", _letters, scoring.score_spelling, 96)
    n = config.list_items
    exercises("counting", partial(_list, COUNT_KINDS, 2, n), scoring.score_number, 96)
    exercises(f"counting_{n + 1}", partial(_list, COUNT_KINDS, n + 1, n + 1), scoring.score_number, 96)
    exercises("sorting", partial(_list, SORT_KINDS, 3, n), scoring.score_order, 96)
    make = partial(_list, SORT_KINDS, 3, n, new_wording=True)
    exercises("sorting_new_wording", make, scoring.score_order, 96)
    exercises(f"sorting_{n + 1}", partial(_list, SORT_KINDS, n + 1, n + 1), scoring.score_order, 96)
    unknown = partial(_small_talk, partial(_unknown, universe), config, "unknown")
    replies("unknown_people", unknown, scoring.score_unknown)
    for name, score_text in (("stories", scoring.score_story), ("story_words", scoring.score_story_words)):
        to_order = partial(_stories, config, with_words=name == "story_words")
        replies(name, to_order, score_text, STORY_TOKENS, N_STORIES)
    return tasks


def _sum(
    digits: int, worked: bool, rng: Random, heldout: bool, *, asks_steps: bool, new_wording: bool = False
) -> Exercise:
    new = new_wording and heldout
    heldout = heldout and digits > 1
    return sum_exercise(rng, digits, worked=worked, heldout=heldout, asks_steps=asks_steps, new_wording=new)


def _letters(rng: Random, heldout: bool) -> Exercise:
    return letters_exercise(rng, rng.choice(("spell", "backwards", "letters")), heldout=heldout)


def _list(
    kinds: tuple[str, ...], low: int, high: int, rng: Random, heldout: bool, *, new_wording: bool = False
) -> Exercise:
    new = new_wording and heldout
    return list_exercise(rng, rng.choice(kinds), rng.randint(low, high), heldout=heldout, new_wording=new)
