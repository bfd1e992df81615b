"""The quality rules of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fledge.types import Verdict

_LETTER = re.compile(r"[^\W\d_]")
_WORD_EDGES = "\"'“”‘’()[]{}.,;:!?*_-—"
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
BULLETS = ("•", "-", "*", "‣", "◦")


def gopher_quality(
    text: str,
    *,
    min_words: int = 50,
    max_words: int = 100_000,
    min_mean_word_length: float = 3.0,
    max_mean_word_length: float = 10.0,
    max_hash_ratio: float = 0.1,
    max_ellipsis_ratio: float = 0.1,
    max_bullet_lines: float = 0.9,
    max_ellipsis_lines: float = 0.3,
    min_alphabetic_words: float = 0.8,
    min_stop_words: int = 2,
    stop_words: Sequence[str] = STOP_WORDS,
) -> Verdict:
    """Keep texts that look like prose; thresholds as in Gopher, values on a threshold are kept.

    Words are split at whitespace; ratios are per word, line shares per non-empty line. ``min_stop_words`` counts
    different words of ``stop_words``, which are English: set it to 0 for other languages.
    """
    words = text.split()
    n_words = len(words)
    if n_words < min_words:
        return Verdict(False, f"fewer than {min_words} words")
    if n_words > max_words:
        return Verdict(False, f"more than {max_words} words")
    if n_words == 0:
        return Verdict(True)
    mean_length = sum(map(len, words)) / n_words
    if mean_length < min_mean_word_length:
        return Verdict(False, f"mean word length below {min_mean_word_length:g}")
    if mean_length > max_mean_word_length:
        return Verdict(False, f"mean word length above {max_mean_word_length:g}")
    if text.count("#") / n_words > max_hash_ratio:
        return Verdict(False, f"more than {max_hash_ratio:g} # a word")
    if (text.count("...") + text.count("…")) / n_words > max_ellipsis_ratio:
        return Verdict(False, f"more than {max_ellipsis_ratio:g} ellipses a word")
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    if sum(line.startswith(BULLETS) for line in lines) / len(lines) > max_bullet_lines:
        return Verdict(False, f"more than {max_bullet_lines:g} of lines are bullets")
    if sum(line.endswith(("...", "…")) for line in lines) / len(lines) > max_ellipsis_lines:
        return Verdict(False, f"more than {max_ellipsis_lines:g} of lines end in an ellipsis")
    unsure = [word for word in words if not word.isalpha()]
    n_alphabetic = n_words - len(unsure) + sum(1 for word in unsure if _LETTER.search(word))
    if n_alphabetic / n_words < min_alphabetic_words:
        return Verdict(False, f"fewer than {min_alphabetic_words:g} of words hold a letter")
    if min_stop_words and not _has_stop_words(words, frozenset(stop_words), min_stop_words):
        return Verdict(False, f"fewer than {min_stop_words} different stop words")
    return Verdict(True)


def _has_stop_words(words: list[str], stop_words: frozenset[str], at_least: int) -> bool:
    found: set[str] = set()
    for word in words:
        plain = word.strip(_WORD_EDGES).lower()
        if plain in stop_words:
            found.add(plain)
            if len(found) >= at_least:
                return True
    return False
