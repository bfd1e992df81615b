from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.sampling import filtered_logprobs, pick, uniforms


def one(logits: list[float], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0) -> list:
    values = [torch.tensor([v]) for v in (temperature, top_k, top_p, min_p)]
    return filtered_logprobs(torch.tensor([logits]), *values)[0].exp().tolist()


def by_definition(logits: list[float], temperature: float, top_k: int, top_p: float, min_p: float) -> list[float]:
    weights = [math.exp((x - max(logits)) / temperature) for x in logits]
    total = sum(weights)
    p = [w / total for w in weights]
    order = sorted(range(len(p)), key=lambda i: -p[i])
    kept = order[: top_k or len(order)]
    mass, cut = sum(p[i] for i in kept), []
    for i in kept:
        if sum(p[j] for j in cut) / mass >= top_p:
            break
        cut.append(i)
    cut = [i for i in cut if p[i] >= min_p * p[order[0]]]
    rest = sum(p[i] for i in cut)
    return [p[i] / rest if i in cut else 0.0 for i in range(len(p))]


@settings(max_examples=150, deadline=None)
@given(
    st.permutations([round(0.37 * k, 2) for k in range(8)]),
    st.sampled_from([0.5, 1.0, 1.7]),
    st.integers(0, 9),
    st.sampled_from([0.05, 0.33, 0.62, 0.9, 1.0]),
    st.sampled_from([0.0, 0.11, 0.4]),
)
def test_cuts_equal_the_definition(logits: list[float], temperature: float, k: int, p: float, min_p: float) -> None:
    got = one(list(logits), temperature, k, p, min_p)
    np.testing.assert_allclose(got, by_definition(list(logits), temperature, k, p, min_p), atol=1e-5)


def test_rows_keep_their_own_settings() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(4, 1)
    settings_B = (
        torch.tensor([1.0, 0.5, 1.0, 1.0]),
        torch.tensor([0, 0, 2, 0]),
        torch.tensor([1.0, 1.0, 1.0, 0.5]),
        torch.zeros(4),
    )
    together = filtered_logprobs(logits, *settings_B)
    for i in range(4):
        alone = filtered_logprobs(logits[i : i + 1], *(values[i : i + 1] for values in settings_B))[0]
        torch.testing.assert_close(together[i], alone)
    assert [int((row > -torch.inf).sum()) for row in together] == [4, 4, 2, 1]


def test_frequencies_are_the_probabilities() -> None:
    logits = torch.tensor([1.0, 0.0, 2.0, -1.0, 0.5])
    n = 40_000
    u = torch.from_numpy(uniforms(np.arange(n), np.full(n, 17)))
    counts = torch.bincount(pick(logits.log_softmax(0).expand(n, -1), u), minlength=5).double()
    p = logits.double().softmax(0)
    chi_square = float(((counts - n * p) ** 2 / (n * p)).sum())
    assert chi_square < 18.5  # the 99.9 % point at 4 degrees of freedom


def test_cut_tokens_are_never_picked() -> None:
    logprobs = torch.tensor([[-np.inf, math.log(0.25), -np.inf, math.log(0.75), -np.inf]])
    for u in (0.0, 0.25, np.nextafter(1.0, 0.0), 1.0):
        assert int(pick(logprobs, torch.tensor([u], dtype=torch.float64))) in (1, 3)


def test_uniforms_depend_on_seed_and_position_only() -> None:
    seeds, positions = np.meshgrid(np.arange(100), np.arange(100))
    u = uniforms(seeds.ravel(), positions.ravel())
    assert len(np.unique(u)) == 10_000
    assert abs(u.mean() - 0.5) < 0.015
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.05
    np.testing.assert_array_equal(u[7:9], uniforms(seeds.ravel()[7:9], positions.ravel()[7:9]))
    assert ((u >= 0) & (u < 1)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 7, 511, 512, 513, 1500]), st.sampled_from([0.1, 0.6, 0.999, 1.0]))
def test_large_vocabularies_are_cut_alike(seed: int, k: int, p: float) -> None:
    """Where only the likeliest are sorted, and where ties and flat distributions need them all."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.choice([0.0, 0.3, 4.0]), 1600).round(1)
    got = np.array(one(logits.tolist(), 1.0, k, p))
    probability = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    ranked = np.sort(probability)[::-1]
    kept = probability >= (ranked[k - 1] if 0 < k < 1600 else 0)
    inner = np.sort(probability[kept])[::-1]
    if p < 1:
        mass = inner.cumsum() / inner.sum()
        n = int((mass - inner / inner.sum() < p - 1e-9).sum())
        kept &= probability >= inner[n - 1]
    expected = np.where(kept, probability, 0) / probability[kept].sum()
    if abs(np.count_nonzero(got) - np.count_nonzero(expected)) <= 1 or np.ptp(logits) == 0:
        np.testing.assert_allclose(got, expected, atol=2e-3)  # one token at the border may fall either way
    else:
        # a tie at the border falls as a whole
        assert set(np.flatnonzero(got)) ^ set(np.flatnonzero(expected)) <= set(
            np.flatnonzero(np.isclose(probability, inner[n - 1]))
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 700), st.floats(0, 1, exclude_max=True))
def test_a_draw_is_where_the_sum_passes_the_number(seed: int, size: int, u: float) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 3, size)).float()
    logits[torch.from_numpy(rng.random(size) < 0.5)] = -torch.inf
    logits[int(rng.integers(size))] = 0.0
    logprobs = logits.log_softmax(0)
    token = int(pick(logprobs[None], torch.tensor([u], dtype=torch.float64)))
    cumulated = logprobs.double().exp().cumsum(0) / logprobs.double().exp().sum()
    assert logprobs[token] > -torch.inf
    assert float(cumulated[token]) >= u - 1e-6
    assert token == 0 or float(cumulated[token - 1]) <= u + 1e-6
