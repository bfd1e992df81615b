"""The figures of a run as they are shown to people: in the terminal, in the report, in the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rows = tuple[tuple[str, ...], ...]
TASK_HEADER = ("measured on held-out prompts", "right", "± 1 s.e.", "chance", "prompts", "not scored")
BITS_HEADER = ("held-out text", "bits per byte", "± 1 s.e.", "n-gram baseline", "bytes")


def percent(value: float | None) -> str:
    """``0.8425`` → ``84.2 %``; None, where nothing could be scored, is a dash."""
    return "–" if value is None else f"{100 * value:.1f} %"


def task_rows(results: Mapping[str, Any]) -> Rows:
    """One row a task of an eval stage's ``results.json``, and one for each kind of outcome that a task tells apart."""
    rows: list[tuple[str, ...]] = []
    for task in results.get("tasks", ()):
        rows.append(
            (
                task["name"].replace("_", " "),
                percent(task["mean"]),
                percent(task["stderr"]),
                percent(task["chance"]),
                str(task["n"]),
                str(task["excluded"]),
            )
        )
        outcomes = task.get("outcomes") or {}
        total = task["n"] + task["excluded"]
        if set(outcomes) & {"consistent", "inconsistent", "unverified"} and total:
            for name in ("consistent", "inconsistent", "unverified"):
                share = outcomes.get(name, 0) / total
                error = (share * (1 - share) / total) ** 0.5
                rows.append((f"· {name}", percent(share), percent(error), "", str(total), ""))
    return tuple(rows)


def bits_rows(results: Mapping[str, Any]) -> Rows:
    """One row a text of an eval stage's ``results.json``."""
    rows = []
    for text in results.get("bits_per_byte", ()):
        ngram = text.get("ngram")
        baseline = f"{ngram['bits_per_byte']:.3f} (order {ngram['order']})" if ngram else "–"
        error = "–" if text["stderr"] is None else f"{text['stderr']:.4f}"
        rows.append((text["name"], f"{text['bits_per_byte']:.4f}", error, baseline, f"{text['n_bytes']:,}"))
    return tuple(rows)


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
