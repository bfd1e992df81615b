"""One task of the world: examples made from the settings, one reply to each, scored by a plain function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from fledge.types import Answer, Conversation, Example, FledgeError, Message, Request, Score, Split
from fledge.world.config import WorldConfig
from fledge.world.randomness import stream
from fledge.world.scoring import Scorer
from fledge.world.skills.exercise import Exercise

MAX_EXAMPLES = 400
MAX_REPEATS = 1000
"""Prompts met before, in a row, after which a task is taken to have no further ones."""
SPLITS: tuple[Split, ...] = ("heldout", "train")
Maker = Callable[[Split], Iterator[Example]]


@dataclass
class WorldTask:
    """A task that generates one reply to each question; see :class:`fledge.types.Task`."""

    name: str
    make: Maker = field(repr=False)
    scorer: Scorer = field(repr=False)
    max_tokens: int = 64
    closed: bool = True
    max_examples: int = MAX_EXAMPLES
    seen: bool = False
    """Whether tuning may have put the same questions; of the others it never saw one."""
    tool: str = ""
    """The tool that its questions need, where they need one."""
    also_without: bool = True
    """Whether they are worth asking without it too."""
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


def prompt(text: str) -> Conversation:
    return Conversation((Message("user", text),))


def exercise_examples(
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
        yield Example("", prompt(exercise.question), exercise.answer, meta={**meta, "data": list(exercise.data)})
