"""The figures of a run as they are shown to people: in the terminal, in the report, in the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fledge.evals.statistics import share_and_stderr

Rows = tuple[tuple[str, ...], ...]
TASK_HEADER = ("task", "right", "± 1 s.e.", "chance", "prompts", "not scored")
CALLS_HEADER = ("tools offered", "prompts", "calls", "failed", "called the tool needed", "called another")
BITS_HEADER = ("held-out text", "bits per byte", "± 1 s.e.", "n-gram baseline", "bytes")
TOLD_APART = ("consistent", "inconsistent", "unverified")
SEEN = "seen in tuning"
MAY_BE_SEEN = "training may have seen it"


@dataclass(frozen=True)
class Measure:
    """A share of ``n`` prompts with its standard error: what was right in ``task``, or came out as ``outcome``.

    ``chance`` and ``excluded`` (prompts that could not be scored) belong to whole tasks.
    """

    task: str
    outcome: str
    label: str
    mean: float | None
    stderr: float | None
    n: int
    chance: float | None = None
    excluded: int | None = None


def percent(value: float | None) -> str:
    """``0.8425`` → ``84.2 %``; None, where nothing could be scored, is a dash."""
    return "–" if value is None else f"{100 * value:.1f} %"


def task_label(task: Mapping[str, Any]) -> str:
    """The name of a task's result, marked where tuning may have asked the same questions."""
    name = task["name"].replace("_", " ") + (f" ({SEEN})" if task.get("seen") else "")
    return marked(name, task)


def marked(name: str, result: Mapping[str, Any]) -> str:
    """The name of a result, marked where its text was not kept out of training."""
    return name + (f" ({MAY_BE_SEEN})" if result.get("may_be_seen") else "")


def measures(results: Mapping[str, Any]) -> list[Measure]:
    """Each task of an eval stage's ``results.json``, and after it each kind of outcome that it tells apart."""
    found = []
    for task in results.get("tasks", ()):
        name, total, outcomes = task["name"], task["n"] + task["excluded"], task.get("outcomes") or {}
        whole = (task["mean"], task["stderr"], task["n"], task["chance"], task["excluded"])
        found.append(Measure(name, "", task_label(task), *whole))
        if set(outcomes) & set(TOLD_APART) and total:
            for outcome in TOLD_APART:
                share, error = share_and_stderr(outcomes.get(outcome, 0), total)
                found.append(Measure(name, outcome, f"· {outcome}", share, error, total))
    return found


def task_rows(results: Mapping[str, Any]) -> Rows:
    """One row a task of an eval stage's ``results.json``, and one for each kind of outcome that a task tells apart."""
    return tuple(
        (
            each.label,
            percent(each.mean),
            percent(each.stderr),
            "" if each.chance is None else percent(each.chance),
            str(each.n),
            "" if each.excluded is None else str(each.excluded),
        )
        for each in measures(results)
    )


def call_rows(results: Mapping[str, Any]) -> Rows:
    """One row a task that was asked with tools: what was called. Where none is needed, its cell is empty."""
    rows = []
    for task in results.get("tasks", ()):
        if calls := task.get("calls"):
            shares = [percent(calls[key] / calls["prompts"]) for key in ("called", "wrong")]
            needed = shares[0] if task.get("tool") else ""
            counts = (str(calls[key]) for key in ("prompts", "made", "failed"))
            rows.append((task_label(task).removesuffix(" with tools"), *counts, needed, shares[1]))
    return tuple(rows)


def bits_rows(results: Mapping[str, Any]) -> Rows:
    """One row a text of an eval stage's ``results.json``."""
    rows = []
    for text in results.get("bits_per_byte", ()):
        error = "–" if text["stderr"] is None else f"{text['stderr']:.4f}"
        rows.append(
            (marked(text["name"], text), f"{text['bits_per_byte']:.4f}", error, baseline(text), f"{text['n_bytes']:,}")
        )
    return tuple(rows)


def baseline(text: Mapping[str, Any]) -> str:
    """``0.808 ± 0.009 (order 5)``: what the n-gram model gives on the same text."""
    ngram = text.get("ngram")
    if not ngram:
        return "–"
    error = "" if ngram.get("stderr") is None else f" ± {ngram['stderr']:.3f}"
    return f"{ngram['bits_per_byte']:.3f}{error} (order {ngram['order']})"


def aligned(header: tuple[str, ...], rows: Rows) -> str:
    """A table for a terminal or a log, columns aligned, the first to the left."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
