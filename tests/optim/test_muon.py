from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.optim.muon import Muon, orthogonalise


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@given(st.integers(1, 4), st.sampled_from([(32, 32), (24, 64), (64, 24)]), st.floats(1e-6, 1e4), st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_singular_values_go_to_one_and_singular_vectors_stay(n, shape, scale, seed):
    matrices = torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed)) * scale
    u, s, vh = torch.linalg.svd(matrices, full_matrices=False)
    got = orthogonalise(matrices, 5, torch.float32)
    inside = torch.diagonal(u.mT @ got @ vh.mT, dim1=-2, dim2=-1)
    large = s > 5e-3 * s.amax(dim=-1, keepdim=True)
    assert ((inside - 1).abs()[large] < 0.15).all()
    assert torch.linalg.svdvals(got).max() < 1.15
    exact = orthogonalise(matrices.double(), 14, torch.float64)
    torch.testing.assert_close(
        exact[s.amin(-1) > 1e-5 * scale], (u @ vh).double()[s.amin(-1) > 1e-5 * scale], atol=1e-3, rtol=0
    )


def test_bfloat16_is_near_enough():
    matrices = torch.randn(3, 64, 176, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices, 5, torch.bfloat16).float())
    assert values.min() > 0.8 and values.max() < 1.2


def test_zero_stays_zero_and_stacking_changes_nothing():
    matrices = torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(0))
    matrices[1] = 0
    together = orthogonalise(matrices, 5, torch.float32)
    assert together[1].abs().max() == 0
    for i in (0, 2):
        torch.testing.assert_close(together[i], orthogonalise(matrices[i : i + 1], 5, torch.float32)[0])


def muon(parameters, **settings_):
    defaults = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "steps": 5, "dtype": torch.float32}
    return Muon(parameters, **{**defaults, **settings_})


def test_three_steps_by_the_formula():
    torch.manual_seed(0)
    start = {"a": torch.randn(12, 6), "b": torch.randn(12, 6), "c": torch.randn(6, 12)}
    live = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
    optimizer = muon(live)
    expected = {name: tensor.clone() for name, tensor in start.items()}
    momentum = {name: torch.zeros_like(tensor) for name, tensor in start.items()}
    for step in range(3):
        for name, parameter in live.items():
            gradient = torch.randn(parameter.shape)
            parameter.grad = gradient.clone()
            momentum[name] = 0.9 * momentum[name] + 0.1 * gradient
            nesterov = 0.1 * gradient + 0.9 * momentum[name]
            update = orthogonalise(nesterov[None], 5, torch.float32)[0]
            expected[name] -= 0.1 * (step + 1) / 3 * max(1, parameter.shape[0] / parameter.shape[1]) ** 0.5 * update
        optimizer.step((step + 1) / 3)
    for name in live:
        torch.testing.assert_close(live[name].detach(), expected[name], rtol=1e-4, atol=1e-5)


def test_how_many_are_iterated_together_changes_nothing(monkeypatch):
    start = {name: torch.randn(12, 6, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("abcde")}
    moved, momenta = [], []
    for together in (2**23, 144, 1):
        monkeypatch.setattr("fledge.optim.muon.TOGETHER", together)
        live = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
        optimizer = muon(live, weight_decay=0.1)
        for step in range(2):
            for i, parameter in enumerate(live.values()):
                parameter.grad = torch.randn(12, 6, generator=torch.Generator().manual_seed(10 * step + i))
            optimizer.step(1.0)
        moved.append(torch.stack([parameter.detach() for parameter in live.values()]))
        momenta.append(torch.stack(list(optimizer.state().values())))
        assert list(optimizer.state()) == list(start)
    for other in (1, 2):
        torch.testing.assert_close(moved[0], moved[other], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(momenta[0], momenta[other], rtol=0, atol=0)


def test_weight_decay_is_decoupled_and_cautious():
    torch.manual_seed(0)
    start = torch.randn(8, 8)
    gradient = torch.randn(8, 8)
    results = {}
    for decay in (0.0, 0.5):
        parameter = start.clone().requires_grad_()
        parameter.grad = gradient.clone()
        muon({"w": parameter}, weight_decay=decay).step(1.0)
        results[decay] = parameter.detach()
    update = (start - results[0.0]) / 0.1
    shrinks = update * start > 0
    difference = results[0.0] - results[0.5]
    torch.testing.assert_close(difference[shrinks], 0.1 * 0.5 * start[shrinks], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(difference[~shrinks], torch.zeros_like(difference[~shrinks]))


def test_a_vector_is_refused():
    with pytest.raises(AssertionError, match="matrices"):
        muon({"norm": torch.ones(3, requires_grad=True)})
