"""Hashes of every word n-gram of a text at once, by prefix sums of a polynomial modulo 2^64."""

from __future__ import annotations

import numpy as np

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_ODD = np.uint64(0xD6E8FEB86659FD93)


class WordNgrams:
    """The words of ``text`` (split at whitespace) with hashes of their n-grams.

    ``starts`` and ``ends`` (n_words,) are character positions in the text with its whitespace made single spaces.
    Equal n-grams have equal keys on every machine; different ones collide with probability about 2^-64.
    """

    def __init__(self, text: str) -> None:
        flat = " ".join(text.split())
        codes = np.frombuffer(flat.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        spaces = np.flatnonzero(codes == 32)
        self.starts = np.concatenate(([0], spaces + 1)) if len(codes) else np.empty(0, np.int64)
        self.ends = np.concatenate((spaces, [len(codes)])) if len(codes) else np.empty(0, np.int64)
        powers = np.full(len(codes) + 1, _BASE, dtype=np.uint64)
        powers[0] = 1
        np.cumprod(powers, out=powers)
        self._prefix = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * _ODD * powers[:-1], out=self._prefix[1:])
        shifts = np.full(len(codes) + 1, _INVERSE, dtype=np.uint64)
        shifts[0] = 1
        self._shift_of_start = np.cumprod(shifts)[self.starts]

    @property
    def n_words(self) -> int:
        return len(self.starts)

    def keys(self, n: int, positions: np.ndarray | None = None) -> np.ndarray:
        """uint64 keys of the n-grams that begin at the word numbers ``positions`` (all where None)."""
        if positions is None:
            positions = np.arange(max(0, self.n_words - n + 1))
        spans = self._prefix[self.ends[positions + n - 1]] - self._prefix[self.starts[positions]]
        return spans * self._shift_of_start[positions]
