"""``config.json`` as the architecture that holds a decoder wants it, and back. No torch in here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fledge.model.config import Biases, MlpKind, ModelConfig, RopeScaling
from fledge.model.targets import ARCHITECTURES, OWN, TARGETS, Target, target_of
from fledge.types import FledgeError

_SIZES = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim"),
    *("num_key_value_heads", "max_position_embeddings", "num_experts", "num_local_experts", "num_experts_per_tok"),
    *("moe_intermediate_size", "n_embd", "n_layer", "n_head", "n_inner", "n_positions"),
)
_NUMBERS = (
    *("rms_norm_eps", "layer_norm_epsilon", "rope_theta", "factor", "low_freq_factor", "high_freq_factor"),
    "original_max_position_embeddings",
)
_COUNTS = ("sliding_window", "max_window_layers")
_FLAGS = ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window", "norm_topk_prob")
_LARGEST = 2**31


def write_config(
    config: ModelConfig, *, context_length: int, bos: int | None = None, eos: int | None = None, pad: int | None = None
) -> dict[str, Any]:
    """The ``config.json`` of a model for rows of up to ``context_length`` tokens: of its target, or Fledge's own."""
    target = target_of(config)
    common = {
        "architectures": [ARCHITECTURES[target or OWN]],
        "model_type": target or OWN,
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "dtype": "float32",
        "torch_dtype": "float32",
    }
    if target is None:
        return {**common, "max_position_embeddings": context_length, OWN: config.to_dict()}
    return common | (_gpt2(config) if target == "gpt2" else _llama_like(config, target, context_length))


def _gpt2(config: ModelConfig) -> dict[str, Any]:
    return {
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.d_ff,
        "n_positions": config.max_positions,
        "n_ctx": config.max_positions,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    }


def _llama_like(config: ModelConfig, target: Target, context_length: int) -> dict[str, Any]:
    """transformers 5 reads ``rope_parameters``, older versions and other programs ``rope_theta``: both are there."""
    scaling = _scaling_values(config.rope_scaling)
    values: dict[str, Any] = {
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "relu2" if config.mlp == "relu2" else "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", **scaling, "rope_theta": config.rope_theta},
        "max_position_embeddings": context_length,
        "attention_dropout": 0.0,
    }
    if scaling:
        values["rope_scaling"] = scaling
    if target != "mistral" and target != "qwen2":
        values["attention_bias"] = config.attention_bias == "all"
    if target in ("llama", "arcee"):
        values["mlp_bias"] = config.mlp_bias
    if target == "mistral":
        values["sliding_window"] = config.sliding_window
    if target.startswith("qwen"):
        kind = "sliding_attention" if config.sliding_window else "full_attention"
        values |= {
            "use_sliding_window": bool(config.sliding_window),
            "sliding_window": config.sliding_window or None,
            "max_window_layers": 0 if config.sliding_window else config.n_layers,
        }
        if target != "qwen3_moe":
            values["layer_types"] = [kind] * config.n_layers
    if target == "qwen3_moe":
        values |= {
            "num_experts": config.n_experts,
            "num_experts_per_tok": config.n_active_experts,
            "moe_intermediate_size": config.d_expert,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        }
    return values


def _scaling_values(scaling: RopeScaling | None) -> dict[str, Any]:
    if scaling is None:
        return {}
    values: dict[str, Any] = {"rope_type": scaling.type, "factor": scaling.factor}
    if scaling.type == "llama3":
        values |= {
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_positions,
        }
    return values


def read_config(values: Mapping[str, Any], where: str = "config.json") -> ModelConfig:
    """The decoder that a ``config.json`` describes.

    Raises FledgeError, one line, for another architecture, a switch that the decoder lacks, and for what is missing.
    """
    model_type = values.get("model_type")
    try:
        _check_types(values)
        if model_type == OWN:
            return ModelConfig.from_dict(values[OWN])
        if model_type == "gpt2":
            return _read_gpt2(values, where)
        if model_type in TARGETS:
            return _read_llama_like(values, model_type, where)
    except KeyError as error:
        raise FledgeError(f"{error.args[0]} is missing", where=where) from error
    except (TypeError, ValueError) as error:
        raise FledgeError(f"does not describe a {model_type} model ({error})", where=where) from error
    except FledgeError as error:
        if error.where.startswith(where):
            raise
        raise FledgeError(error.what, where=where, fix=error.fix) from error
    raise FledgeError(f"the model is a {model_type!r}; supported are {', '.join(TARGETS)}", where=where)


def _check_types(values: Mapping[str, Any]) -> None:
    """Raise ValueError for a size, number or switch of another type than it has; null is as if it were not there."""
    tables = [values]
    for name in ("rope_scaling", "rope_parameters"):
        if not isinstance(values.get(name) or {}, Mapping):
            raise ValueError(f"{name} is {values[name]!r}, expected a table")
        tables.append(values.get(name) or {})
    layer_types = values.get("layer_types") or []
    if not isinstance(layer_types, list) or not all(isinstance(kind, str) for kind in layer_types):
        raise ValueError(f"layer_types is {layer_types!r}, expected a list of names")
    for name, value in ((name, value) for table in tables for name, value in table.items() if value is not None):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if name in _SIZES:
            fits, wanted = whole and 0 < value < _LARGEST, "a positive whole number"
        elif name in _COUNTS:
            fits, wanted = whole and 0 <= value < _LARGEST, "a whole number"
        elif name in _NUMBERS:
            fits = (whole or isinstance(value, float)) and value > 0 and math.isfinite(value)
            wanted = "a positive number"
        else:
            fits, wanted = name not in _FLAGS or isinstance(value, bool), "true or false"
        if not fits:
            raise ValueError(f"{name} is {value!r}, expected {wanted}")


def _expect(values: Mapping[str, Any], where: str, **wanted: Any) -> None:
    """Refuse a switch that is there and set otherwise."""
    for name, value in wanted.items():
        if values.get(name, value) not in (value, None):
            raise FledgeError(f"{name} = {values[name]!r} is not supported, only {value!r}", where=where)


def _read_gpt2(values: Mapping[str, Any], where: str) -> ModelConfig:
    _expect(
        values,
        where,
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        reorder_and_upcast_attn=False,
        add_cross_attention=False,
    )
    if values.get("activation_function", "gelu_new") not in ("gelu_new", "gelu_pytorch_tanh"):
        _expect(values, where, activation_function="gelu_new")
    width, heads = values["n_embd"], values["n_head"]
    return ModelConfig(
        vocab_size=values["vocab_size"],
        n_layers=values["n_layer"],
        d_model=width,
        n_heads=heads,
        n_kv_heads=heads,
        head_dim=width // heads,
        d_ff=values.get("n_inner") or 4 * width,
        norm_eps=float(values.get("layer_norm_epsilon", 1e-5)),
        tie_embeddings=bool(values.get("tie_word_embeddings", True)),
        norm="layer",
        mlp="gelu",
        mlp_bias=True,
        qk_norm=False,
        attention_bias="all",
        position="learned",
        max_positions=values.get("n_positions", 1024),
    )


def _read_llama_like(values: Mapping[str, Any], target: Target, where: str) -> ModelConfig:
    mlp: MlpKind = "relu2" if target == "arcee" else "swiglu"
    _expect(values, where, hidden_act="relu2" if mlp == "relu2" else "silu", pretraining_tp=1)
    bias: Biases = "qkv" if target == "qwen2" else "none"
    if target != "qwen2" and values.get("attention_bias"):
        bias = "all"
    heads = values["num_attention_heads"]
    experts: dict[str, Any] = {}
    if target == "qwen3_moe":
        _expect(values, where, decoder_sparse_step=1, mlp_only_layers=[])
        if not values.get("norm_topk_prob", False):
            raise FledgeError("norm_topk_prob = false is not supported, only true", where=where)
        experts = {
            "n_experts": values["num_experts"] if "num_experts" in values else values["num_local_experts"],
            "n_active_experts": values["num_experts_per_tok"],
            "d_expert": values["moe_intermediate_size"],
        }
    theta, scaling = _read_rope(values, where)
    return ModelConfig(
        vocab_size=values["vocab_size"],
        n_layers=values["num_hidden_layers"],
        d_model=values["hidden_size"],
        n_heads=heads,
        n_kv_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or values["hidden_size"] // heads,
        d_ff=values["intermediate_size"],
        rope_theta=theta,
        norm_eps=float(values["rms_norm_eps"]),
        tie_embeddings=bool(values.get("tie_word_embeddings", False)),
        mlp=mlp,
        mlp_bias=bool(values.get("mlp_bias", False)),
        qk_norm=target in ("qwen3", "qwen3_moe"),
        attention_bias=bias,
        rope_scaling=scaling,
        sliding_window=_read_window(values, target, where),
        **experts,
    )


def _read_window(values: Mapping[str, Any], target: Target, where: str) -> int:
    """The window of every layer, with the defaults of transformers; layers of two kinds are refused."""
    if target != "mistral" and not (target.startswith("qwen") and values.get("use_sliding_window")):
        return 0
    kinds = set(values.get("layer_types") or ()) if target != "qwen3_moe" else set()
    if not kinds and target in ("qwen2", "qwen3"):
        full, layers = values.get("max_window_layers", 28), values["num_hidden_layers"]
        kinds = {"sliding_attention" if layer >= full else "full_attention" for layer in range(layers)}
    if len(kinds) > 1 or kinds - {"full_attention", "sliding_attention"}:
        raise FledgeError("a sliding window in some layers only is not supported", where=where)
    return 0 if kinds == {"full_attention"} else values.get("sliding_window", 4096) or 0


def _read_rope(values: Mapping[str, Any], where: str) -> tuple[float, RopeScaling | None]:
    rope = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    theta = float(rope.get("rope_theta") or values.get("rope_theta") or 10_000.0)
    if rope.get("partial_rotary_factor", values.get("partial_rotary_factor", 1.0)) not in (1.0, None):
        raise FledgeError("rotary positions on a part of the head are not supported", where=where)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if any(isinstance(value, Mapping) for value in rope.values()) or kind not in ("default", "linear", "llama3"):
        shown = "of several kinds" if kind == "default" else repr(kind)
        raise FledgeError(
            f"rotary scaling {shown} is not supported, only 'default', 'linear' and 'llama3'", where=where
        )
    if kind == "default":
        return theta, None
    if kind == "linear":
        return theta, RopeScaling("linear", float(rope["factor"]))
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    if low >= high:
        raise ValueError(f"low_freq_factor is {low:g}, high_freq_factor {high:g}: no band lies between them")
    return theta, RopeScaling("llama3", float(rope["factor"]), low, high, int(rope["original_max_position_embeddings"]))
