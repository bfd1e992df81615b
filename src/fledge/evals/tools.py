"""Tasks asked with tools offered, and what was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from fledge.types import Answer, Example, Request, Score, Split, Task

ENDING = "_with_tools"
CALL_TOKENS = 96
"""Room for a call, which may be longer than an answer."""


class WithTools:
    """``task`` with tools offered: the same questions, answers and scores.

    ``descriptions`` are those of a toolbox, ``tool`` the one that the questions need, if they need one.
    """

    def __init__(self, task: Task, descriptions: Sequence[str], tool: str = "") -> None:
        self.task, self.descriptions, self.tool = task, tuple(descriptions), tool
        self.name, self.chance = f"{task.name}{ENDING}", task.chance
        self.seen = bool(getattr(task, "seen", False))

    def examples(self, split: Split) -> Iterator[Example]:
        for example in self.task.examples(split):
            assert not isinstance(example.prompt, str)
            yield replace(example, prompt=replace(example.prompt, tools=self.descriptions))

    def requests(self, example: Example) -> Sequence[Request]:
        requests = self.task.requests(example)
        return [replace(request, max_tokens=max(request.max_tokens, CALL_TOKENS)) for request in requests]

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
