from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fledge.optim.schedule import learning_rate_factor

SHARES = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 1))


@given(st.integers(1, 400), SHARES)
def test_rises_stays_falls(n_steps, shares):
    warmup, decay, final = shares
    factors = [learning_rate_factor(s, n_steps, warmup=warmup, decay=decay, final=final) for s in range(n_steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[0] > 0 or n_steps == 1 or round(decay * n_steps) >= n_steps
    peak = max(range(n_steps), key=lambda s: factors[s])
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    if round(decay * n_steps) >= 1:
        assert abs(factors[-1] - final) < 1e-9


def test_by_hand():
    factors = [learning_rate_factor(s, 10, warmup=0.2, decay=0.5, final=0.1) for s in range(10)]
    expected = [1 / 3, 2 / 3, 1, 1, 1, 0.82, 0.64, 0.46, 0.28, 0.1]
    assert all(abs(a - b) < 1e-9 for a, b in zip(factors, expected, strict=True))
