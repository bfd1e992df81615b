"""``config.json`` as Hugging Face's ``Qwen3ForCausalLM`` wants it, and back. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fledge.model.config import ModelConfig
from fledge.types import FledgeError


def qwen3_config(
    config: ModelConfig, *, context_length: int, bos: int | None = None, eos: int | None = None, pad: int | None = None
) -> dict[str, Any]:
    """The ``config.json`` of a model trained on rows of ``context_length`` tokens.

    transformers 5 reads ``rope_parameters``, older versions and other programs ``rope_theta``: both are there.
    """
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "max_position_embeddings": context_length,
        "tie_word_embeddings": config.tie_embeddings,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": config.n_layers,
        "layer_types": ["full_attention"] * config.n_layers,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "dtype": "float32",
        "torch_dtype": "float32",
    }


def from_qwen3_config(values: Mapping[str, Any], where: str = "config.json") -> ModelConfig:
    """The sizes in a ``config.json``; another architecture, or a switch that the decoder lacks, is refused."""
    if values.get("model_type") != "qwen3":
        raise FledgeError(f"the model is a {values.get('model_type')!r}, expected 'qwen3'", where=where)
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    for name, wanted in (("attention_bias", False), ("use_sliding_window", False), ("hidden_act", "silu")):
        if values.get(name, wanted) != wanted:
            raise FledgeError(f"{name} = {values[name]!r} is not supported", where=where)
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise FledgeError(f"rotary scaling {rope} is not supported", where=where)
    try:
        return ModelConfig(
            vocab_size=values["vocab_size"],
            n_layers=values["num_hidden_layers"],
            d_model=values["hidden_size"],
            n_heads=values["num_attention_heads"],
            n_kv_heads=values["num_key_value_heads"],
            head_dim=values.get("head_dim") or values["hidden_size"] // values["num_attention_heads"],
            d_ff=values["intermediate_size"],
            rope_theta=float(rope.get("rope_theta") or values.get("rope_theta", 10_000.0)),
            rms_norm_eps=values["rms_norm_eps"],
            tie_embeddings=values.get("tie_word_embeddings", False),
        )
    except KeyError as error:
        raise FledgeError(f"{error.args[0]} is missing", where=where) from error
