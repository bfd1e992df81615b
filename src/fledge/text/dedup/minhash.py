"""What duplicates have in common: one hash of the normalised text, and MinHash bands of its word shingles."""

from __future__ import annotations

import hashlib
import re
from functools import cache

import numpy as np

from fledge.text.ngrams import WordNgrams

_NOT_WORD = re.compile(r"[\W_]+")
# Scripts written without spaces: each character counts as a word.
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
_BLOCK = 512


def normalise(text: str) -> str:
    """Lower case, words only, single spaces: two texts that differ less than this are exact duplicates."""
    text = text.lower()
    if not text.isascii():
        text = _UNSPACED.sub(r" \1 ", text)
    return _NOT_WORD.sub(" ", text).strip()


def exact_key(text: str, normalised: str) -> bytes:
    """16 bytes, equal for exact duplicates; a text without words stands for itself."""
    return hashlib.blake2b((normalised or text.strip()).encode("utf-8"), digest_size=16).digest()


@cache
def _permutations(n_hashes: int) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers (odd) and offsets of ``n_hashes`` hash functions, (n_hashes, 1) uint64 each."""
    seeds = _mix(np.arange(1, 2 * n_hashes + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return (seeds[:n_hashes] | np.uint64(1))[:, None], seeds[n_hashes:, None]


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014): every input bit moves every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def minhash(normalised: str, *, shingle_words: int, n_hashes: int) -> np.ndarray:
    """MinHash (Broder 1997) of the set of word shingles, (n_hashes,) uint64.

    Two texts agree in each hash with the probability of their shingles' Jaccard similarity. A text shorter than a
    shingle is one shingle; an empty one gives the largest value throughout.
    """
    ngrams = WordNgrams(normalised)
    shingles = np.unique(_mix(ngrams.keys(min(shingle_words, max(1, ngrams.n_words)))))
    multipliers, offsets = _permutations(n_hashes)
    smallest = np.full(n_hashes, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(shingles), _BLOCK):
        hashes = shingles[None, start : start + _BLOCK] * multipliers + offsets
        np.minimum(smallest, hashes.min(axis=1), out=smallest)
    return smallest


def band_keys(signature: np.ndarray, *, bands: int) -> np.ndarray:
    """A key for each band of equally many hashes, (bands,) uint64: near-duplicates share at least one.

    With b bands of r hashes, texts of Jaccard similarity s share one with probability 1 - (1 - s^r)^b; for FineWeb's
    14 × 8 (arXiv 2406.17557) that is one half near s = .72.
    """
    rows = signature.reshape(bands, -1)
    keys = np.zeros(bands, dtype=np.uint64)
    for column in rows.T:
        keys = _mix(keys ^ column)
    return keys
