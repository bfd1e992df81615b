from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch._dynamo.utils import counters

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.train.config import TrainConfig
from fledge.train.hardware import Hardware
from fledge.train.objective import TokenCrossEntropy
from fledge.train.place import forward_of
from fledge.types import Batch

SIZES = {"vocab_size": 32, "d_model": 32, "n_heads": 2, "n_kv_heads": 1, "head_dim": 16, "d_ff": 48}
OWN = {"logit_softcap": 15.0, "residual_lambdas": True}
EXPERTS = {"n_experts": 4, "n_active_experts": 2, "d_expert": 16}
EAGER = Hardware(
    device="cpu",
    threads=1,
    precision="fp32",
    compile=False,
    attention="products",
    micro_batch_rows=2,
    flops_per_second=1.0,
    tokens_per_second=1.0,
    reasons={},
    torch_version=torch.__version__,
    machine="",
    reuse_buffers=False,
)
COMPILED = replace(EAGER, compile=True)


@pytest.fixture(autouse=True)
def traced_without_generated_code(monkeypatch):
    """What dynamo and autograd make of a function, run by torch's own operators."""
    torch._dynamo.reset()
    counters.clear()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    yield
    torch._dynamo.reset()


def filled(n_layers: int, **changes) -> Decoder:
    model = Decoder(ModelConfig(**(SIZES | {"n_layers": n_layers} | changes)))
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.1 * torch.randn(parameter.shape, generator=generator)
    model.kernel = "products"
    return model


def batch() -> Batch:
    tokens = torch.arange(2 * 17).view(2, 17) * 7 % 32
    column = torch.arange(16).expand(2, 16)
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.ones(2, 16), column % 9, column // 9)


def gradients(model: Decoder, hardware: Hardware, *, recompute: bool = False, balance: float = 0.0):
    config = TrainConfig(recompute=recompute)
    forward = forward_of({"policy": model}, TokenCrossEntropy(balance=balance), hardware, config)
    for _ in range(2):
        model.zero_grad()
        sums = forward(batch())
        torch.stack(list(sums.values())).sum().backward()
    return {name: value.item() for name, value in sums.items()}, {n: p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("changes", [{}, OWN, {"value_embeddings": True}, EXPERTS])
def test_compiled_or_computed_again_nothing_changes(changes, recompute):
    balance = 0.01 if "n_experts" in changes else 0.0
    sums, expected = gradients(filled(2, **changes), EAGER, balance=balance)
    for hardware in (EAGER, COMPILED):
        again, got = gradients(filled(2, **changes), hardware, recompute=recompute, balance=balance)
        assert again == pytest.approx(sums, rel=1e-5)
        for name, gradient in expected.items():
            torch.testing.assert_close(got[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("changes", [{}, EXPERTS])
def test_more_layers_are_no_more_to_compile(changes, recompute):
    graphs = []
    for n_layers in (2, 12):
        torch._dynamo.reset()
        counters.clear()
        balance = 0.01 if changes else 0.0
        gradients(filled(n_layers, **changes), COMPILED, recompute=recompute, balance=balance)
        graphs.append(counters["stats"]["unique_graphs"])
    # the block and the loss; what experts do in float32 lies outside of graphs and parts theirs
    assert graphs[0] == graphs[1] and 2 <= graphs[0] <= (6 if changes else 2)


def test_a_copy_made_while_training_has_weights_of_its_own():
    model, copies = filled(2), []

    class Copying(TokenCrossEntropy):
        def __call__(self, models, batch):
            copies.append(copy.deepcopy(models["policy"]))
            return super().__call__(models, batch)

    forward_of({"policy": model}, torch.compiler.disable(Copying()), COMPILED, TrainConfig())(batch())
    other = copies[0]
    for parameter in other.parameters():
        parameter.data.zero_()
    assert float(other(batch().tokens, batch().position, batch().document).abs().max().detach()) == 0


def test_outside_of_training_a_model_is_as_it_was():
    model = filled(2)
    gradients(model, COMPILED, recompute=True)
    assert "forward" not in vars(model) and "run_block" not in vars(model)
    n_graphs = counters["stats"]["unique_graphs"]
    with torch.no_grad():
        for n_tokens in (3, 5):
            copy.deepcopy(model)(torch.ones(1, n_tokens, dtype=torch.long))
    assert counters["stats"]["unique_graphs"] == n_graphs
