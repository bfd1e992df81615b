from __future__ import annotations

import pytest
import torch

from fledge.optim.build import build_optimizer, parameter_group
from fledge.optim.config import OptimConfig
from fledge.optim.rates import Rates, learning_rates
from fledge.types import FledgeError

SHAPES = {
    "model.embed_tokens.weight": (10, 4),
    "model.layers.0.mlp.up_proj.weight": (8, 4),
    "model.layers.0.input_layernorm.weight": (4,),
    "lm_head.weight": (10, 4),
}
RATES = Rates(matrix=0.02, token=0.3, embedding=0.2, head=0.01, norm=0.05)


def parameters() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator).requires_grad_() for name, shape in SHAPES.items()}


def give_gradients(live, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in live.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_adamw_parts_follow_torch_with_their_own_rates():
    live, reference = parameters(), parameters()
    config = OptimConfig()
    optimizer = build_optimizer(live.items(), config, RATES)
    groups = [
        {"params": [reference[name]], "lr": getattr(RATES, parameter_group(name, reference[name]))}
        for name in SHAPES
        if parameter_group(name, reference[name]) != "matrix"
    ]
    other = torch.optim.AdamW(groups, betas=(config.beta1, config.beta2), eps=config.eps, weight_decay=0.0)
    rates = [group["lr"] for group in other.param_groups]
    for step in range(4):
        give_gradients(live, step)
        give_gradients(reference, step)
        factor = 1 - step / 5
        optimizer.step(factor)
        for group, rate in zip(other.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        other.step()
    for name in SHAPES:
        if "proj" not in name:
            torch.testing.assert_close(live[name], reference[name])
    assert not torch.equal(live["model.layers.0.mlp.up_proj.weight"], parameters()["model.layers.0.mlp.up_proj.weight"])


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_state_restored_continues_bit_for_bit(kind):
    live = parameters()
    config = OptimConfig(kind=kind)
    optimizer = build_optimizer(live.items(), config, RATES)
    for step in range(3):
        give_gradients(live, step)
        optimizer.step(1.0)
    saved = {name: tensor.clone() for name, tensor in optimizer.state_dict().items()}
    weights = {name: tensor.detach().clone() for name, tensor in live.items()}
    again = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    resumed = build_optimizer(again.items(), config, RATES)
    resumed.load_state_dict(saved)
    for step in range(3, 6):
        for group, each in ((live, optimizer), (again, resumed)):
            give_gradients(group, step)
            each.step(0.5)
    assert all(torch.equal(live[name], again[name]) for name in SHAPES)
    assert all(torch.equal(a, resumed.state_dict()[name]) for name, a in optimizer.state_dict().items())


def test_adamw_alone_follows_torch_at_one_rate_and_decays_matrices_only():
    live, reference = parameters(), parameters()
    config = OptimConfig(kind="adamw", adamw_lr=0.01, scale=2.0, weight_decay=0.3)
    optimizer = build_optimizer(live.items(), config, learning_rates(config, width=4))
    groups = [
        {"params": [reference[name]], "weight_decay": 0.3 if "proj" in name else 0.0, "lr": 0.02} for name in SHAPES
    ]
    other = torch.optim.AdamW(groups, betas=(config.beta1, config.beta2), eps=config.eps)
    for step in range(3):
        give_gradients(live, step)
        give_gradients(reference, step)
        optimizer.step(1.0)
        other.step()
    for name in SHAPES:
        torch.testing.assert_close(live[name], reference[name])
    assert {name.split(".")[0] for name in optimizer.state_dict()} == {"adamw"}


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_state_of_another_model_is_refused(kind):
    optimizer = build_optimizer(parameters().items(), OptimConfig(kind=kind), RATES)
    with pytest.raises(AssertionError, match="another model"):
        optimizer.load_state_dict({"muon.momentum.x": torch.ones(1)})


def test_frozen_parameters_stay():
    live = parameters()
    live["lm_head.weight"].requires_grad_(False)
    before = live["lm_head.weight"].clone()
    optimizer = build_optimizer(live.items(), OptimConfig(), RATES)
    give_gradients({name: p for name, p in live.items() if p.requires_grad}, 0)
    optimizer.step(1.0)
    assert torch.equal(live["lm_head.weight"], before)


def test_rates_follow_the_width():
    config = OptimConfig(scale=2.0, matrix_lr=0.02, embedding_lr=0.3, head_lr=0.008, norm_lr=0.01)
    assert learning_rates(config, width=768) == Rates(matrix=0.04, token=0.6, embedding=0.6, head=0.016, norm=0.02)
    wider = learning_rates(config, width=768 * 4)
    tied = learning_rates(config, width=768, tied=True)
    assert tied.token == tied.head == 0.016 and tied.embedding == 0.6
    assert wider.norm == 0.02 and wider.matrix == pytest.approx(0.02)
    assert wider.embedding == pytest.approx(0.3) and wider.head == pytest.approx(0.008)


@pytest.mark.parametrize(("name", "value"), [("matrix_lr", -1.0), ("momentum", 1.0), ("newton_schulz_steps", 0)])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(FledgeError, match=name):
        OptimConfig(**{name: value})
