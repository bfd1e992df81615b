"""A model in the type that it is to run in."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from fledge.infer.config import Precision
from fledge.model.decoder import Decoder
from fledge.model.linear import Linear


def at_precision(model: Decoder, precision: Precision) -> Decoder:
    """``model`` itself, sharing its parameters, in float32; else a copy in bfloat16, for int8 of rounded weights."""
    if precision == "float32":
        made = copy.copy(model)
    else:
        made = copy.deepcopy(model)
        if precision == "int8":
            _round_weights(made)
        made.to(torch.bfloat16)
    made.compute_dtype = torch.float32 if precision == "float32" else torch.bfloat16
    made.kernel = "sdpa"
    return made


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """``(scale (n,), whole numbers from -127 to 127)``, whose product is ``weight`` (n, k) to half a step."""
    scale = weight.float().abs().amax(dim=1).clamp_min(1e-30) / 127
    return scale, (weight.float() / scale[:, None]).round_()


@torch.no_grad()
def _round_weights(model: Decoder) -> None:
    """To what int8 holds; not a head that is the table of embeddings too."""
    for module in model.modules():
        if isinstance(module, Linear) and module.weight is not model.model.embed_tokens.weight:
            scale, whole = quantised(module.weight)
            module.weight.copy_(whole * scale[:, None])
