"""The row plan of a set of shards, and the rows read by it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from fledge.tokens.packing import Rows, pack
from fledge.tokens.shards import ShardSet
from fledge.types import Batch

PLAN_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """Rows of all shards, numbered through: those of shard ``s`` are ``row_base[s]`` to ``row_base[s + 1]``."""

    shards: ShardSet
    context: int
    rows: tuple[Rows, ...]
    row_base: np.ndarray
    hash: str

    @property
    def n_rows(self) -> int:
        return int(self.row_base[-1])

    @property
    def n_targets(self) -> int:
        """Slots that hold a target, learned or not; the others are padding."""
        return sum(int(rows.length.sum()) for rows in self.rows)

    @property
    def padding(self) -> float:
        """Share of the slots that hold nothing."""
        return 1 - self.n_targets / (self.n_rows * self.context) if self.n_rows else 0.0

    def read(self, rows: np.ndarray) -> Batch:
        """The rows of these numbers, (B,) → arrays (B, T)."""
        batch = empty_batch(len(rows), self.context)
        self.read_into(batch, np.arange(len(rows)), rows)
        return batch

    def read_into(self, batch: Batch, places: np.ndarray, rows: np.ndarray) -> None:
        """Read rows number ``rows`` into the rows ``places`` of ``batch``."""
        which = np.searchsorted(self.row_base, rows, side="right") - 1
        for number in np.unique(which).tolist():
            here = which == number
            self._read_shard(batch, number, places[here], rows[here] - self.row_base[number])

    def _read_shard(self, batch: Batch, number: int, places: np.ndarray, rows: np.ndarray) -> None:
        plan, shard = self.rows[number], self.shards.shards[number]
        n_pieces = plan.first[rows + 1] - plan.first[rows]
        document = _counted(n_pieces)
        pieces = np.repeat(plan.first[rows], n_pieces) + document
        length = plan.length[pieces].astype(np.int64)
        position = _counted(length)
        source = np.repeat(plan.start[pieces], length) + position
        n_in_row = np.add.reduceat(length, np.cumsum(n_pieces) - n_pieces)
        place = np.repeat(places, n_in_row) * self.context + _counted(n_in_row)
        tokens, following = shard.tokens[source], source + 1
        batch.tokens.reshape(-1)[place] = tokens
        batch.targets.reshape(-1)[place] = shard.tokens[following]
        batch.weight.reshape(-1)[place] = 1.0 if shard.weights is None else shard.weights[following]
        batch.position.reshape(-1)[place] = position
        batch.document.reshape(-1)[place] = np.repeat(document, length)


def _counted(lengths: np.ndarray) -> np.ndarray:
    """``[2, 3]`` → ``[0, 1, 0, 1, 2]``."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def empty_batch(n_rows: int, context: int) -> Batch:
    """All padding: token, target, weight and position 0, document −1."""
    shape = (n_rows, context)
    return Batch(
        tokens=np.zeros(shape, np.int32),
        targets=np.zeros(shape, np.int32),
        weight=np.zeros(shape, np.float32),
        position=np.zeros(shape, np.int32),
        document=np.full(shape, -1, np.int32),
    )


def plan_rows(shards: ShardSet, context: int, *, fill: bool = True) -> Plan:
    """Plan rows of ``context`` tokens, one shard after the other.

    The plan depends on the shards, ``context`` and ``fill`` only, and so does its hash.
    """
    assert context >= 1
    rows = tuple(pack(shard.offsets, context, fill=fill) for shard in shards.shards)
    base = np.cumsum([0] + [part.n_rows for part in rows])
    digest = hashlib.sha256(f"{PLAN_VERSION} {context} {fill} {shards.fingerprint()}".encode())
    for part in rows:
        for array in (part.start, part.length, part.first):
            digest.update(array.tobytes())
    return Plan(shards, context, rows, base, digest.hexdigest())
