"""Rows of one token stream in the form that each peer's own loader gives them. Needs numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = Iterator[NDArray[np.int64]]
BUFFER = 1000
"""Documents among which nanochat's loader looks for the one that fits best."""


@dataclass(frozen=True)
class Stream:
    """All documents in one array of token ids; ``offsets`` (D + 1,) says where each begins."""

    tokens: NDArray[np.uint16]
    offsets: NDArray[np.int64]

    @classmethod
    def open(cls, directory: Path) -> Stream:
        tokens = np.memmap(directory / "tokens.bin", dtype=np.uint16, mode="r")
        return cls(tokens, np.load(directory / "offsets.npy"))


def random_crops(stream: Stream, rows: int, length: int, seed: int) -> Rows:
    """nanoGPT: pieces of the stream from random places, blind to documents; batches (rows, length)."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(stream.tokens) - length + 1, rows)
        yield stream.tokens[starts[:, None] + np.arange(length)].astype(np.int64)


def shuffled_blocks(stream: Stream, rows: int, length: int, seed: int) -> Rows:
    """litgpt and transformers: the stream cut into blocks of ``length``, in a new order every epoch."""
    rng = np.random.default_rng(seed)
    n_blocks = len(stream.tokens) // length
    if n_blocks < rows:
        raise ValueError(f"the text gives {n_blocks} blocks of {length} tokens, a batch needs {rows}")
    while True:
        order = rng.permutation(n_blocks)
        for first in range(0, n_blocks - rows + 1, rows):
            starts = order[first : first + rows] * length
            yield stream.tokens[starts[:, None] + np.arange(length)].astype(np.int64)


def best_fit(stream: Stream, rows: int, length: int, seed: int) -> Rows:
    """nanochat: every row begins with a document; the longest of the waiting ones that fits goes in, and where none
    fits the shortest is cut to fill the row and its rest is dropped."""
    rng = np.random.default_rng(seed)
    n_documents = len(stream.offsets) - 1

    def documents() -> Iterator[NDArray[np.int64]]:
        while True:
            for number in rng.permutation(n_documents):
                yield stream.tokens[stream.offsets[number] : stream.offsets[number + 1]].astype(np.int64)

    coming = documents()
    waiting: list[NDArray[np.int64]] = []
    batch = np.empty((rows, length), np.int64)
    while True:
        for row in range(rows):
            filled = 0
            while filled < length:
                while len(waiting) < min(BUFFER, n_documents):
                    waiting.append(next(coming))
                room = length - filled
                sizes = np.fromiter((len(each) for each in waiting), np.int64, len(waiting))
                fitting = np.where(sizes <= room, sizes, -1)
                which = int(fitting.argmax()) if fitting.max() >= 0 else int(sizes.argmin())
                piece = waiting.pop(which)[:room]
                batch[row, filled : filled + len(piece)] = piece
                filled += len(piece)
        yield batch.copy()


LOADERS: dict[str, Callable[[Stream, int, int, int], Rows]] = {
    "nanogpt": random_crops,
    "litgpt": shuffled_blocks,
    "transformers": shuffled_blocks,
    "nanochat": best_fit,
}
