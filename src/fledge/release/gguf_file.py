"""GGUF, the file that llama.cpp and Ollama run: sizes, tensors by llama.cpp's names, and the tokenizer's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fledge.model.config import ModelConfig
from fledge.model.rope import scaled
from fledge.release.gguf_tokens import token_fields
from fledge.release.llama2c import neighbours
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.release.exporting import NumberType, Shipped

# llama.cpp's architecture for each target; Mistral without a window is Llama.
ARCHITECTURES = {
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe",
    "qwen2": "qwen2",
    "llama": "llama",
    "mistral": "llama",
    "arcee": "arcee",
    "gpt2": "gpt2",
}
ROTATES_NEIGHBOURS = ("llama", "arcee")
"""Architectures that turn pairs (0, 1), (2, 3), … of a head: their queries and keys are stored in that order."""
Q8_BLOCK = 32
ALWAYS_F32 = ("position_embd.weight", "ffn_gate_inp.weight", "rope_freqs.weight")


def write_gguf(path: Path, shipped: Shipped, number_type: NumberType) -> None:
    """Write one file. Vectors, routers and learned positions stay F32, as llama.cpp wants them.

    With q8_0 a matrix whose rows are no multiple of 32 long stays F32 as well. Raises FledgeError for what llama.cpp
    would compute otherwise than Fledge: a sliding window, a kind of rotary scaling, an unknown pre-tokenizer.
    """
    try:
        import gguf
    except ImportError:
        raise FledgeError("GGUF files need gguf", fix='install it with: pip install "fledge[release]"') from None
    config = shipped.config
    arch = ARCHITECTURES[shipped.target]
    _check(config, arch, shipped.context_length)
    tokens = token_fields(shipped)
    writer = gguf.GGUFWriter(path, arch)
    _write_sizes(writer, config, arch, shipped.context_length)
    file_types = {
        "f32": gguf.LlamaFileType.ALL_F32,
        "bf16": gguf.LlamaFileType.MOSTLY_BF16,
        "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    }
    writer.add_file_type(file_types[number_type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    tokens.write(writer)
    kinds = gguf.GGMLQuantizationType
    wanted = {"f32": kinds.F32, "bf16": kinds.BF16, "q8_0": kinds.Q8_0}[number_type]
    for name, data in tensors(shipped, arch).items():
        whole = data.ndim == 1 or name.endswith(ALWAYS_F32) or (wanted == kinds.Q8_0 and data.shape[-1] % Q8_BLOCK)
        kind = kinds.F32 if whole else wanted
        writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _check(config: ModelConfig, arch: str, context_length: int) -> None:
    if 0 < config.sliding_window < context_length:
        raise FledgeError(
            f"llama.cpp's {arch} has no sliding window ({config.sliding_window} of {context_length} tokens)",
            fix="use --to hf",
        )
    scaling = config.rope_scaling
    if scaling is not None and scaling.type == "llama3" and arch != "llama":
        raise FledgeError(f"llama.cpp's {arch} has no rotary scaling of type {scaling.type}", fix="use --to hf")
    if arch in ("qwen3", "qwen3moe", "arcee") and config.attention_bias != "none":
        raise FledgeError(f"llama.cpp's {arch} has no biases in attention", fix="use --to hf")
    if arch == "arcee" and config.mlp_bias:
        raise FledgeError("llama.cpp's arcee has no biases in the MLP", fix="use --to hf")
    if arch == "llama" and config.attention_bias != "none" and config.mlp_bias:
        raise FledgeError("llama.cpp's llama has no biases in the MLP", fix="use --to hf")


def _write_sizes(writer: Any, config: ModelConfig, arch: str, context_length: int) -> None:
    writer.add_context_length(context_length)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_vocab_size(config.vocab_size)
    if arch == "gpt2":
        writer.add_layer_norm_eps(config.norm_eps)
        return
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_rope_dimension_count(config.head_dim)
    if config.rope_scaling is not None and config.rope_scaling.type == "linear":
        import gguf

        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_scaling.factor)
    if config.n_experts:
        writer.add_expert_count(config.n_experts)
        writer.add_expert_used_count(config.n_active_experts)
        writer.add_expert_feed_forward_length(config.d_expert)


def tensors(shipped: Shipped, arch: str) -> dict[str, np.ndarray]:
    """Every tensor in float32 under llama.cpp's name; the experts of a layer as one."""
    import gguf

    config = shipped.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], config.n_layers)
    found: dict[str, np.ndarray] = {}
    experts: dict[str, list[torch.Tensor]] = {}
    for name, tensor in shipped.tensors.items():
        tensor = tensor.float()
        if arch == "gpt2" and tensor.dim() == 2 and ".h." in name:
            tensor = tensor.T  # llama.cpp holds (out, in)
        if arch in ROTATES_NEIGHBOURS and (".q_proj." in name or ".k_proj." in name):
            tensor = neighbours(tensor.reshape(len(tensor), -1), config.head_dim).reshape(tensor.shape)
        if ".experts." in name:
            layer, _, rest = name.partition(".experts.")
            experts.setdefault(f"{layer}.experts.{rest.partition('.')[2]}", []).append(tensor)
            continue
        found[_named(names, name)] = tensor.contiguous().numpy()
    for name, parts in experts.items():
        found[_named(names, name)] = torch.stack(parts).numpy()
    if config.rope_scaling is not None and config.rope_scaling.type == "llama3":
        exponent = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
        frequency = 1.0 / config.rope_theta**exponent
        found["rope_freqs.weight"] = (frequency / scaled(frequency, config.rope_scaling)).numpy()
    return found


def _named(names: Any, name: str) -> str:
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    assert found, f"{name} has no name in llama.cpp"
    return str(found)
