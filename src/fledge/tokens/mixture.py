"""In which order rows of several sources are drawn: exact shares, shuffled epochs, a cap on repetition.

Everything here is a closed formula of the row's number, so that any step can be had without the ones before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from fledge.types import FledgeError

# Shares are kept as whole parts of this; 2^20 parts times 2^40 rows still fit an int64.
PARTS = 1 << 20


def capped_shares(
    sizes: Mapping[str, float], weights: Mapping[str, float], total: float | None, max_repetition: float
) -> tuple[dict[str, float], list[str]]:
    """The share of each source, and a line for each that the cap on repetition made smaller.

    ``sizes`` and ``total`` count tokens. No weights: by size. A source that would be repeated more than
    ``max_repetition`` times within ``total`` keeps what the cap allows, the others share the rest by their weights.
    Raises FledgeError where a weight names no source, or where all sources together hold too little.
    """
    unknown = sorted(set(weights) - set(sizes))
    if unknown:
        raise FledgeError(
            f"there is no source {unknown[0]!r}", where="mixture", fix=f"sources: {', '.join(sorted(sizes))}"
        )
    wanted = {name: float(weights.get(name, 0.0)) if weights else float(size) for name, size in sizes.items()}
    empty = sorted(name for name, weight in wanted.items() if weight > 0 and sizes[name] <= 0)
    if empty:
        raise FledgeError(f"source {empty[0]!r} holds no tokens", where="mixture", fix="leave it out")
    wanted = {name: weight for name, weight in wanted.items() if weight > 0}
    if not wanted:
        raise FledgeError("there is nothing to train on", where="mixture", fix="name a source that holds text")
    shares = _normalised(wanted)
    if total is None:
        return shares, []
    limit = {name: max_repetition * sizes[name] / total for name in wanted}
    if sum(limit.values()) < 1 - 1e-9:
        have = sum(sizes[name] for name in wanted)
        raise FledgeError(
            f"{total:.0f} tokens are wanted of sources that hold {have:.0f}, at most {max_repetition:g} times each",
            where="pretrain.tokens",
            fix="train on fewer tokens, add text, or raise tokens.max_repetition",
        )
    capped: dict[str, float] = {}
    while True:
        free = {name: weight for name, weight in wanted.items() if name not in capped}
        left = 1 - sum(capped.values())
        shares = {name: share * left for name, share in _normalised(free).items()} | capped
        over = [name for name in free if shares[name] > limit[name] * (1 + 1e-9)]
        if not over:
            break
        capped |= {name: limit[name] for name in over}
    before = _normalised(wanted)
    told = [
        f"{name}: {before[name]:.1%} of the mixture would repeat it {before[name] * total / sizes[name]:.1f} times; "
        f"kept to {max_repetition:g} times, which is {shares[name]:.1%}"
        for name in sorted(capped)
    ]
    return {name: shares[name] for name in wanted}, told


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def deal(numbers: np.ndarray, shares: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Which source row ``numbers`` (int64) of the mixture belong to, and the how-many-eth of that source each is.

    Sources are split off one by one: of n rows, the next source takes floor(n · share) evenly spaced ones and the
    rest go on. So after any n rows each source has had its share, to within one row for each split.
    """
    source = np.full(len(numbers), len(shares) - 1)
    count = numbers.astype(np.int64)
    left, open_ = 1.0, np.ones(len(numbers), dtype=bool)
    for index, share in enumerate(shares[:-1]):
        parts = min(PARTS, round(share / left * PARTS)) if left > 0 else PARTS
        left -= share
        before, after = count * parts // PARTS, (count + 1) * parts // PARTS
        taken = open_ & (after > before)
        source[taken] = index
        count = np.where(taken, before, np.where(open_, count - before, count))
        open_ &= ~taken
    return source, count


def permuted(numbers: np.ndarray, size: int, key: str) -> np.ndarray:
    """A permutation of ``0 … size − 1``, fixed by ``key``, at the places ``numbers``.

    A four-round Feistel network over the smallest even number of bits that holds ``size``, walked on until it
    lands below ``size``; nothing of length ``size`` is ever made.
    """
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    shift = np.uint64(half)
    digest = hashlib.sha256(key.encode()).digest()
    rounds = [np.uint64(int.from_bytes(digest[at : at + 8], "little")) for at in range(0, 32, 8)]
    result = numbers.astype(np.uint64)
    outside = np.ones(len(result), dtype=bool)
    while outside.any():
        left, right = result[outside] >> shift, result[outside] & mask
        for round_key in rounds:
            left, right = right, left ^ (_mixed(right ^ round_key) & mask)
        result[outside] = (left << shift) | right
        outside = result >= np.uint64(size)
    return result.astype(np.int64)


def _mixed(value: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
