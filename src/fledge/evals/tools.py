"""Tasks asked with tools offered, and what was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fledge.types import Answer, Example, Request, Score, Split, Task

ENDING = "_with_tools"


class WithTools:
    """``task`` with tools offered: the same questions, answers and scores; ``descriptions`` as a toolbox has them."""

    def __init__(self, task: Task, descriptions: Sequence[str]) -> None:
        self.task, self.descriptions = task, tuple(descriptions)
        self.name, self.chance = f"{task.name}{ENDING}", task.chance
        self.seen = bool(getattr(task, "seen", False))
        self.tool = str(getattr(task, "tool", ""))

    def examples(self, split: Split) -> Iterator[Example]:
        for example in self.task.examples(split):
            assert not isinstance(example.prompt, str)
            yield replace(example, prompt=replace(example.prompt, tools=self.descriptions))

    def requests(self, example: Example) -> Sequence[Request]:
        return self.task.requests(example)

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        return self.task.score(example, answers)

    def validate(self) -> None:
        self.task.validate()


def offers_tools(task: Task) -> bool:
    return isinstance(task, WithTools)


def count_calls(task: Task, answers: Sequence[Any]) -> Counter[str]:
    """The counts of one example; see ``TaskResult.calls``."""
    calls = [call for answer in answers if isinstance(answer, Answer) for call in answer.calls]
    needed = getattr(task, "tool", "")
    return Counter(
        prompts=1,
        made=len(calls),
        failed=sum(call.failed for call in calls),
        called=int(any(call.name == needed for call in calls)),
        wrong=int(any(call.name != needed for call in calls)),
    )
