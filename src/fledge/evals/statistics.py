"""Means with standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def mean_and_stderr(values: ArrayLike) -> tuple[float, float | None]:
    """Mean, and standard error s/√n with the n - 1 variance; None for fewer than two values."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return float("nan"), None
    if array.size == 1:
        return float(array[0]), None
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(array.size))


def score_and_stderr(scores: Sequence[float]) -> tuple[float, float | None]:
    """Mean score with the error of a share where all scores are 0 or 1, of a mean where some lie between."""
    if set(scores) <= {0.0, 1.0}:
        return share_and_stderr(round(sum(scores)), len(scores))
    return mean_and_stderr(scores)


def share_and_stderr(count: int, n: int) -> tuple[float, float | None]:
    """The share ``count / n``, and half the width of its Wilson score interval at z = 1; None for ``n`` below two.

    √(n·p(1 - p) + 1/4)/(n + 1), from E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
    Inference", JASA 22 (1927). Nearly √(p(1 - p)/n) in the middle, and not 0 where all or none are right.
    """
    if n < 2:
        return (count / n if n else float("nan")), None
    share = count / n
    return share, math.sqrt(n * share * (1 - share) + 0.25) / (n + 1)


def ratio_and_stderr(numerators: ArrayLike, denominators: ArrayLike) -> tuple[float, float | None]:
    """Ratio of sums Σx/Σy over units, and its standard error by linearisation (the ratio estimator).

    √(n/(n - 1) · Σ(x - r·y)²) / Σy; None for fewer than two units.
    """
    x, y = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if x.size == 0 or y.sum() == 0:
        return float("nan"), None
    ratio = float(x.sum() / y.sum())
    if x.size == 1:
        return ratio, None
    squares = float(np.square(x - ratio * y).sum())
    return ratio, math.sqrt(x.size / (x.size - 1) * squares) / float(y.sum())
