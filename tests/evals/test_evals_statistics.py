from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from fledge.evals.statistics import mean_and_stderr, ratio_and_stderr, score_and_stderr, share_and_stderr

Measure = Callable[[np.ndarray], tuple[float, float]]


@pytest.mark.parametrize("measure", [mean_and_stderr, score_and_stderr])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_stderr_of_a_mean_is_the_spread_of_repeated_measurements(measure: Measure, p: float) -> None:
    rng = np.random.default_rng(0)
    samples = (rng.random((4000, 60)) < p).astype(float)
    measured = [measure(sample) for sample in samples]
    spread = np.std([mean for mean, _ in measured])
    claimed = math.sqrt(np.mean([stderr**2 for _, stderr in measured]))
    assert claimed == pytest.approx(spread, rel=0.05)
    mean, stderr = measured[0]
    assert stderr == pytest.approx(math.sqrt(mean * (1 - mean) / 59), rel=0.05)


@pytest.mark.parametrize("n", [2, 5, 200])
def test_a_share_of_none_or_all_is_not_certain(n: int) -> None:
    assert share_and_stderr(0, n) == (0.0, pytest.approx(0.5 / (n + 1)))
    assert score_and_stderr([1.0] * n) == (1.0, share_and_stderr(0, n)[1])


@pytest.mark.parametrize(("k", "n"), [(1, 4), (7, 9), (40, 200)])
def test_stderr_of_a_share_is_half_of_wilsons_interval(k: int, n: int) -> None:
    # The interval's ends are the shares q from which k/n lies one standard error of q away: (p - q)² = q(1 - q)/n.
    ends = np.roots([1 + 1 / n, -2 * k / n - 1 / n, (k / n) ** 2])
    assert share_and_stderr(k, n)[1] == pytest.approx((ends.max() - ends.min()) / 2)


def test_scores_between_0_and_1_have_the_spread_of_their_values() -> None:
    assert score_and_stderr([0.0, 0.5, 1.0]) == (0.5, pytest.approx(0.5 / math.sqrt(3)))


def test_stderr_of_a_ratio_is_the_spread_of_repeated_measurements() -> None:
    rng = np.random.default_rng(1)
    measured = []
    for _ in range(3000):
        n_bytes = rng.integers(50, 500, 80)
        bits = n_bytes * rng.gamma(8, 0.2, 80)
        measured.append(ratio_and_stderr(bits, n_bytes))
    spread = np.std([ratio for ratio, _ in measured])
    claimed = math.sqrt(np.mean([stderr**2 for _, stderr in measured]))
    assert claimed == pytest.approx(spread, rel=0.06)


def test_too_few_values_have_no_stderr() -> None:
    assert mean_and_stderr([0.5]) == (0.5, None)
    assert ratio_and_stderr([3.0], [2.0]) == (1.5, None)
    assert share_and_stderr(1, 1) == (1.0, None)
    assert math.isnan(mean_and_stderr([])[0])
    assert math.isnan(share_and_stderr(0, 0)[0])
    assert math.isnan(ratio_and_stderr([], [])[0])
    assert ratio_and_stderr([2.0, 4.0], [1.0, 2.0]) == (2.0, 0.0)
