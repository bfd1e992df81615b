"""Means with standard errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def mean_and_stderr(values: ArrayLike) -> tuple[float, float | None]:
    """Mean, and standard error s/√n with the n - 1 variance; None for fewer than two values.

    For scores of 0 and 1 this is the binomial √(p(1 - p)/(n - 1)).
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return float("nan"), None
    if array.size == 1:
        return float(array[0]), None
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(array.size))


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
