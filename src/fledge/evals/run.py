"""Evaluate tasks: examples to requests, answers to scores, scores to means with standard errors."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fledge.evals.ask import Unanswerable, ask
from fledge.evals.statistics import mean_and_stderr, score_and_stderr
from fledge.evals.tools import count_calls, offers_tools
from fledge.infer.engine import Engine
from fledge.infer.tools.toolbox import Toolbox
from fledge.run.progress import Progress
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Answer, Conversation, Example, Score, Split, Task

EXAMPLES_AT_ONCE = 512
GROUP_KEYS = ("group", "attribute", "kind")
FEW = 12


@dataclass(frozen=True)
class Group:
    """Mean score of the examples that share the value of the first of ``GROUP_KEYS`` in their ``meta``."""

    mean: float
    stderr: float | None
    n: int


@dataclass(frozen=True)
class TaskResult:
    """``mean`` over the ``n`` scored examples; ``excluded`` could not be scored, for ``reasons`` (text → how many).

    ``stderr`` is over examples; for a task with ``groups_are_units = True`` mean and stderr are over its groups.
    ``outcomes`` counts the reasons that the task gave, excluded examples included, where they are few.
    ``rejected``: rows of its file that could not be read. ``seen``: tuning may have asked the same questions. ``tool``
    is the one that its questions need. ``calls``, where tools were offered: how many were ``made`` and ``failed``, in
    how many ``prompts``, how many of these ``called`` the tool needed, and how many another one (``wrong``).
    """

    name: str
    mean: float | None
    stderr: float | None
    n: int
    excluded: int
    chance: float
    groups: Mapping[str, Group] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    seen: bool = False
    tool: str = ""
    calls: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate_tasks(
    engine: Engine,
    tokenizer: Tokenizer,
    tasks: Sequence[Task],
    split: Split = "heldout",
    n: int = 0,
    *,
    seed: int = 0,
    max_tokens: int = 0,
    toolbox: Toolbox | None = None,
    progress: Progress | None = None,
    on_example: Callable[[str, dict[str, Any]], None] | None = None,
) -> list[TaskResult]:
    """Run each task on its first ``n`` examples (0 = all); ``on_example(task, record)`` gets each with its answers.

    ``toolbox`` carries out the calls where a task offers tools.

    Every task's gold answers are validated first: a task that does not score them 1 raises FledgeError.
    """
    for task in tasks:
        task.validate()
    results = []
    for task in tasks:
        scored: list[tuple[Example, Score]] = []
        calls: Counter[str] = Counter()
        examples = itertools.islice(task.examples(split), n or None)
        while chunk := list(itertools.islice(examples, EXAMPLES_AT_ONCE)):
            for example, answers, score in _scored(engine, tokenizer, task, chunk, seed, max_tokens, toolbox):
                scored.append((example, score))
                calls.update(count_calls(task, answers))  # += would drop zeros
                if on_example is not None:
                    on_example(task.name, transcript(example, answers, score))
            if progress is not None:
                progress.update(len(chunk), task=task.name)
        results.append(replace(summarise(task, scored), calls=dict(calls) if offers_tools(task) else {}))
    return results


def _scored(
    engine: Engine,
    tokenizer: Tokenizer,
    task: Task,
    examples: Sequence[Example],
    seed: int,
    max_tokens: int,
    toolbox: Toolbox | None,
) -> Iterable[tuple[Example, list[Answer | Unanswerable], Score]]:
    per_example = [list(task.requests(example)) for example in examples]
    flat = [request for requests in per_example for request in requests]
    answers = iter(ask(engine, tokenizer, flat, seed=seed, max_tokens=max_tokens, toolbox=toolbox))
    for example, requests in zip(examples, per_example, strict=True):
        own = list(itertools.islice(answers, len(requests)))
        given = [answer for answer in own if isinstance(answer, Answer)]
        faults = [answer.reason for answer in own if isinstance(answer, Unanswerable)]
        yield example, own, Score(None, faults[0]) if faults else task.score(example, given)


def summarise(task: Task, scored: Sequence[tuple[Example, Score]]) -> TaskResult:
    """Means and standard errors of a task's scores."""
    kept = [(example, score.value) for example, score in scored if score.value is not None]
    by_group: dict[str, list[float]] = defaultdict(list)
    for example, value in kept:
        if key := next((key for key in GROUP_KEYS if key in example.meta), ""):
            by_group[str(example.meta[key])].append(value)
    groups = {name: Group(*score_and_stderr(by_group[name]), n=len(by_group[name])) for name in sorted(by_group)}
    if getattr(task, "groups_are_units", False):
        mean, stderr = mean_and_stderr([group.mean for group in groups.values()])
    else:
        mean, stderr = score_and_stderr([value for _, value in kept])
    outcomes = Counter(score.reason for _, score in scored if score.reason)
    reasons = Counter(score.reason or "no reason given" for _, score in scored if score.value is None)
    return TaskResult(
        name=task.name,
        mean=mean if kept else None,
        stderr=stderr,
        n=len(kept),
        excluded=len(scored) - len(kept),
        chance=task.chance,
        groups=groups,
        outcomes=dict(sorted(outcomes.items())) if len(outcomes) <= FEW else {},
        reasons=dict(reasons.most_common(FEW)),
        rejected=len(getattr(task, "rejects", ())),
        seen=bool(getattr(task, "seen", False)),
        tool=str(getattr(task, "tool", "")),
    )


def transcript(example: Example, answers: Sequence[Answer | Unanswerable], score: Score) -> dict[str, Any]:
    """One example as a row of a transcript: prompt, gold, every answer, score and reason."""
    prompt = example.prompt
    if isinstance(prompt, Conversation):
        shown: Any = [{"role": message.role, "content": message.content} for message in prompt.messages]
    else:
        shown = prompt
    told: list[dict[str, Any]] = []
    for answer in answers:
        if isinstance(answer, Unanswerable):
            told.append({"unanswerable": answer.reason})
        elif answer.text or not example.choices:
            calls = [{"call": call.text, "result": call.result} for call in answer.calls]
            told.append({"text": answer.text, "n_tokens": answer.n_tokens, **({"calls": calls} if calls else {})})
        else:
            told.append({"logprob": round(answer.logprob, 4), "n_tokens": answer.n_tokens})
    row: dict[str, Any] = {"id": example.id, "prompt": shown, "gold": example.gold, "answers": told}
    if example.choices:
        row["choices"] = list(example.choices)
    return {**row, "score": score.value, "reason": score.reason, "meta": dict(example.meta)}
