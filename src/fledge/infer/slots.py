"""Rows of one cache, lent to requests, and the prefixes in them that a later request need not read again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fledge.model.cache import KVCache

BLOCK = 16
"""Tokens of a block: prefixes are shared by whole blocks."""


def block_hashes(ids: Sequence[int], known: Sequence[bytes] = ()) -> list[bytes]:
    """A hash for each whole block of ``ids``, of the block and all before it; ``known`` are those of the first ones."""
    hashes = list(known)
    values = np.asarray(ids[len(hashes) * BLOCK :], dtype=np.int64)
    for start in range(0, len(values) - BLOCK + 1, BLOCK):
        digest = hashlib.blake2b(hashes[-1] if hashes else b"", digest_size=16)
        digest.update(values[start : start + BLOCK].tobytes())
        hashes.append(digest.digest())
    return hashes


@dataclass
class Slot:
    """One row of the cache: the hashes of the whole blocks that it holds, and when it was last given back."""

    hashes: list[bytes] = field(default_factory=list)
    taken: bool = False
    written: bool = False
    freed_at: int = 0


class Slots:
    """Lends all rows of ``cache`` but the last, where steps may leave what nobody needs.

    What a finished request left stays until the row is needed, for others to copy.
    """

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache
        self._slots = [Slot() for _ in range(cache.rows - 1)]
        self._holders: dict[bytes, list[int]] = {}
        self._clock = 0

    @property
    def n_free(self) -> int:
        return sum(not slot.taken for slot in self._slots)

    def take(self, hashes: Sequence[bytes] = ()) -> int:
        """A free row for a request whose prompt has these blocks; one must be free.

        A row that holds such blocks itself is best. Else one beside those that are taken, so that they are read
        without a copy, and of these the one that was free for longest.
        """
        free = [index for index, slot in enumerate(self._slots) if not slot.taken]
        taken = [index for index, slot in enumerate(self._slots) if slot.taken]
        n_held, holder = self.longest(hashes)
        if n_held and holder in free:
            chosen = holder
        else:
            low, high = min(taken, default=0), max(taken, default=len(self._slots))
            beside = [index for index in free if low - 1 <= index <= high + 1]
            chosen = min(beside or free, key=lambda index: (self._slots[index].freed_at, index))
        self._slots[chosen].taken = self._slots[chosen].written = True
        return chosen

    def free(self, index: int) -> None:
        self._clock += 1
        self._slots[index].taken, self._slots[index].freed_at = False, self._clock

    def longest(self, hashes: Sequence[bytes]) -> tuple[int, int]:
        """How many of these first blocks a row holds, and which row; (0, -1) where none does."""
        for n in range(len(hashes), 0, -1):
            if holders := self._holders.get(hashes[n - 1]):
                return n, holders[-1]
        return 0, -1

    def share(self, index: int, hashes: Sequence[bytes], n_read: int) -> int:
        """Bring to row ``index``, which has read ``n_read`` tokens, what any row holds of these blocks.

        Returns how many tokens it has read then.
        """
        n_blocks, holder = self.longest(hashes)
        if n_blocks * BLOCK <= n_read:
            self.holds(index, hashes[: n_read // BLOCK])
            return n_read
        if holder != index:
            self.cache.copy_row(holder, index, n_read, n_blocks * BLOCK)
        self.holds(index, hashes[:n_blocks])
        return n_blocks * BLOCK

    def holds(self, index: int, hashes: Sequence[bytes]) -> None:
        """Row ``index`` has these blocks now, and none beyond them."""
        old, new = self._slots[index].hashes, list(hashes)
        same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        self._drop(index, old[same:])
        for each in new[same:]:
            self._holders.setdefault(each, []).append(index)
        self._slots[index].hashes = new

    def flush(self) -> None:
        """Forget what all rows hold; what is no number would outlive what it came from."""
        for index, slot in enumerate(self._slots):
            if slot.written:
                self.cache.clear_row(index)
            slot.hashes, slot.written = [], slot.taken
        self._holders.clear()

    def _drop(self, index: int, hashes: Iterable[bytes]) -> None:
        for each in hashes:
            holders = self._holders[each]
            holders.remove(index)
            if not holders:
                del self._holders[each]
