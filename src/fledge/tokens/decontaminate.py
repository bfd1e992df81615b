"""Documents that share a run of words with an evaluation text are kept out of training.

The criterion is GPT-3's (arXiv 2005.14165, appendix C): a common run of 13 words, letter case and punctuation
left aside; a shorter text is looked for whole, down to 8 words, below which runs are shared by chance. Words and runs
are compared by 64-bit hashes.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fledge.run.files import read_json, write_bytes, write_json
from fledge.tokens.evaltexts import read_texts
from fledge.types import FledgeError

_RUNS_NAME, _INDEX_NAME = "runs.npy", "index.json"
_STORED = np.dtype([("hash", "<u8"), ("file", "<i4")])
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
    """Hashes of the runs of words of the evaluation texts, sorted, and the file that each is from.

    ``lengths`` are the lengths of the runs in words, ascending: that of long texts, and those of short whole ones.
    """

    lengths: tuple[int, ...]
    hashes: np.ndarray
    file_of: np.ndarray
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()
    _sieve: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        bits = max(16, min(26, len(self.hashes).bit_length() + 4))
        sieve = np.zeros(1 << bits, dtype=bool)
        sieve[(self.hashes >> np.uint64(64 - bits)).astype(np.int64)] = True
        object.__setattr__(self, "_sieve", sieve)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides what is found."""
        return hashlib.sha256(f"{self.lengths} {self.files}".encode() + self.hashes.tobytes()).hexdigest()

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
        shared = [np.zeros((0, 3), np.int64)]
        for _, owner, start, runs in _runs(texts, self.lengths)[0]:
            places = self.matches(runs)
            here = np.flatnonzero(places >= 0)
            shared.append(np.stack([owner[here], start[here], places[here]], axis=1))
        found = np.concatenate(shared)
        found = found[np.lexsort((found[:, 1], found[:, 0]))]
        documents, first, counts = np.unique(found[:, 0], return_index=True, return_counts=True)
        return [
            Hit(int(document), self.files[self.file_of[found[at, 2]]], int(count))
            for document, at, count in zip(documents, first, counts, strict=True)
        ]

    def without_passages(self, text: str) -> list[str]:
        """What is left of ``text`` before, between and after the passages that it shares."""
        words = list(_WORD.finditer(text))
        shared = [
            (first, first + length)
            for length, _, start, runs in _runs([text], self.lengths)[0]
            for first in start[self.matches(runs) >= 0].tolist()
        ]
        left, at = [], 0
        for first, end in sorted(shared):
            begin = words[first].start()
            if begin > at:
                left.append(text[at:begin])
            at = max(at, words[end - 1].end())
        return [piece.strip() for piece in [*left, text[at:]] if _WORD.search(piece)]

    def save(self, directory: Path) -> None:
        """Write the index for :func:`load_index`; the same index gives the same bytes."""
        stored = np.zeros(len(self.hashes), _STORED)
        stored["hash"], stored["file"] = self.hashes, self.file_of
        data = io.BytesIO()
        np.save(data, stored)
        write_bytes(directory / _RUNS_NAME, data.getvalue())
        write_json(directory / _INDEX_NAME, {"lengths": self.lengths, "files": self.files, "notes": self.notes})


def load_index(directory: Path) -> RunIndex | None:
    """The index saved in ``directory``; None where there is none. Raises FledgeError for a damaged one."""
    if not (directory / _INDEX_NAME).is_file():
        return None
    about = read_json(directory / _INDEX_NAME)
    try:
        stored = np.load(directory / _RUNS_NAME, allow_pickle=False)
        lengths, files, notes = (tuple(about[name]) for name in ("lengths", "files", "notes"))
        return RunIndex(lengths, stored["hash"].copy(), stored["file"].copy(), files, notes)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise FledgeError("is damaged", where=str(directory), fix="remove it and run the tokens stage again") from None


def build_index(paths: Iterable[Path], ngram: int, shortest: int | None = None) -> RunIndex:
    """Read the evaluation files: all runs of ``ngram`` words, and shorter texts whole from ``shortest`` words on.

    ``shortest`` is ``ngram`` where it is not given. ``notes`` tells of texts that are shorter still, which cannot be
    found, and of rows that are not what their file says.
    """
    shortest = ngram if shortest is None else min(shortest, ngram)
    wanted = range(shortest, ngram + 1)
    files: list[str] = []
    notes: list[str] = []
    parts, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    lengths: set[int] = set()
    for number, path in enumerate(paths):
        texts = list(dict.fromkeys(read_texts(path, notes)))
        runs_by_length, n_words = _runs(texts, wanted)
        files.append(str(path))
        for length, owner, _, runs in runs_by_length:
            kept = runs if length == ngram else runs[n_words[owner] == length]
            if len(kept):
                lengths.add(length)
            parts.append(kept)
            owners.append(np.full(len(kept), number, dtype=np.int32))
        n_short = int((n_words < shortest).sum())
        if n_short:
            notes.append(
                f"{path.name}: {n_short} of {len(texts)} different texts have fewer than {shortest} words "
                "and are not looked for"
            )
    hashes, first = np.unique(np.concatenate(parts), return_index=True)
    return RunIndex(tuple(sorted(lengths)), hashes, np.concatenate(owners)[first], tuple(files), tuple(notes))


def _runs(
    texts: Sequence[str], lengths: Sequence[int]
) -> tuple[list[tuple[int, np.ndarray, np.ndarray, np.ndarray]], np.ndarray]:
    """For each length in words, ascending: the text that each run is of, its first word's place among the words of
    all texts, and its hash. Beside it the number of words of each text.
    """
    normal = [_normalised(text) for text in texts]
    data = np.frombuffer(b" ".join(normal) + b" ", dtype=np.uint8)
    inside = data != 0x20
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    begins = np.cumsum([0] + [len(part) + 1 for part in normal])
    owner = np.searchsorted(begins, starts, side="right") - 1
    n_words = np.bincount(owner, minlength=len(texts))
    made: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
    if not len(starts):
        return made, n_words
    words = _word_hashes(data, starts, ends)
    runs = words.copy()
    for length in range(1, min(max(lengths, default=0), len(words)) + 1):
        if length > 1:
            runs = runs[:-1] * _STEP + words[length - 1 :]
        if length in lengths:
            whole = np.flatnonzero(owner[: len(runs)] == owner[length - 1 :])
            mixed = runs[whole]
            made.append((length, owner[whole], whole, (mixed ^ (mixed >> np.uint64(31))) * _STEP))
    return made, n_words


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
