"""BLiMP: of two sentences that differ in one point of grammar, the right one should be likelier (arXiv 1912.00582)."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from fledge.evals.rows import parse_json_rows
from fledge.types import Answer, Example, FledgeError, Reject, Request, Score, Split


class Blimp:
    """Minimal pairs from a ``.tar.gz`` or a folder of ``.jsonl`` files, one file a paradigm, as a Task.

    A pair is right where the whole good sentence has the higher log-probability; equal ones count half. Groups are
    the paradigms, and the overall figure is their mean with its standard error over paradigms. ``n_per_paradigm``
    pairs are drawn from each by ``seed`` (0 = all).
    """

    name = "blimp"
    chance = 0.5
    groups_are_units = True

    def __init__(self, path: str | Path, *, n_per_paradigm: int = 0, seed: int = 0) -> None:
        self.path = Path(path)
        self.rejects: list[Reject] = []
        self._pairs: list[Example] = []
        for paradigm, pairs in sorted(self._read().items()):
            if n_per_paradigm and len(pairs) > n_per_paradigm:
                pairs = random.Random(f"{seed} {paradigm}").sample(pairs, n_per_paradigm)
            self._pairs += pairs
        if not self._pairs:
            raise FledgeError(
                "holds no minimal pairs", where=str(path), fix='rows need "sentence_good" and "sentence_bad"'
            )

    def _read(self) -> dict[str, list[Example]]:
        found: dict[str, list[Example]] = {}
        try:
            if self.path.is_dir():
                for file in sorted(self.path.glob("*.jsonl")):
                    with open(file, "rb") as opened:
                        found[file.stem] = list(self._parse(opened, file.name, file.stem))
            else:
                with tarfile.open(self.path, "r:*") as archive:
                    for member in archive:
                        lines = archive.extractfile(member) if member.name.endswith(".jsonl") else None
                        if lines is not None:
                            name = Path(member.name)
                            found[name.stem] = list(self._parse(lines, name.name, name.stem))
        except tarfile.ReadError as error:
            what = "is neither a folder of .jsonl files nor a .tar archive of them"
            raise FledgeError(what, where=str(self.path), fix="give one of the two") from error
        except (OSError, EOFError, tarfile.TarError) as error:
            raise FledgeError(f"cannot be read ({error})", where=str(self.path), fix="check the file") from error
        return found

    def _parse(self, lines: IO[bytes], name: str, paradigm: str) -> Iterator[Example]:
        for number, row in parse_json_rows(lines, name, self.rejects):
            good, bad = row.get("sentence_good"), row.get("sentence_bad")
            if isinstance(good, str) and isinstance(bad, str) and good.strip() and bad.strip():
                yield Example(f"{name}:{number}", "", good, (good, bad), {"group": paradigm})
            else:
                self.rejects.append(Reject(f"{name}:{number}", name, "minimal pair", "a sentence is missing"))

    def examples(self, split: Split = "heldout") -> Iterator[Example]:
        yield from self._pairs

    def requests(self, example: Example) -> Sequence[Request]:
        return [Request("loglikelihood", "", sentence) for sentence in example.choices]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        good, bad = answers[0].logprob, answers[1].logprob
        if good != good or bad != bad:
            return Score(None, "a log-probability is no number")
        return Score(1.0 if good > bad else 0.5 if good == bad else 0.0)

    def validate(self) -> None:
        for example in self._pairs:
            if self.score(example, [Answer(logprob=-1.0), Answer(logprob=-2.0)]).value != 1:
                raise FledgeError("the good sentence does not score 1", where=example.id)
