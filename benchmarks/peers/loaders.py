"""Rows of one token stream in the form that each peer's own loader gives them. Needs numpy only.

nanochat's own loader fills a row with whole documents and drops what is left of one that is longer: at rows of 256
tokens it would see mostly short documents, another text than the others. It gets shuffled blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = Iterator[NDArray[np.int64]]


@dataclass(frozen=True)
class Stream:
    """All documents in one array of token ids."""

    tokens: NDArray[np.uint16]

    @classmethod
    def open(cls, directory: Path) -> Stream:
        return cls(np.memmap(directory / "tokens.bin", dtype=np.uint16, mode="r"))


def random_crops(stream: Stream, rows: int, length: int, seed: int) -> Rows:
    """nanoGPT: pieces of the stream from random places, blind to documents; batches (rows, length)."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(stream.tokens) - length + 1, rows)
        yield stream.tokens[starts[:, None] + np.arange(length)].astype(np.int64)


def shuffled_blocks(stream: Stream, rows: int, length: int, seed: int) -> Rows:
    """litgpt, transformers and nanochat: the stream cut into blocks of ``length``, in a new order every epoch."""
    rng = np.random.default_rng(seed)
    n_blocks = len(stream.tokens) // length
    if n_blocks < rows:
        raise ValueError(f"the text gives {n_blocks} blocks of {length} tokens, a batch needs {rows}")
    while True:
        order = rng.permutation(n_blocks)
        for first in range(0, n_blocks - rows + 1, rows):
            starts = order[first : first + rows] * length
            yield stream.tokens[starts[:, None] + np.arange(length)].astype(np.int64)


LOADERS: dict[str, Callable[[Stream, int, int, int], Rows]] = {
    "nanogpt": random_crops,
    "litgpt": shuffled_blocks,
    "transformers": shuffled_blocks,
    "nanochat": shuffled_blocks,
}
