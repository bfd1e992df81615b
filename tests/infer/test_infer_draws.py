"""Sampling by the library equals sampling by its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.native.build import library
from fledge.infer.native.draws import NO_NUMBERS, NO_TOKEN, WANTED, draw
from fledge.infer.sampling import filtered_logprobs, pick, uniforms
from fledge.types import FledgeError

try:
    library()
except FledgeError as error:  # a machine without a compiler
    pytestmark = pytest.mark.skip(reason=str(error))


def wanted(n: int, **values) -> np.ndarray:
    made = np.zeros(n, dtype=WANTED)
    made["top_p"] = 1.0
    for name, each in {"temperature": 1.0, **values}.items():
        made[name] = each
    return made


ROWS = st.tuples(
    st.integers(1, 700),  # tokens
    st.integers(0, 2**32 - 1),  # seed
    st.sampled_from([0.3, 2.0, 8.0, 60.0]),  # how peaked
    st.sampled_from([0.0, 0.2, 1.0]),  # share of ties
    st.sampled_from([0.0, 0.5, 0.97]),  # share that cannot come
    st.sampled_from([0.05, 0.7, 1.0, 3.0]),  # temperature
    st.sampled_from([0, 1, 2, 17, 300, 699, 5000]),
    st.sampled_from([0.0, 0.05, 0.5, 0.9, 0.999, 1.0]),
    st.sampled_from([0.0, 0.02, 0.6, 1.0]),
)


@given(ROWS)
@settings(max_examples=400, deadline=None)
def test_draws_are_those_of_the_definition(row) -> None:
    n, seed, spread, ties, gone, temperature, top_k, top_p, min_p = row
    rng = np.random.default_rng(seed)
    values = rng.normal(0, spread, n)
    values = np.where(rng.random(n) < ties, np.round(values), values)
    raw = torch.from_numpy(values.astype(np.float32)).expand(5, n)
    logits = raw.clone()
    logits[:, torch.from_numpy(rng.random(n) < gone)] = float("-inf")
    logits[:, int(rng.integers(n))] = 0.5
    uniform = np.array([0.0, *rng.random(3), np.nextafter(1.0, 0.0)])
    asked = wanted(5, uniform=uniform, temperature=temperature, top_k=min(top_k, n), top_p=top_p, min_p=min_p)
    got = draw(logits, raw, asked)
    cuts = [torch.tensor([value] * 5) for value in (temperature, min(top_k, n), top_p, min_p)]
    distribution = filtered_logprobs(logits, *cuts).double()
    assert (got["fault"] == 0).all()
    raw_logprobs = raw.double().log_softmax(-1)
    cumulated = distribution.exp().cumsum(-1)
    for i, each in enumerate(got):
        token = each["token"]
        least = cumulated[i, token - 1] if token else 0.0
        assert least - 1e-5 <= uniform[i] * cumulated[i, -1] <= cumulated[i, token] + 1e-5
        # a token at a border may be cut by the one and kept by the other where they round differently
        near = abs(float(distribution[i, token]) - each["logprob"])
        assert near < 2e-4 or at_a_border(logits[i], temperature, top_k, top_p, min_p, float(each["logprob"]), token)
        assert abs(float(raw_logprobs[i, token]) - each["raw_logprob"]) < 1e-4 * max(1, spread)


def at_a_border(logits, temperature, top_k, top_p, min_p, logprob, token) -> bool:
    """Whether a slightly wider or narrower cut gives this log-probability by the definition."""
    for factor in (1 - 1e-5, 1 + 1e-5):
        cuts = [
            torch.tensor([v]) for v in (temperature, min(top_k, len(logits)), min(1.0, top_p * factor), min_p * factor)
        ]
        if abs(float(filtered_logprobs(logits[None], *cuts)[0, token]) - logprob) < 2e-4:
            return True
    return False


def test_frequencies_are_the_probabilities() -> None:
    n, logits = 40_000, torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5, 0.2])
    asked = wanted(n, uniform=uniforms(np.arange(n), np.full(n, 17)), temperature=0.7, top_p=0.95)
    rows = logits.expand(n, -1)
    counts = torch.bincount(torch.from_numpy(draw(rows, rows, asked)["token"].copy()), minlength=6).double()
    cuts = [torch.tensor([value]) for value in (0.7, 0, 0.95, 0.0)]
    p = filtered_logprobs(logits[None], *cuts)[0].double().exp()
    kept = p > 0
    assert 3 < int(kept.sum()) < 6 and not counts[~kept].any()
    assert float(((counts - n * p) ** 2 / (n * p))[kept].sum()) < 20.5  # beyond the 99.9 % point at 5 degrees


def test_the_likeliest_at_temperature_0_and_its_log_probabilities() -> None:
    logits = torch.randn(3, 333, generator=torch.Generator().manual_seed(0))
    raw = logits + torch.arange(333) / 100
    got = draw(logits, raw, wanted(3, temperature=0.0))
    assert got["token"].tolist() == logits.argmax(-1).tolist()
    for name, values in (("logprob", logits), ("raw_logprob", raw)):
        exact = values.log_softmax(-1).gather(1, torch.from_numpy(got["token"].copy())[:, None])[:, 0]
        np.testing.assert_allclose(got[name], exact, atol=1e-5)


def test_faults() -> None:
    good = torch.zeros(40)
    none = torch.full((40,), float("-inf"))
    broken, endless = good.clone(), good.clone()
    broken[33], endless[3] = float("nan"), float("inf")
    raw = torch.stack([good, good, broken, endless])
    logits = torch.stack([good, none, broken, endless])
    for temperature in (0.0, 1.0):
        faults = draw(logits, raw, wanted(4, temperature=temperature))["fault"]
        assert faults.tolist() == [0, NO_TOKEN, NO_NUMBERS, NO_NUMBERS]


def test_companions_threads_and_strides_change_no_bit() -> None:
    generator = torch.Generator().manual_seed(3)
    wide = torch.randn(9, 1030, generator=generator) * 5
    asked = wanted(9, uniform=np.linspace(0, 0.99, 9), temperature=0.8, top_p=0.9, top_k=500)
    alone = [
        draw(wide[i : i + 1, :1001].contiguous(), wide[i : i + 1, :1001].contiguous(), asked[i : i + 1])
        for i in range(9)
    ]
    torch.set_num_threads(2)
    try:
        together = draw(wide[:, :1001], wide[:, :1001].clone(), asked)
    finally:
        torch.set_num_threads(1)
    assert together.tolist() == np.concatenate(alone).tolist()
    exact = pick(
        filtered_logprobs(wide[:, :1001], *(torch.tensor([v] * 9) for v in (0.8, 500, 0.9, 0.0))),
        torch.linspace(0, 0.99, 9, dtype=torch.float64),
    )
    assert together["token"].tolist() == exact.tolist()
