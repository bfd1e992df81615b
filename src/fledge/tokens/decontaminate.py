"""Documents that share a run of words with an evaluation text are kept out of training.

The criterion is GPT-3's (arXiv 2005.14165, appendix C): a common run of 13 words, letter case and punctuation
left aside. Words and runs are compared by 64-bit hashes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fledge.tokens.evaltexts import read_texts

_WORD = re.compile(r"[^\W_]+")
# For ASCII text: letters in lower case and digits stay, all else parts words.
_BYTE_TABLE = bytes(ord(chr(byte).lower()) if byte < 0x80 and chr(byte).isalnum() else 0x20 for byte in range(256))
_POSITIONS = 64
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Hit:
    """Document number ``document`` of those given shares ``n_runs`` runs of words with ``file``."""

    document: int
    file: str
    n_runs: int


@dataclass(frozen=True, eq=False)
class RunIndex:
    """Hashes of all runs of ``ngram`` words of the evaluation texts, sorted, and the file that each is from."""

    ngram: int
    hashes: np.ndarray
    file_of: np.ndarray
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    _sieve: np.ndarray = field(default_factory=lambda: np.zeros(0, bool), repr=False)

    def matches(self, runs: np.ndarray) -> np.ndarray:
        """For each run's hash its place in the index, −1 where it is not there."""
        places = np.full(len(runs), -1, dtype=np.int64)
        if len(self.hashes) == 0:
            return places
        shift = np.uint64(64 - (len(self._sieve).bit_length() - 1))
        likely = np.flatnonzero(self._sieve[(runs >> shift).astype(np.int64)])
        found = np.searchsorted(self.hashes, runs[likely])
        found[found == len(self.hashes)] = 0
        same = self.hashes[found] == runs[likely]
        places[likely[same]] = found[same]
        return places

    def hits(self, texts: Sequence[str]) -> list[Hit]:
        """Which of ``texts`` share a run, in order; the file is the one of the first run that they share."""
        owner, runs, _ = _runs(texts, self.ngram)
        places = self.matches(runs)
        shared = np.flatnonzero(places >= 0)
        documents, first, counts = np.unique(owner[shared], return_index=True, return_counts=True)
        return [
            Hit(int(document), self.files[self.file_of[places[shared[at]]]], int(count))
            for document, at, count in zip(documents, first, counts, strict=True)
        ]

    def without_passages(self, text: str) -> list[str]:
        """What is left of ``text`` before, between and after the passages that it shares."""
        words = list(_WORD.finditer(text))
        _, runs, _ = _runs([text], self.ngram)
        left, at = [], 0
        for start in np.flatnonzero(self.matches(runs) >= 0).tolist():
            begin, end = words[start].start(), words[start + self.ngram - 1].end()
            if begin > at:
                left.append(text[at:begin])
            at = max(at, end)
        return [piece.strip() for piece in [*left, text[at:]] if _WORD.search(piece)]


def build_index(paths: Iterable[Path], ngram: int) -> RunIndex:
    """Read the evaluation files. ``notes`` tells of texts too short to hold a run of ``ngram`` words."""
    files, parts, owners, notes = [], [], [], []
    for number, path in enumerate(paths):
        texts = list(read_texts(path))
        owner, runs, _ = _runs(texts, ngram)
        files.append(str(path))
        parts.append(runs)
        owners.append(np.full(len(runs), number, dtype=np.int32))
        n_checked = len(np.unique(owner))
        if n_checked < len(texts):
            notes.append(f"{path.name}: {len(texts) - n_checked} of {len(texts)} texts are shorter than {ngram} words")
    everything = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    hashes, first = np.unique(everything, return_index=True)
    file_of = np.concatenate(owners)[first] if parts else np.zeros(0, np.int32)
    bits = max(16, min(26, len(hashes).bit_length() + 4))
    sieve = np.zeros(1 << bits, dtype=bool)
    sieve[(hashes >> np.uint64(64 - bits)).astype(np.int64)] = True
    digest = hashlib.sha256(f"{ngram} {files}".encode() + hashes.tobytes()).hexdigest()
    return RunIndex(ngram, hashes, file_of, tuple(files), tuple(notes), digest, sieve)


def _runs(texts: Sequence[str], ngram: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The text that each run is of, the runs' hashes, and the number of words of each text."""
    normal = [_normalised(text) for text in texts]
    data = np.frombuffer(b" ".join(normal) + b" ", dtype=np.uint8)
    inside = data != 0x20
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    begins = np.cumsum([0] + [len(part) + 1 for part in normal])
    owner = np.searchsorted(begins, starts, side="right") - 1
    n_words = np.bincount(owner, minlength=len(texts))
    if len(starts) < ngram:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64), n_words
    words = _word_hashes(data, starts, ends)
    n_runs = len(words) - ngram + 1
    runs = np.zeros(n_runs, dtype=np.uint64)
    for k in range(ngram):
        runs = runs * _STEP + words[k : k + n_runs]
    runs ^= runs >> np.uint64(31)
    runs *= _STEP
    whole = owner[:n_runs] == owner[ngram - 1 :]
    return owner[:n_runs][whole], runs[whole], n_words


def _normalised(text: str) -> bytes:
    """Words in lower case between single bytes that are no word's."""
    if text.isascii():
        return text.encode("ascii").translate(_BYTE_TABLE)
    return " ".join(_WORD.findall(text)).casefold().encode("utf-8", "ignore")


def _word_hashes(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sum over a word of a random number for each (byte, place): tabulation hashing."""
    lengths = ends - starts
    flat = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
    place = (flat - np.repeat(starts, lengths)) % _POSITIONS
    numbers = _table()[place * 256 + data[flat]]
    return np.add.reduceat(numbers, np.cumsum(lengths) - lengths)


def _table() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(13)).integers(0, 1 << 64, _POSITIONS * 256, dtype=np.uint64)
