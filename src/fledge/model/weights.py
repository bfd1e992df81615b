"""Weights of a model: as tensors to be written, from a file, and into a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.types import FledgeError


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The state dict, live and where it is, without a second name for a tied tensor."""
    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if isinstance(model, Decoder) and model.config.tie_embeddings:
        del tensors["lm_head.weight"]
    return tensors


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Fill ``model``; names and shapes must agree. Raises FledgeError with ``where`` if they do not."""
    tensors = dict(tensors)
    if isinstance(model, Decoder) and model.config.tie_embeddings and "model.embed_tokens.weight" in tensors:
        tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FledgeError(f"the weights are of another model ({reason})", where=where) from error


def read_decoder_file(config: ModelConfig, path: Path) -> Decoder:
    """A decoder of this shape with the weights of a safetensors file, in float32 on the CPU."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise FledgeError(f"cannot be read ({error})", where=str(path), fix="use another checkpoint") from error
    model = Decoder(config)
    load_weights(model, tensors, str(path))
    return model
