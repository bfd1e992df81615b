"""Weights of a model: as tensors to be written, from a file, into a model, and under the names of other programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.model.targets import target_of
from fledge.types import FledgeError

# GPT-2's files hold each map as (in, out), and queries, keys and values as one.
_GPT2_NAMES = {
    "wte.weight": "model.embed_tokens.weight",
    "wpe.weight": "model.embed_positions.weight",
    "ln_f.weight": "model.norm.weight",
    "ln_f.bias": "model.norm.bias",
}
_GPT2_PARTS = {
    "ln_1": "input_layernorm",
    "attn.c_proj": "self_attn.o_proj",
    "ln_2": "post_attention_layernorm",
    "mlp.c_fc": "mlp.up_proj",
    "mlp.c_proj": "mlp.down_proj",
}
_GPT2_MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
_GPT2_BLOCK = re.compile(r"h\.(\d+)\.(.+)\.(weight|bias)")
_OWN_BLOCK = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
_BUFFERS = ("rotary_emb.inv_freq",)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The state dict, live and where it is, without a second name for a tied tensor."""
    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if isinstance(model, Decoder) and model.config.tie_embeddings:
        del tensors["lm_head.weight"]
    return tensors


def exported_weights(model: Decoder) -> dict[str, Tensor]:
    """:func:`weights` as the files of the model's target hold them."""
    return target_names(weights(model), model.config)


def target_names(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors under the names and in the layout of the model's target; all but GPT-2 share Fledge's."""
    return _to_gpt2(tensors) if target_of(config) == "gpt2" else dict(tensors)


def own_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`target_names`; Fledge's own names stay, buffers that are no weights fall away."""
    if any(re.fullmatch(r"(transformer\.)?wte\.weight", name) for name in tensors):
        return _from_gpt2({name.removeprefix("transformer."): tensor for name, tensor in tensors.items()})
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_BUFFERS)}


def _to_gpt2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    whole = {own: theirs for theirs, own in _GPT2_NAMES.items()}
    parts = {own: theirs for theirs, own in _GPT2_PARTS.items()}
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        block = _OWN_BLOCK.fullmatch(name)
        if block is None:
            named[f"transformer.{whole[name]}" if name in whole else name] = tensor
            continue
        layer, part, kind = block.groups()
        if part in ("self_attn.k_proj", "self_attn.v_proj"):
            continue
        if part == "self_attn.q_proj":
            pieces = [tensors[f"model.layers.{layer}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            part, tensor = "attn.c_attn", torch.cat(pieces)
        else:
            part = parts[part]
        named[f"transformer.h.{layer}.{part}.{kind}"] = tensor.T.contiguous() if tensor.dim() == 2 else tensor
    return named


def _from_gpt2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if _GPT2_MASKS.fullmatch(name):
            continue
        block = _GPT2_BLOCK.fullmatch(name)
        if block is None:
            named[_GPT2_NAMES.get(name, name)] = tensor
            continue
        layer, part, kind = block.groups()
        tensor = tensor.T.contiguous() if tensor.dim() == 2 else tensor
        if part == "attn.c_attn" and tensor.dim():
            for letter, piece in zip("qkv", tensor.chunk(3), strict=False):
                named[f"model.layers.{layer}.self_attn.{letter}_proj.{kind}"] = piece
        else:
            named[f"model.layers.{layer}.{_GPT2_PARTS.get(part, part)}.{kind}"] = tensor
    return named


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Fill ``model``; names and shapes must agree. Raises FledgeError with ``where`` if they do not."""
    tensors = dict(tensors)
    if isinstance(model, Decoder) and model.config.tie_embeddings and "model.embed_tokens.weight" in tensors:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    wanted = model.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} belongs to no part of it" for name in tensors if name not in wanted]
    problems += [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise FledgeError(f"the weights are of another model ({problems[0]}{more})", where=where)
    if not next(model.parameters()).is_meta:
        model.load_state_dict(tensors)


def check_weights(config: ModelConfig, tensors: Mapping[str, Tensor], where: str) -> Decoder:
    """What :func:`load_weights` checks, without memory for the model: its sizes may be anybody's.

    Returns it as it is then, on the meta device."""
    at_least = config.n_layers * max(1, config.n_experts)
    if at_least > len(tensors):
        raise FledgeError(
            f"the weights are of another model ({len(tensors)} tensors, its sizes need more than {at_least})",
            where=where,
        )
    with torch.device("meta"):
        model = Decoder(config)
    load_weights(model, tensors, where)
    return model


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; FledgeError where it is damaged."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise FledgeError(f"cannot be read ({error})", where=str(path), fix="use another checkpoint") from error


def read_decoder_file(config: ModelConfig, path: Path, dtype: torch.dtype = torch.float32) -> Decoder:
    """A decoder of this shape with the weights of a safetensors file on the CPU, its matrices in ``dtype``, the rest in
    float32.
    """
    tensors = own_names(read_tensors(path))
    model = check_weights(config, tensors, str(path))
    if config.tie_embeddings:
        tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    for name, tensor in tensors.items():
        tensors[name] = tensor.to(dtype if tensor.dim() > 1 else torch.float32, copy=True)
    model.load_state_dict(tensors, assign=True)
    model.tie()
    return model
