"""Switches of the decoder: counts against the real module, packing, the cache, experts, and what no target holds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config, write_config
from fledge.model.decoder import Decoder
from fledge.model.experts import MixtureOfExperts, load_balance
from fledge.model.hooks import hook_names
from fledge.model.targets import no_target, target_of
from fledge.train.objective import TokenCrossEntropy
from fledge.types import Batch, FledgeError

SIZES = {"vocab_size": 61, "n_layers": 3, "d_model": 40, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "d_ff": 48}
EXPERTS = {"n_experts": 6, "n_active_experts": 2, "d_expert": 24}
NATIVE = {"logit_softcap": 5.0, "value_embeddings": True, "residual_lambdas": True}
VARIANTS = {
    "default": {},
    "layer norm": {"norm": "layer"},
    "relu2": {"mlp": "relu2", "mlp_bias": True},
    "gelu": {"mlp": "gelu", "attention_bias": "qkv", "qk_norm": False},
    "biases": {"mlp_bias": True, "attention_bias": "all"},
    "learned positions": {"position": "learned", "max_positions": 30},
    "window": {"sliding_window": 4},
    "experts": EXPERTS,
    "softcap": {"logit_softcap": 5.0},
    "value embeddings": {"value_embeddings": True},
    "residual lambdas": {"residual_lambdas": True},
    "all that no target holds": {**NATIVE, "n_layers": 4},
}


def filled(**switches) -> Decoder:
    model = Decoder(ModelConfig(**{**SIZES, **switches})).requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        offset = 0.0 if parameter.dim() > 1 or name.endswith((".bias", "embed_lambdas")) else 1.0
        parameter.copy_(offset + (0.3 if parameter.dim() == 1 else 1.5 * parameter.shape[1] ** -0.5) * noise)
    return model


@pytest.fixture(scope="module", params=list(VARIANTS))
def model(request) -> Decoder:
    return filled(**VARIANTS[request.param])


def ids(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 61, (n,), generator=torch.Generator().manual_seed(seed))


def test_counts_are_those_of_the_module(model):
    c = model.config
    assert c.n_parameters == sum(p.numel() for p in model.parameters())
    idle = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name) / max(c.n_experts, 1)
    assert c.n_active_parameters == c.n_parameters - round(idle * (c.n_experts - c.n_active_experts))
    tables = ("embed_tokens.weight", "embed_positions.weight", "value_embed.weight")
    matrices = sum(p.numel() for n, p in model.named_parameters() if p.dim() == 2 and not n.endswith(tables))
    assert c.n_matrix_parameters == matrices - round(idle * (c.n_experts - c.n_active_experts))
    attention = 12 * c.n_layers * c.n_heads * c.head_dim
    assert c.flops_per_token(16) == 6 * c.n_matrix_parameters + attention * min(16, c.sliding_window or 16)
    assert ModelConfig.from_dict(c.to_dict()) == c
    assert read_config(write_config(c, context_length=30)) == c or target_of(c)


def test_packed_documents_have_the_logits_that_they_have_alone(model):
    lengths = (9, 1, 6)
    documents = [ids(n, n) for n in lengths]
    position = torch.cat([torch.arange(n) for n in lengths])[None]
    number = torch.cat([torch.full((n,), i) for i, n in enumerate(lengths)])[None]
    for model.kernel in ("products", "sdpa"):
        packed = model(torch.cat(documents)[None], position, number)[0]
        for document, logits in zip(documents, packed.split(lengths), strict=True):
            torch.testing.assert_close(logits, model(document[None])[0], rtol=1e-4, atol=1e-5)


def test_no_token_sees_a_later_one_or_one_beyond_the_window(model):
    tokens = ids(14)[None]
    changed = tokens.clone()
    changed[0, 6] = (changed[0, 6] + 1) % 61
    for model.kernel in ("products", "sdpa"):
        differs = ~torch.isclose(model(tokens), model(changed), rtol=1e-4, atol=1e-5).all(dim=-1)[0]
        assert differs[6] and not differs[:6].any()
        reach = 6 + model.config.n_layers * (model.config.sliding_window - 1) if model.config.sliding_window else 13
        assert not differs[reach + 1 :].any()


def test_cached_rows_equal_uncached(model):
    rows = torch.stack([ids(12, 1), ids(12, 2)])
    cache = model.new_cache(2, 12)
    for model.kernel in ("products", "sdpa"):
        got = [model(rows[:, :7], cache=cache)]
        got += [model(rows[:, t : t + 1], torch.full((2, 1), t), cache=cache) for t in range(7, 12)]
        torch.testing.assert_close(torch.cat(got, dim=1), model(rows), rtol=1e-4, atol=1e-5)


def test_every_hook_point_is_passed_once_in_order(model):
    model.kernel = "products"
    seen = []
    hooks = {name: lambda x, name=name: seen.append(name) for name in hook_names(model.config)}
    model(ids(6)[None], hooks=hooks)
    assert seen == hook_names(model.config)


def test_a_fresh_model_knows_nothing_and_its_loss_is_that_of_guessing(model):
    tokens = torch.stack([ids(24, seed) for seed in range(4)])
    logits = Decoder(model.config)(tokens)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten())
    assert abs(loss.item() - torch.tensor(61.0).log().item()) < 0.05


def test_every_parameter_has_a_gradient(model):
    model.requires_grad_()
    tokens = torch.stack([ids(24, seed) for seed in range(4)])
    logits = model(tokens)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten()).backward()
    # a bias of all keys adds the same to every score of a query
    names = [n for n, p in model.named_parameters() if not n.endswith("k_proj.bias") and not p.grad.abs().max() > 1e-6]
    model.zero_grad()
    model.requires_grad_(False)
    assert not names


def test_gradients_pass_through_experts_as_if_each_were_computed_for_every_token():
    model = filled(**EXPERTS).model.layers[0].mlp.requires_grad_()
    x = torch.randn(2, 7, 40, generator=torch.Generator().manual_seed(5), requires_grad=True)

    def plainly(x):
        probability = model.gate(x).softmax(-1)
        weight, chosen = probability.topk(2)
        every = torch.stack([expert(x) for expert in model.experts], dim=2)
        picked = every.gather(2, chosen[..., None].expand(-1, -1, -1, 40))
        return (picked * (weight / weight.sum(-1, keepdim=True))[..., None]).sum(2)

    wanted = torch.autograd.grad(plainly(x).square().sum(), [x, *model.parameters()])
    got = torch.autograd.grad(model(x)[0].square().sum(), [x, *model.parameters()])
    torch.testing.assert_close(model(x)[0], plainly(x))
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_experts_that_no_token_chose_and_bfloat16():
    model = filled(**EXPERTS).model.layers[0].mlp
    x = torch.randn(1, 3, 40, generator=torch.Generator().manual_seed(6))
    assert isinstance(model, MixtureOfExperts)
    rough, exact = model(x.bfloat16())[0].float(), model(x)[0]
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_an_even_spread_costs_one_and_a_single_expert_costs_most():
    even = torch.full((2, 6, 6), 1 / 6)
    chosen = torch.tensor([[t % 6, (t + 1) % 6] for t in range(6)]).expand(2, 6, 2)
    torch.testing.assert_close(load_balance(even, chosen), torch.ones(2))
    one = torch.zeros(2, 6, 6)
    one[..., 0] = 1
    torch.testing.assert_close(load_balance(one, torch.zeros(2, 6, 1, dtype=torch.int64)), torch.full((2,), 6.0))


@given(st.integers(1, 3))
@settings(max_examples=3, deadline=None)
def test_cutting_the_micro_batch_changes_neither_the_balance_nor_its_gradient(size):
    model = filled(**EXPERTS).requires_grad_()
    objective = TokenCrossEntropy(balance=0.5)
    tokens = torch.stack([ids(10, seed) for seed in range(4)])
    position = torch.arange(10).expand(4, 10)
    whole = Batch(tokens, tokens.roll(-1, 1), torch.ones(4, 10), position, torch.zeros(4, 10, dtype=torch.int64))
    counts = objective.counts(whole)
    assert counts == {"loss": 40.0, "balance": 4.0}

    def gradient(pieces):
        model.zero_grad()
        for at in pieces:
            cut = Batch(*(getattr(whole, name)[at] for name in ("tokens", "targets", "weight", "position", "document")))
            sums = objective({"policy": model}, cut)
            sum(w / counts[name] * sums[name] for name, w in objective.terms.items()).backward()
        return model.model.layers[0].mlp.gate.weight.grad.clone()

    expected = gradient([slice(0, 4)])
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(gradient([slice(at, at + size) for at in range(0, 4, size)]), expected)


def test_what_no_target_holds_is_said_by_name_and_loads_again():
    for name in NATIVE:
        config = ModelConfig(**{**SIZES, name: NATIVE[name]})
        assert target_of(config) is None and name in no_target(config)
        assert read_config(write_config(config, context_length=30)) == config
    nearest = no_target(ModelConfig(**{**SIZES, "mlp": "relu2"}))
    assert "arcee" in nearest and "qk_norm = false" in nearest
    assert not no_target(ModelConfig(**SIZES))


def test_a_config_stored_before_the_switches_still_loads():
    old = {**SIZES, "rope_theta": 10_000.0, "rms_norm_eps": 1e-5, "tie_embeddings": True}
    assert ModelConfig.from_dict(old) == ModelConfig(**SIZES, norm_eps=1e-5, tie_embeddings=True)


def test_the_dial_derives_experts_and_plain_widths():
    dense, mixed = ModelConfig.from_depth(4, 512), ModelConfig.from_depth(4, 512, n_experts=8)
    assert (mixed.n_active_experts, mixed.d_expert) == (2, 352)
    assert mixed.n_matrix_parameters == dense.n_matrix_parameters + 4 * 256 * 8
    assert ModelConfig.from_depth(4, 512, mlp="relu2").d_ff == 1024


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_experts": 4, "n_active_experts": 5, "d_expert": 8}, "n_active_experts"),
        ({"n_experts": 4, "n_active_experts": 2}, "d_expert"),
        ({**EXPERTS, "mlp": "relu2"}, "mlp"),
        ({"position": "learned"}, "max_positions"),
        ({"sliding_window": -1}, "sliding_window"),
        ({"logit_softcap": -1.0}, "logit_softcap"),
    ],
)
def test_switches_that_do_not_fit_are_refused_by_name(change, named):
    with pytest.raises(FledgeError, match=named) as error:
        ModelConfig(**{**SIZES, **change})
    assert error.value.where == named
