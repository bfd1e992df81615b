"""``fledge`` with a NaN in the batches of some steps, as faulty memory or a user's own source would give it.

python benchmarks/poisoned.py pretrain:40:3 run RECIPE …    # steps 40, 41 and 42 of pretrain, counted from 0
"""

from __future__ import annotations

import math
import sys

from fledge.cli.main import main
from fledge.tokens.source import RowSource
from fledge.types import Batch


def poison(stage: str, first: int, count: int) -> None:
    """Let every source of ``stage`` give a NaN among the weights of steps ``first`` to ``first + count - 1``."""
    healthy = RowSource.batch

    def batch(self: RowSource, step: int, policy: object = None) -> Batch:
        made = healthy(self, step, policy)
        tunes = "conversations" in self.shards
        if tunes == (stage == "sft") and first <= step < first + count:
            made.weight[0, 0] = math.nan
        return made

    RowSource.batch = batch  # type: ignore[method-assign]


if __name__ == "__main__":
    stage, first, count = sys.argv[1].split(":")
    poison(stage, int(first), int(count))
    sys.exit(main(sys.argv[2:]))
