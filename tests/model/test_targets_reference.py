"""Every export target against transformers: config.json and safetensors written here and read there, and back."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from fledge.model.config import ModelConfig, RopeScaling
from fledge.model.config_json import read_config, write_config
from fledge.model.decoder import Decoder
from fledge.model.targets import target_of
from fledge.model.weights import exported_weights, read_decoder_file
from fledge.types import FledgeError

transformers = pytest.importorskip("transformers")

VOCABULARY, CONTEXT = 97, 64
SIZES = {
    "vocab_size": VOCABULARY,
    "n_layers": 2,
    "d_model": 32,
    "n_heads": 4,
    "n_kv_heads": 2,
    "head_dim": 8,
    "d_ff": 48,
}
LLAMA = {**SIZES, "qk_norm": False, "norm_eps": 1e-5}
LLAMA3 = RopeScaling("llama3", 8.0, 1.0, 4.0, 24)
CASES = {
    "qwen3": ("qwen3", SIZES),
    "qwen3 with biases and a window": ("qwen3", {**SIZES, "attention_bias": "all", "sliding_window": 7}),
    "qwen3_moe": ("qwen3_moe", {**SIZES, "n_experts": 5, "n_active_experts": 2, "d_expert": 24}),
    "qwen3_moe of odd width": ("qwen3_moe", {**SIZES, "n_experts": 4, "n_active_experts": 3, "d_expert": 9}),
    "qwen2": ("qwen2", {**LLAMA, "attention_bias": "qkv"}),
    "llama 2": ("llama", {**LLAMA, "n_kv_heads": 4}),
    "llama 3": ("llama", {**LLAMA, "rope_theta": 500_000.0, "rope_scaling": LLAMA3}),
    "llama with biases": ("llama", {**LLAMA, "attention_bias": "all", "mlp_bias": True}),
    "llama, linear scaling": ("llama", {**LLAMA, "rope_scaling": RopeScaling("linear", 2.5)}),
    "mistral": ("mistral", {**LLAMA, "sliding_window": 5, "head_dim": 16}),
    "arcee": ("arcee", {**LLAMA, "mlp": "relu2"}),
    "gpt2": (
        "gpt2",
        {
            **SIZES,
            "n_kv_heads": 4,
            "qk_norm": False,
            "norm": "layer",
            "norm_eps": 1e-5,
            "mlp": "gelu",
            "mlp_bias": True,
            "attention_bias": "all",
            "position": "learned",
            "max_positions": CONTEXT,
        },
    ),
}
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def filled(config: ModelConfig) -> Decoder:
    """A decoder whose every parameter, biases and norms too, lies away from its initial value."""
    model = Decoder(config).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            parameter.copy_(0.3 * noise if name.endswith(".bias") else 1 + 0.3 * noise)
        else:
            parameter.copy_(noise * 2 * parameter.shape[1] ** -0.5)
    return model


@pytest.fixture(scope="module", params=[(name, tied) for name in CASES for tied in (False, True)], ids=str)
def case(request, tmp_path_factory):
    """A target, our model of it, and transformers' model as it loads what we wrote."""
    name, tied = request.param
    target, sizes = CASES[name]
    model = filled(ModelConfig(**sizes, tie_embeddings=tied))
    directory = tmp_path_factory.mktemp("model")
    (directory / "config.json").write_text(json.dumps(write_config(model.config, context_length=CONTEXT)))
    save_file(exported_weights(model), directory / "model.safetensors", metadata={"format": "pt"})
    other, told = transformers.AutoModelForCausalLM.from_pretrained(
        directory, output_loading_info=True, experts_implementation="eager"
    )
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return target, model, other.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(0, VOCABULARY, (2, 40), generator=torch.Generator().manual_seed(2))


def test_logits_equal_with_both_kernels(case, tokens):
    target, model, other = case
    assert target_of(model.config) == target == other.config.model_type
    assert sum(p.numel() for p in other.parameters()) == model.config.n_parameters
    expected = other(tokens).logits
    assert expected.std() > 0.3
    for model.kernel in ("products", "sdpa"):
        torch.testing.assert_close(model(tokens), expected, **CLOSE)


def test_logits_equal_token_by_token_through_the_cache(case, tokens):
    _, model, other = case
    cache = model.new_cache(len(tokens), tokens.shape[1])
    expected = other(tokens).logits
    for model.kernel in ("products", "sdpa"):
        got = [model(tokens[:, :30], cache=cache)]
        for at in range(30, tokens.shape[1]):
            got.append(model(tokens[:, at : at + 1], torch.full((len(tokens), 1), at), cache=cache))
        torch.testing.assert_close(torch.cat(got, dim=1), expected, **CLOSE)


def test_what_transformers_saves_is_read_back(case, tokens, tmp_path):
    _, model, other = case
    other.save_pretrained(tmp_path)
    config = read_config(json.loads((tmp_path / "config.json").read_text()))
    assert config == model.config
    again = read_decoder_file(config, tmp_path / "model.safetensors")
    torch.testing.assert_close(again(tokens), model(tokens), rtol=0, atol=1e-6)


def test_what_a_fresh_config_of_transformers_says_is_read():
    names = {
        "qwen3": "Qwen3",
        "qwen2": "Qwen2",
        "llama": "Llama",
        "mistral": "Mistral",
        "arcee": "Arcee",
        "gpt2": "GPT2",
    }
    for target, name in names.items():
        values = getattr(transformers, name + "Config")().to_dict()
        config = read_config(values)
        assert target_of(config) == target
        assert read_config(write_config(config, context_length=64)) == config


@pytest.mark.parametrize(
    ("target", "change", "named"),
    [
        ("llama 2", {"model_type": "mamba"}, "'mamba'; supported are qwen3, "),
        ("llama 3", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}, "rope_scaling": None}, "'yarn'"),
        ("llama 2", {"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ("llama 2", {"partial_rotary_factor": 0.5}, "part of the head"),
        ("llama 2", {"hidden_size": None}, "llama model"),
        ("qwen3_moe", {"norm_topk_prob": False}, "norm_topk_prob"),
        ("qwen3_moe", {"decoder_sparse_step": 2}, "decoder_sparse_step = 2"),
        ("qwen3_moe", {"mlp_only_layers": [0]}, "mlp_only_layers"),
        (
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 8, "layer_types": ["full_attention", "x"]},
            "some layers",
        ),
        ("mistral", {"layer_types": ["full_attention", "sliding_attention"]}, "some layers"),
        ("qwen3", {"use_sliding_window": True, "layer_types": None, "max_window_layers": 1}, "some layers"),
        ("qwen2", {"use_sliding_window": True, "layer_types": ["chunked_attention"] * 2}, "some layers"),
        ("llama 2", {"num_attention_heads": 0}, "num_attention_heads is 0, expected a positive whole number"),
        ("llama 2", {"num_hidden_layers": 2.0}, "num_hidden_layers is 2.0"),
        ("llama 2", {"num_hidden_layers": True}, "num_hidden_layers is True"),
        ("llama 2", {"max_position_embeddings": "4k"}, "max_position_embeddings is '4k'"),
        ("llama 2", {"max_position_embeddings": -5}, "max_position_embeddings is -5"),
        ("llama 2", {"vocab_size": 10**400}, "vocab_size is 1000"),
        ("llama 2", {"rms_norm_eps": "1e-5"}, "rms_norm_eps is '1e-5', expected a positive number"),
        ("llama 2", {"rms_norm_eps": float("nan")}, "rms_norm_eps is nan"),
        ("llama 2", {"rms_norm_eps": None}, "llama model"),
        ("gpt2", {"layer_norm_epsilon": []}, r"layer_norm_epsilon is \[\]"),
        ("gpt2", {"n_head": 0}, "n_head is 0"),
        ("llama 2", {"tie_word_embeddings": "false"}, "tie_word_embeddings is 'false', expected true or false"),
        ("llama, linear scaling", {"rope_parameters": {"rope_type": "linear", "factor": 0}}, "factor is 0"),
        ("llama 3", {"rope_parameters": [1]}, r"rope_parameters is \[1\], expected a table"),
        ("llama 3", {"rope_parameters": {"rope_type": "llama3", "low_freq_factor": 4.0}}, "no band"),
        ("mistral", {"sliding_window": "8"}, "sliding_window is '8'"),
        ("qwen2", {"layer_types": "full"}, "layer_types is 'full'"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("gpt2", {"activation_function": "relu"}, "activation_function"),
        ("qwen3", {"num_key_value_heads": 3}, "multiple of n_kv_heads"),
    ],
)
def test_what_the_decoder_lacks_is_refused_in_one_line(target, change, named):
    values = write_config(ModelConfig(**CASES[target][1]), context_length=CONTEXT) | change
    with pytest.raises(FledgeError, match=named) as error:
        read_config(values, "x/config.json")
    assert error.value.where == "x/config.json"
    assert "\n" not in str(error.value)


WINDOWS = {
    "mistral, no window named": ("mistral", {"sliding_window": ...}, 4096),
    "mistral, window of null": ("mistral", {"sliding_window": None}, 0),
    "mistral, all layers full": ("mistral", {"layer_types": ["full_attention"] * 2}, 0),
    "mistral, all layers in the window": ("mistral", {"layer_types": ["sliding_attention"] * 2}, 5),
    "qwen2, window after the last layer": ("qwen2", {"layer_types": ..., "max_window_layers": 2}, 0),
    "qwen2, window from the first layer": ("qwen2", {"layer_types": ..., "max_window_layers": 0}, 5),
    "qwen2, window from no layer named": ("qwen2", {"layer_types": ..., "max_window_layers": ...}, 0),
    "qwen3, window of no size named": (
        "qwen3",
        {"layer_types": ["sliding_attention"] * 2, "sliding_window": ...},
        4096,
    ),
    "qwen3_moe, layer types are not read": ("qwen3_moe", {"layer_types": ["full_attention"] * 2}, 5),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_windows_are_read_as_transformers_reads_them(case, tokens, tmp_path):
    name, change, window = WINDOWS[case]
    values = write_config(ModelConfig(**CASES[name][1]), context_length=CONTEXT)
    values |= {"use_sliding_window": True, "sliding_window": 5} | change
    values = {key: value for key, value in values.items() if value is not ...}
    config = read_config(values)
    assert config.sliding_window == window
    model = filled(config)
    save_file(exported_weights(model), tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(values))
    other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(model(tokens), other(tokens).logits, **CLOSE)


def test_sizes_that_the_weights_do_not_have_cost_no_memory(tmp_path):
    model = filled(ModelConfig(**LLAMA))
    save_file(exported_weights(model), tmp_path / "model.safetensors")
    for sizes in ({"d_model": 2**17, "d_ff": 2**20, "vocab_size": 2**24}, {"n_layers": 2**12}):
        with pytest.raises(FledgeError, match="weights are of another model"):
            read_decoder_file(ModelConfig(**LLAMA | sizes), tmp_path / "model.safetensors")


def test_a_missing_size_is_named():
    values = write_config(ModelConfig(**SIZES), context_length=CONTEXT)
    del values["num_hidden_layers"]
    with pytest.raises(FledgeError, match="num_hidden_layers is missing"):
        read_config(values)
