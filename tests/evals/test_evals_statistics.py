from __future__ import annotations

import math

import numpy as np
import pytest

from fledge.evals.statistics import mean_and_stderr, ratio_and_stderr


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_stderr_of_a_mean_is_the_spread_of_repeated_measurements(p: float) -> None:
    rng = np.random.default_rng(0)
    samples = (rng.random((4000, 60)) < p).astype(float)
    measured = [mean_and_stderr(sample) for sample in samples]
    spread = np.std([mean for mean, _ in measured])
    claimed = math.sqrt(np.mean([stderr**2 for _, stderr in measured]))
    assert claimed == pytest.approx(spread, rel=0.05)
    mean, stderr = measured[0]
    assert stderr == pytest.approx(math.sqrt(mean * (1 - mean) / 59))


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
    assert math.isnan(mean_and_stderr([])[0])
    assert math.isnan(ratio_and_stderr([], [])[0])
    assert ratio_and_stderr([2.0, 4.0], [1.0, 2.0]) == (2.0, 0.0)
