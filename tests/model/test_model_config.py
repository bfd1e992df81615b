from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config, write_config
from fledge.model.decoder import Decoder
from fledge.types import FledgeError


def test_the_dial():
    config = ModelConfig.from_depth(4, 2048)
    assert (config.n_layers, config.d_model, config.n_heads, config.head_dim, config.d_ff) == (4, 256, 2, 128, 704)
    assert ModelConfig.from_depth(1, 300).head_dim == 64
    assert ModelConfig.from_depth(4, 2048, d_model=384, n_kv_heads=1, d_ff=None).d_ff == 1024


@given(st.integers(1, 40))
def test_sizes_grow_with_depth(depth):
    small, large = ModelConfig.from_depth(depth, 512), ModelConfig.from_depth(depth + 1, 512)
    assert small.n_parameters < large.n_parameters
    assert small.d_ff % 64 == 0 and small.n_heads * small.head_dim >= small.d_model
    assert small.training_bytes(128, 4) < small.training_bytes(128, 8) < small.training_bytes(256, 8)


@pytest.mark.parametrize("tied", [False, True])
def test_counted_parameters_are_those_of_the_module(tied):
    config = ModelConfig(101, 3, 40, 6, 3, 8, 72, tie_embeddings=tied)
    assert config.n_parameters == sum(p.numel() for p in Decoder(config).parameters())


def test_flops_of_a_token_by_hand():
    config = ModelConfig(vocab_size=10, n_layers=1, d_model=4, n_heads=2, n_kv_heads=1, head_dim=2, d_ff=8)
    matrices = 4 * 4 + 2 * 4 * 2 + 4 * 4 + 3 * 4 * 8 + 10 * 4
    assert config.flops_per_token(16) == 6 * matrices + 12 * 2 * 2 * 16


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("n_kv_heads", {"n_kv_heads": 3}),
        ("head_dim", {"head_dim": 15}),
        ("d_ff", {"d_ff": 0}),
        ("d_model must be at most 131072", {"d_model": 10**10}),
        ("d_ff must be at most", {"d_ff": 2**30}),
        ("rope_theta", {"rope_theta": float("inf")}),
        ("rope_theta", {"rope_theta": -1.0}),
    ],
)
def test_impossible_sizes_are_refused_by_name(name, change):
    with pytest.raises(FledgeError, match=name):
        ModelConfig.from_depth(4, 512, **change)


def test_depth_must_be_positive():
    with pytest.raises(FledgeError, match="depth must be at least 1"):
        ModelConfig.from_depth(0, 512)
    with pytest.raises(FledgeError, match="depth must be at most 1024"):
        ModelConfig.from_depth(10**6, 512)
    with pytest.raises(FledgeError, match="vocab_size must be at most"):
        ModelConfig.from_depth(2, 10**20)


def test_the_deepest_model_has_sizes():
    assert ModelConfig.from_depth(1024, 2**20).d_model == 65536


@pytest.mark.parametrize(
    "change", [{"model_type": "mamba"}, {"hidden_act": "gelu"}, {"rope_parameters": {"rope_type": "yarn"}}]
)
def test_what_the_decoder_lacks_is_refused(change):
    values = {**write_config(ModelConfig.from_depth(2, 300), context_length=64), **change}
    with pytest.raises(FledgeError, match=r"config\.json"):
        read_config(values)


def test_configs_load_no_torch():
    rooms = ["model.config", "model.targets", "model.config_json", "optim.config", "train.config", "tune.config"]
    names = ", ".join(f"fledge.{room}" for room in rooms)
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
