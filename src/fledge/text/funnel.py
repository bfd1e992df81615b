"""The funnel: what went into each step, what came out, and what fell, in documents and in bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class StepCounts:
    """Counts of one step. In + added = out + rejected, for documents; in + changed = out + rejected, for bytes.

    ``documents_added``: splitting makes many of one. ``bytes_changed``: what a rewriting step added (or, negative,
    took away) in texts that went on. Bytes are UTF-8, before extraction those of the raw page;
    a file that is refused whole counts with its size as it is stored. ``reasons`` and ``reason_bytes``: documents and
    bytes that fell, by reason.
    """

    step: str
    documents_in: int = 0
    documents_added: int = 0
    documents_rejected: int = 0
    documents_out: int = 0
    bytes_in: int = 0
    bytes_changed: int = 0
    bytes_rejected: int = 0
    bytes_out: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    reason_bytes: dict[str, int] = field(default_factory=dict)

    def passed(self, bytes_in: int, sizes_out: Sequence[int]) -> None:
        """One document went in, documents of ``sizes_out`` bytes came out."""
        self.documents_in += 1
        self.documents_added += len(sizes_out) - 1
        self.documents_out += len(sizes_out)
        bytes_out = sum(sizes_out)
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        self.bytes_changed += bytes_out - bytes_in

    def rejected(self, n_bytes: int, reason: str) -> None:
        """One document of ``n_bytes`` went in and fell."""
        self.documents_in += 1
        self.documents_rejected += 1
        self.bytes_in += n_bytes
        self.bytes_rejected += n_bytes
        self._fell(reason, 1, n_bytes)

    def _fell(self, reason: str, n_documents: int, n_bytes: int) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + n_documents
        self.reason_bytes[reason] = self.reason_bytes.get(reason, 0) + n_bytes

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another part of the corpus, as :func:`plain` gives them."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + other[name])
        for reason, count in other["reasons"].items():
            self._fell(reason, count, other["reason_bytes"][reason])


_NUMBERS = [name for name in StepCounts.__dataclass_fields__ if name not in ("step", "reasons", "reason_bytes")]


class Funnel:
    """Steps in order, by name."""

    def __init__(self, steps: Iterable[str]) -> None:
        self.steps = {step: StepCounts(step) for step in steps}

    def __getitem__(self, step: str) -> StepCounts:
        return self.steps[step]

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self.steps[row["step"]].add(row)

    def plain(self) -> list[dict[str, Any]]:
        """The steps as JSON values; reasons by falling count, then by name."""
        rows = [asdict(counts) for counts in self.steps.values()]
        for row in rows:
            row["reasons"] = dict(sorted(row["reasons"].items(), key=lambda item: (-item[1], item[0])))
            row["reason_bytes"] = {reason: row["reason_bytes"][reason] for reason in row["reasons"]}
        return rows

    def top_rules(self, n: int = 3) -> list[str]:
        """The steps at which most documents fell, worst first, with the commonest reason of each."""
        rows = sorted(
            (row for row in self.plain() if row["documents_rejected"]), key=lambda r: -r["documents_rejected"]
        )
        return [f"{row['step']} {row['documents_rejected']} ({next(iter(row['reasons']))})" for row in rows[:n]]


def check_funnel(rows: Sequence[Mapping[str, Any]]) -> None:
    """Assert that the sums add up, at each step and from step to step."""
    for row in rows:
        assert row["documents_in"] + row["documents_added"] == row["documents_out"] + row["documents_rejected"], row
        assert row["bytes_in"] + row["bytes_changed"] == row["bytes_out"] + row["bytes_rejected"], row
        assert sum(row["reasons"].values()) == row["documents_rejected"], row
        assert sum(row["reason_bytes"].values()) == row["bytes_rejected"], row
    for before, after in itertools.pairwise(rows):
        assert before["documents_out"] == after["documents_in"], (before["step"], after["step"])
        assert before["bytes_out"] == after["bytes_in"], (before["step"], after["step"])
