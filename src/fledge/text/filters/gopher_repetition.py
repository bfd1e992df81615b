"""The repetition rules of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fledge.text.ngrams import WordNgrams
from fledge.types import Verdict

_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAK = re.compile(r"\n+")


def gopher_repetition(
    text: str,
    *,
    max_dup_lines: float = 0.30,
    max_dup_line_chars: float = 0.20,
    max_dup_paragraphs: float = 0.30,
    max_dup_paragraph_chars: float = 0.20,
    max_top_2gram: float = 0.20,
    max_top_3gram: float = 0.18,
    max_top_4gram: float = 0.16,
    max_dup_5gram: float = 0.15,
    max_dup_6gram: float = 0.14,
    max_dup_7gram: float = 0.13,
    max_dup_8gram: float = 0.12,
    max_dup_9gram: float = 0.11,
    max_dup_10gram: float = 0.10,
) -> Verdict:
    """Keep texts that repeat themselves little; shares on a threshold are kept.

    Lines and paragraphs: the share that occurred before, and their share of characters. Top n-gram: characters of
    the most frequent one (with inner spaces, each time it occurs) over all. Dup n-grams: characters of words in
    n-grams that occurred before, read from left to right without counting a word twice, over all characters.
    """
    text = text.strip()
    if not text:
        return Verdict(True)
    for name, pattern, max_share, max_chars in (
        ("paragraphs", _PARAGRAPH_BREAK, max_dup_paragraphs, max_dup_paragraph_chars),
        ("lines", _LINE_BREAK, max_dup_lines, max_dup_line_chars),
    ):
        share, char_share = duplicate_shares(pattern.split(text), len(text))
        if share > max_share:
            return Verdict(False, f"more than {max_share:g} of {name} repeated")
        if char_share > max_chars:
            return Verdict(False, f"more than {max_chars:g} of characters in repeated {name}")
    tops = (max_top_2gram, max_top_3gram, max_top_4gram)
    dups = (max_dup_5gram, max_dup_6gram, max_dup_7gram, max_dup_8gram, max_dup_9gram, max_dup_10gram)
    top_shares, dup_shares = ngram_shares(text)
    for n, share, threshold in zip(range(2, 5), top_shares, tops, strict=True):
        if share > threshold:
            return Verdict(False, f"more than {threshold:g} of characters in the top {n}-gram")
    for n, share, threshold in zip(range(5, 11), dup_shares, dups, strict=True):
        if share > threshold:
            return Verdict(False, f"more than {threshold:g} of characters in repeated {n}-grams")
    return Verdict(True)


def duplicate_shares(parts: Sequence[str], n_characters: int) -> tuple[float, float]:
    """Of ``parts``, the share that occurred before, and their characters as a share of ``n_characters``."""
    seen: set[str] = set()
    n_repeated = repeated_characters = 0
    for part in parts:
        if part in seen:
            n_repeated += 1
            repeated_characters += len(part)
        else:
            seen.add(part)
    return n_repeated / len(parts), repeated_characters / n_characters


def ngram_shares(text: str) -> tuple[list[float], list[float]]:
    """Character shares of the top 2-, 3-, 4-gram, and of repeated 5- to 10-grams."""
    ngrams, n_characters = WordNgrams(text), len(text)
    tops, dups = [], []
    # An n-gram that occurs twice begins where an (n-1)-gram does: each n looks only at what the one before left.
    positions = np.arange(ngrams.n_words)
    lengths = np.concatenate(([0], np.cumsum(ngrams.ends - ngrams.starts)))
    for n in range(2, 11):
        positions = positions[positions + n <= ngrams.n_words]
        positions, labels, counts = _repeated(ngrams.keys(n, positions), positions)
        if n <= 4:
            spans = counts[labels] * (ngrams.ends[positions + n - 1] - ngrams.starts[positions])
            most = spans[counts[labels] == counts.max()].max() if len(positions) else 0
            tops.append(int(most) / n_characters)
        else:
            dups.append(_repeated_characters(positions.tolist(), labels.tolist(), lengths, n) / n_characters)
    return tops, dups


def _repeated(keys: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (in order) whose key occurs at least twice, a label of each key, and how often each label occurs."""
    order = np.argsort(keys)
    ranked = keys[order]
    is_new = np.concatenate(([True], ranked[1:] != ranked[:-1])) if len(ranked) else np.empty(0, bool)
    group = np.cumsum(is_new) - 1
    sizes = np.bincount(group) if len(group) else np.empty(0, np.int64)
    labels = np.empty(len(keys), np.int64)
    labels[order] = group
    kept = sizes[labels] >= 2 if len(keys) else np.empty(0, bool)
    return positions[kept], labels[kept], sizes


def _repeated_characters(positions: list[int], labels: list[int], lengths: np.ndarray, n: int) -> int:
    seen: set[int] = set()
    total = next_free = 0
    for position, label in zip(positions, labels, strict=True):
        if position < next_free:
            continue
        if label in seen:
            total += int(lengths[position + n] - lengths[position])
            next_free = position + n
        else:
            seen.add(label)
    return total
