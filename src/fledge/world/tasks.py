"""The world's tasks: questions with known answers, for evaluation, rejection sampling and reinforcement learning.

Split ``heldout`` asks what tuning never asked: other people, operands, words, lists, compositions, wordings or
depths. Split ``train`` asks the same kind of question within what tuning may ask. A task has at most
:data:`MAX_EXAMPLES` examples a split, in an order without a pattern, so that the first n are a fair sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from fledge.types import Answer, Conversation, Example, FledgeError, Message, Request, Score, Split
from fledge.world import scoring
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import question, reply, unknown_turns
from fledge.world.conversations.orders import order
from fledge.world.conversations.smalltalk import greeting, identity
from fledge.world.facts.attributes import TESTED, VALUES
from fledge.world.facts.questions import ANSWERS
from fledge.world.facts.telling import sentence
from fledge.world.facts.universe import Fact, Group, Universe
from fledge.world.randomness import stream
from fledge.world.skills.exercise import Exercise
from fledge.world.skills.hops import hop_exercise, paths
from fledge.world.skills.letters import letters_exercise
from fledge.world.skills.lists import COUNT_KINDS, SORT_KINDS, list_exercise
from fledge.world.skills.sums import sum_exercise

MAX_EXAMPLES = 400
N_STORIES = 100
"""Examples of the tasks on stories, which take longer to write and to check."""
Maker = Callable[[Split], Iterator[Example]]
MakeExercise = Callable[[Random, bool], Exercise]
MakeTurns = Callable[[Random, bool], Sequence[Message]]
MAX_REPEATS = 1000
"""Prompts met before, in a row, after which a task is taken to have no further ones."""
STORY_TOKENS = 448
"""Room for the longest story in a small vocabulary; one cut off cannot be read to its end."""
SPLITS: tuple[Split, ...] = ("heldout", "train")


@dataclass
class WorldTask:
    """A task that generates one reply to each question; see :class:`fledge.types.Task`."""

    name: str
    make: Maker = field(repr=False)
    scorer: scoring.Scorer = field(repr=False)
    max_tokens: int = 64
    closed: bool = True
    max_examples: int = MAX_EXAMPLES
    seen: bool = False
    """Whether tuning may have put the same questions; of the others it never saw one."""
    chance: float = field(init=False, default=0.0)
    """Mean score of a guess drawn evenly from the answers of the same shape; 0 where they have no end (not closed)."""

    def __post_init__(self) -> None:
        odds = [1 / example.meta["n_choices"] for example in self.examples("heldout")] if self.closed else []
        self.chance = sum(odds) / len(odds) if odds else 0.0

    def examples(self, split: Split) -> Iterator[Example]:
        """At most ``max_examples``, no prompt twice."""
        prompts: set[str] = set()
        repeats = 0
        for example in self.make(split):
            assert not isinstance(example.prompt, str)
            asked = example.prompt.messages[-1].content
            repeats = repeats + 1 if asked in prompts else 0
            if len(prompts) == self.max_examples or repeats == MAX_REPEATS:
                return
            if not repeats:
                name = f"{self.name}-{split}-{len(prompts):04d}"
                prompts.add(asked)
                yield Example(name, example.prompt, example.gold, meta=example.meta)

    def requests(self, example: Example) -> Sequence[Request]:
        return [Request("generate", example.prompt, max_tokens=self.max_tokens)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        return self.scorer(example, answers[0].text) if answers else Score(None, "no answer was given")

    def validate(self) -> None:
        """Every gold answer scores 1 and every known wrong answer 0; raises FledgeError at the first that does not."""
        for split in SPLITS:
            for example in self.examples(split):
                for text, value in ((example.gold, 1.0), (example.meta["wrong"], 0.0)):
                    score = self.score(example, [Answer(text)])
                    if score.value != value:
                        what = f"answer {text[:80]!r} scores {score.value} ({score.reason}), not {value}"
                        raise FledgeError(what, where=example.id, fix="this is a fault of the task: report it")


def _prompt(text: str) -> Conversation:
    return Conversation((Message("user", text),))


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
        yield Example("", _prompt(asked), reply(universe, fact), meta={**meta, "wrong": wrong})


def _exercises(
    make: Callable[[Random, bool], Exercise], config: WorldConfig, name: str, split: Split
) -> Iterator[Example]:
    rng = stream("exercises", config.seed, name, split)
    while True:
        exercise = make(rng, split == "heldout")
        wrong = "I do not know."
        if exercise.gold.isdigit():
            wrong = f"The answer is {int(exercise.gold) + 1}."
        elif "-" in exercise.gold:
            wrong = f"It is {exercise.gold}-x."
        elif ", " in exercise.gold:
            wrong = f"In order: {', '.join(reversed(exercise.gold.split(', ')))}."
        meta = {"value": exercise.gold, "n_choices": exercise.n_choices, "kind": exercise.kind, "wrong": wrong}
        yield Example("", _prompt(exercise.question), exercise.answer, meta={**meta, "data": list(exercise.data)})


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
        yield Example("", _prompt(exercise.question), exercise.answer, meta={**meta, "wrong": wrong})


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
        yield Example("", _prompt(asked), story.text, meta=meta)


def build_tasks(config: WorldConfig, universe: Universe) -> list[WorldTask]:
    """All tasks of the world, in the order in which a report shows them."""
    tasks: list[WorldTask] = []

    def replies(name: str, make: Maker, scorer: scoring.Scorer, tokens: int = 64, n: int = MAX_EXAMPLES) -> None:
        tasks.append(WorldTask(name, make, scorer, tokens, closed=False, max_examples=n))

    def exercises(name: str, make: MakeExercise, scorer: scoring.Scorer, tokens: int) -> None:
        tasks.append(WorldTask(name, partial(_exercises, make, config, name), scorer, tokens))

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
