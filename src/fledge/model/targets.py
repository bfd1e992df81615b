"""Which Hugging Face architecture holds a decoder exactly. No torch in here."""

from __future__ import annotations

from typing import Any, Literal, get_args

from fledge.model.config import ModelConfig

Target = Literal["qwen3", "qwen3_moe", "qwen2", "llama", "mistral", "arcee", "gpt2"]
TARGETS: tuple[Target, ...] = get_args(Target)
OWN = "fledge"
"""The model type of a decoder that no target holds: only Fledge reads it."""
ARCHITECTURES: dict[str, str] = {
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "arcee": "ArceeForCausalLM",
    "gpt2": "GPT2LMHeadModel",
    OWN: "FledgeDecoder",
}

_NATIVE_ONLY: dict[str, Any] = {"logit_softcap": 0.0, "value_embeddings": False, "residual_lambdas": False}
_LLAMA_LIKE: dict[str, tuple[Any, ...]] = {
    "norm": ("rms",),
    "mlp": ("swiglu",),
    "mlp_bias": (False,),
    "qk_norm": (False,),
    "attention_bias": ("none",),
    "position": ("rope",),
    "experts": (False,),
    "window": (False,),
}
_ANY = (False, True)
HOLDS: dict[Target, dict[str, tuple[Any, ...]]] = {
    "qwen3": _LLAMA_LIKE | {"qk_norm": (True,), "attention_bias": ("none", "all"), "window": _ANY},
    "qwen3_moe": _LLAMA_LIKE
    | {"qk_norm": (True,), "attention_bias": ("none", "all"), "window": _ANY, "experts": (True,)},
    "qwen2": _LLAMA_LIKE | {"attention_bias": ("qkv",), "window": _ANY},
    "llama": _LLAMA_LIKE | {"attention_bias": ("none", "all"), "mlp_bias": _ANY},
    "mistral": _LLAMA_LIKE | {"window": (True,)},
    "arcee": _LLAMA_LIKE | {"mlp": ("relu2",), "attention_bias": ("none", "all"), "mlp_bias": _ANY},
    "gpt2": {
        "norm": ("layer",),
        "mlp": ("gelu",),
        "mlp_bias": (True,),
        "qk_norm": (False,),
        "attention_bias": ("all",),
        "position": ("learned",),
        "experts": (False,),
        "window": (False,),
    },
}
"""The switches that each target holds; ``experts`` and ``window`` say whether there are any."""


def target_of(config: ModelConfig) -> Target | None:
    """The first target that computes exactly what ``config`` says, or None."""
    return next((target for target in TARGETS if not _misfits(config, target)), None)


def no_target(config: ModelConfig) -> str:
    """One line that says why no target holds ``config``; empty where one does."""
    if target_of(config):
        return ""
    native = [name for name, off in _NATIVE_ONLY.items() if getattr(config, name) != off]
    if native:
        return f"{', '.join(native)}: no export target holds {'it' if len(native) == 1 else 'them'}"
    nearest = min(TARGETS, key=lambda target: (config.mlp not in HOLDS[target]["mlp"], len(_misfits(config, target))))
    return f"no export target holds this model; the nearest, {nearest}, wants {', '.join(_misfits(config, nearest))}"


def _misfits(config: ModelConfig, target: Target) -> list[str]:
    """What ``target`` wants otherwise, such as ``qk_norm = false``."""
    has = {**vars(config), "experts": bool(config.n_experts), "window": bool(config.sliding_window)}
    wanted = [f"{name} = {_shown(values)}" for name, values in HOLDS[target].items() if has[name] not in values]
    wanted += [f"{name} = {_shown((off,))}" for name, off in _NATIVE_ONLY.items() if has[name] != off]
    if target == "gpt2" and (config.n_kv_heads != config.n_heads or config.n_heads * config.head_dim != config.d_model):
        wanted.append("n_kv_heads = n_heads and head_dim = d_model / n_heads")
    if target in ("llama", "arcee") and config.d_model % config.n_heads:
        wanted.append("n_heads that divides d_model")
    return wanted


def _shown(values: tuple[Any, ...]) -> str:
    return " or ".join(str(value).lower() for value in values)
