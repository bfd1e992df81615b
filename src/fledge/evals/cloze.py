"""Guessing the last word of a passage, as in LAMBADA (Paperno et al., arXiv 1606.06031)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from fledge.evals.rows import read_json_rows
from fledge.types import Answer, Example, FledgeError, Reject, Request, Score, Split


class Cloze:
    """A file of ``{"context", "continuation"}`` rows as a Task: right where the greedy continuation begins with it."""

    chance = 0.0

    def __init__(self, path: str | Path, *, seed: int = 0) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.rejects: list[Reject] = []
        rows: list[tuple[int, str, str]] = []
        for number, row in read_json_rows(self.path, self.rejects):
            context, continuation = row.get("context"), row.get("continuation")
            if isinstance(context, str) and isinstance(continuation, str) and continuation.strip():
                rows.append((number, context, continuation))
            else:
                reason = "context or continuation is no text"
                self.rejects.append(Reject(f"{self.path.name}:{number}", str(self.path), "cloze", reason))
        if not rows:
            raise FledgeError("holds no passages", where=str(self.path), fix='rows need "context" and "continuation"')
        random.Random(seed).shuffle(rows)
        self._rows = rows

    def examples(self, split: Split = "heldout") -> Iterator[Example]:
        for number, context, continuation in self._rows:
            yield Example(f"{self.path.name}:{number}", context.rstrip(), continuation.strip())

    def requests(self, example: Example) -> Sequence[Request]:
        # One byte is one token at most, the space before the word included.
        return [Request("generate", example.prompt, max_tokens=len(example.gold.encode("utf-8")) + 2)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        text = answers[0].text.lstrip()
        right = text.startswith(example.gold) and not text[len(example.gold) :][:1].isalnum()
        return Score(float(right))

    def validate(self) -> None:
        for example in self.examples():
            if self.score(example, [Answer(f" {example.gold}")]).value != 1:
                raise FledgeError("the gold word does not score 1", where=example.id, fix="correct the row")
