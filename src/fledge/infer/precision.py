"""A model in the type that it is to run in."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from fledge.infer.config import Precision
from fledge.model.decoder import Decoder
from fledge.model.linear import Linear


def at_precision(model: Decoder, precision: Precision) -> Decoder:
    """``model`` itself, sharing its parameters, in float32; else a copy in bfloat16, for int8 of rounded weights."""
    if precision == "float32":
        made = copy.copy(model)
    else:
        rounded = (
            {id(map_.weight) for map_ in model.modules() if isinstance(map_, Linear)} if precision == "int8" else ()
        )
        table = model.model.embed_tokens.weight
        copies: dict[int, object] = {}  # as deepcopy knows them: so it makes none in float32
        for each in model.parameters():
            copies[id(each)] = _short(each, id(each) in rounded and each is not table)
        made = copy.deepcopy(model, copies)
        if id(table) in rounded:  # the head is tied to the embeddings, which are not rounded
            made.lm_head.weight = _short(table, True)
        made.to(torch.bfloat16)
    made.compute_dtype = torch.float32 if precision == "float32" else torch.bfloat16
    made.kernel = "sdpa"
    return made


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """``(scale (n,), whole numbers from -127 to 127)``, whose product is ``weight`` (n, k) to half a step."""
    weight = weight.float()
    # several times faster than torch's aminmax, and without a copy for the absolute values
    scale = torch.maximum(weight.amax(dim=1), -weight.amin(dim=1)).clamp_min(1e-30) / 127
    return scale, (weight / scale[:, None]).round_()


@torch.no_grad()
def _short(weight: Tensor, rounded: bool) -> nn.Parameter:
    """``weight`` in bfloat16; ``rounded`` to what int8 holds."""
    if rounded:
        scale, whole = quantised(weight)
        weight = whole.mul_(scale[:, None])
    return nn.Parameter(weight.to(torch.bfloat16, copy=True), requires_grad=False)
