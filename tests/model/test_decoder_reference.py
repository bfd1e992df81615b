"""The decoder against transformers' Qwen3 with the same weights."""

from __future__ import annotations

import pytest
import torch

from fledge.model.attention import additive, causal_mask
from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config, write_config
from fledge.model.decoder import Decoder
from fledge.model.rope import rope_angles, rotate

transformers = pytest.importorskip("transformers")
from transformers.models.qwen3 import modeling_qwen3 as qwen3  # noqa: E402

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
SHAPES = {
    "equal heads": ModelConfig(97, 2, 64, 4, 4, 16, 96),
    "grouped heads": ModelConfig(97, 3, 64, 4, 2, 32, 96, rope_theta=500.0, norm_eps=1e-5),
    "one shared head": ModelConfig(97, 1, 48, 6, 1, 8, 40),
    "tied": ModelConfig(97, 2, 64, 2, 2, 32, 96, tie_embeddings=True),
}


def filled(config: ModelConfig) -> Decoder:
    """A decoder with every weight away from its initial value."""
    decoder = Decoder(config)
    generator = torch.Generator().manual_seed(1)
    for parameter in decoder.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = 1 + 0.3 * noise if parameter.dim() == 1 else noise * 2 * parameter.shape[1] ** -0.5
    return decoder


def reference(decoder: Decoder) -> qwen3.Qwen3ForCausalLM:
    config = transformers.Qwen3Config(**write_config(decoder.config, context_length=64))
    model = qwen3.Qwen3ForCausalLM(config).eval()
    model.load_state_dict(decoder.state_dict(), strict=True)
    return model


@pytest.fixture(params=list(SHAPES))
def pair(request):
    decoder = filled(SHAPES[request.param])
    return decoder, reference(decoder)


@pytest.fixture
def tokens():
    return torch.randint(0, 97, (3, 40), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kernel", ["products", "sdpa"])
@torch.no_grad()
def test_whole_model(pair, tokens, kernel):
    decoder, other = pair
    decoder.kernel = kernel
    expected = other(tokens).logits
    assert expected.std() > 0.5
    torch.testing.assert_close(decoder(tokens), expected, **CLOSE)


def test_gradients_of_the_whole_model(pair, tokens):
    decoder, other = pair
    decoder(tokens).square().mean().backward()
    other(tokens).logits.square().mean().backward()
    expected = dict(other.named_parameters())
    for name, parameter in decoder.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-4, atol=1e-5, msg=name)


@torch.no_grad()
def test_norm(pair):
    decoder, other = pair
    x = torch.randn(2, 5, decoder.config.d_model) * 3
    torch.testing.assert_close(decoder.model.norm(x), other.model.norm(x), **CLOSE)


@torch.no_grad()
def test_rotary_positions(pair):
    decoder, other = pair
    c = decoder.config
    position = torch.stack([torch.arange(40), torch.arange(1000, 1040)])
    q, k = torch.randn(2, c.n_heads, 40, c.head_dim), torch.randn(2, c.n_kv_heads, 40, c.head_dim)
    expected = qwen3.apply_rotary_pos_emb(q, k, *other.model.rotary_emb(q, position))
    angles = rope_angles(position, c.head_dim, c.rope_theta, torch.float32)
    for ours, theirs in zip((rotate(q, *angles), rotate(k, *angles)), expected, strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.fixture(autouse=True)
def same_inputs():
    """Inputs drawn alike in every run: what is compared is arithmetic, not luck with the last digit."""
    torch.manual_seed(0)


@pytest.mark.parametrize("part", ["attention", "block"])
@pytest.mark.parametrize("kernel", ["products", "sdpa"])
@torch.no_grad()
def test_attention_and_block(pair, part, kernel):
    decoder, other = pair
    x = torch.randn(2, 40, decoder.config.d_model)
    position = torch.arange(40).expand(2, 40)
    angles = rope_angles(position, decoder.config.head_dim, decoder.config.rope_theta, torch.float32)
    mask = additive(causal_mask(40, x.device), torch.float32)
    theirs = {"position_embeddings": other.model.rotary_emb(x, position), "attention_mask": mask}
    ours_mask = mask if kernel == "products" else None
    if part == "attention":
        expected = other.model.layers[0].self_attn(x, **theirs)[0]
        got = decoder.model.layers[0].self_attn(x, angles, ours_mask, kernel)
    else:
        expected = other.model.layers[0](x, **theirs)
        got, _ = decoder.model.layers[0](x, angles, ours_mask, kernel)
    torch.testing.assert_close(got, expected, **CLOSE)


def test_parameter_count_and_config_there_and_back(pair):
    decoder, other = pair
    assert decoder.config.n_parameters == sum(p.numel() for p in other.parameters())
    assert read_config(write_config(decoder.config, context_length=64)) == decoder.config
    assert read_config(other.config.to_dict()) == decoder.config
