"""Multiple choice from JSONL files, by the log-probability of each choice for each of its bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fledge.evals.rows import read_json_rows
from fledge.types import Answer, Example, FledgeError, Reject, Request, Score, Split

QUESTION_STARTS = ("Question:", "Passage:")
WRONG = -1e9  # log-probability of a wrong choice when the gold answers are validated


def reject_reason(row: dict[str, Any]) -> str:
    """Why a row is no multiple choice in one of the two forms; empty if it is one.

    ``{"query", "choices", "gold"}`` chooses what follows; ``{"context_options", "continuation", "gold"}`` chooses
    what comes before one continuation.
    """
    options = row.get("choices", row.get("context_options"))
    shared = row.get("query") if "choices" in row else row.get("continuation")
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(o, str) and o.strip() for o in options):
        return "choices (or context_options) is no list of two or more texts"
    if not isinstance(shared, str) or not shared.strip():
        return "query (or continuation) is no text"
    gold = row.get("gold")
    if not isinstance(gold, int) or isinstance(gold, bool) or not 0 <= gold < len(options):
        return f"gold is no number from 0 to {len(options) - 1}"
    return ""


class MultipleChoice:
    """A file of questions as a Task. Right where the gold choice has the highest log-probability a byte.

    ``delimiter`` stands between query and choice; by default ``"\\nAnswer: "`` where the queries begin with
    "Question:" or "Passage:" (as llm-foundry sets it for these files), else a space. Examples come in an order
    shuffled by ``seed``. Rows that are no questions are set aside in ``rejects``.
    """

    def __init__(self, path: str | Path, *, seed: int = 0, delimiter: str | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.rejects: list[Reject] = []
        rows = []
        for number, row in read_json_rows(self.path, self.rejects):
            if reason := reject_reason(row):
                self.rejects.append(Reject(f"{self.path.name}:{number}", str(self.path), "multiple choice", reason))
            else:
                rows.append((number, row))
        if not rows:
            raise FledgeError(
                "holds no multiple choice", where=str(self.path), fix='rows need "query", "choices", "gold"'
            )
        asked = all(str(row.get("query", "")).startswith(QUESTION_STARTS) for _, row in rows)
        self.delimiter = delimiter if delimiter is not None else "\nAnswer: " if asked else " "
        self.chance = sum(1 / len(_options(row)) for _, row in rows) / len(rows)
        random.Random(seed).shuffle(rows)
        self._rows = rows

    def examples(self, split: Split = "heldout") -> Iterator[Example]:
        for number, row in self._rows:
            options = tuple(_options(row))
            yield Example(
                f"{self.path.name}:{number}",
                prompt=row["query"] if "choices" in row else "",
                gold=options[row["gold"]],
                choices=options,
                meta={"gold": row["gold"], **({} if "choices" in row else {"continuation": row["continuation"]})},
            )

    def requests(self, example: Example) -> Sequence[Request]:
        if "continuation" in example.meta:
            continuation = " " + example.meta["continuation"].strip()
            return [Request("loglikelihood", option.rstrip(), continuation) for option in example.choices]
        query = str(example.prompt).rstrip() + self.delimiter
        return [Request("loglikelihood", query, choice.strip()) for choice in example.choices]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        lengths = [
            len(str(example.meta.get("continuation", choice)).strip().encode("utf-8")) for choice in example.choices
        ]
        rates = [answer.logprob / n_bytes for answer, n_bytes in zip(answers, lengths, strict=True)]
        if any(rate != rate for rate in rates):
            return Score(None, "a log-probability is no number")
        chosen = max(range(len(rates)), key=rates.__getitem__)
        return Score(float(chosen == example.meta["gold"]), f"choice {chosen}")

    def validate(self) -> None:
        for example in self.examples():
            answers = [
                Answer(logprob=-1.0 if i == example.meta["gold"] else WRONG) for i in range(len(example.choices))
            ]
            if self.score(example, answers).value != 1:
                raise FledgeError("the gold choice does not score 1", where=example.id, fix="correct the row")


def _options(row: dict[str, Any]) -> list[str]:
    return list(row["choices"] if "choices" in row else row["context_options"])
