"""Which pieces of documents share a row: best-fit-decreasing, then gaps filled by cutting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Pieces by row. Piece ``p`` gives ``length[p]`` inputs from token ``start[p]`` on, and as many targets from
    ``start[p] + 1`` on; row ``r`` holds the pieces ``first[r]`` to ``first[r + 1]``.
    """

    start: np.ndarray
    length: np.ndarray
    first: np.ndarray

    @property
    def n_rows(self) -> int:
        return len(self.first) - 1


def pack(offsets: np.ndarray, context: int, *, fill: bool = True) -> Rows:
    """Plan the rows of one shard.

    A document of n tokens makes n − 1 pairs of input and target; every pair lands in exactly one row of
    ``context`` pairs, and no pair crosses documents. Documents longer than a row are cut; a piece starts with the
    token that the piece before it ended with. ``fill`` cuts further documents into the gaps that are left, so
    that only the last row is padded; without it, documents that fit in a row stay whole.
    """
    pairs = np.maximum(np.diff(offsets) - 1, 0)
    starts = offsets[:-1]
    whole = pairs // context
    rest = pairs % context
    document = np.repeat(np.arange(len(pairs)), whole)
    within = np.arange(len(document)) - np.repeat(np.cumsum(whole) - whole, whole)
    full_start = starts[document] + within * context
    has_rest = rest > 0
    rest_start = (starts + whole * context)[has_rest].tolist()
    rest_length = rest[has_rest].tolist()
    bins = _best_fit(rest_length, context)
    rows = [[(rest_start[item], rest_length[item]) for item in items] for items in bins]
    if fill:
        rows = _fill_gaps(rows, context)
    counts = [1] * len(full_start) + [len(row) for row in rows]
    start = np.concatenate([full_start, np.array([s for row in rows for s, _ in row], dtype=np.int64)])
    length = np.concatenate([np.full(len(full_start), context), np.array([n for row in rows for _, n in row])])
    first = np.concatenate([[0], np.cumsum(counts)])
    return Rows(start.astype(np.int64), length.astype(np.int32), first.astype(np.int64))


def _best_fit(sizes: list[int], capacity: int) -> list[list[int]]:
    """Best-fit-decreasing: each size, largest first, goes into the fullest bin that still has room."""
    bins: list[list[int]] = []
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set where some bin has room r
    for item in sorted(range(len(sizes)), key=lambda item: (-sizes[item], item)):
        size = sizes[item]
        fitting = rooms >> size
        if fitting:
            room = size + (fitting & -fitting).bit_length() - 1
            chosen = with_room[room].pop()
            if not with_room[room]:
                rooms &= ~(1 << room)
            bins[chosen].append(item)
        else:
            room, chosen = capacity, len(bins)
            bins.append([item])
        if left := room - size:
            with_room[left].append(chosen)
            rooms |= 1 << left
    return bins


def _fill_gaps(rows: list[list[tuple[int, int]]], capacity: int) -> list[list[tuple[int, int]]]:
    """Take the emptiest rows apart and cut their pieces into the gaps of the others."""
    used = [sum(length for _, length in row) for row in rows]
    gaps = sum(capacity - n for n in used)
    order = sorted(range(len(rows)), key=lambda row: (-used[row], row))
    n_kept = len(rows) - gaps // capacity
    kept = [list(rows[row]) for row in order[:n_kept]]
    loose = [piece for row in order[n_kept:] for piece in rows[row]]
    room = [capacity - used[row] for row in order[:n_kept]]
    for row, free in zip(kept, room, strict=True):
        while free and loose:
            start, length = loose.pop()
            taken = min(free, length)
            row.append((start, taken))
            free -= taken
            if taken < length:
                loose.append((start + taken, length - taken))
    assert not loose
    return kept
