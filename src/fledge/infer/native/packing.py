"""Weights in the order in which they are used."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.mlp import SwiGLU

LANES = 16
Linear = tuple[Tensor, Tensor | None]
"""Weight (n, k) and bias (n,)."""


def packed_weight(weight: Tensor) -> Tensor:
    """``weight`` (n, k) in the order of ``Linear`` in products.h; n a multiple of 16, k of 2, of uint8 of 4."""
    n, k = weight.shape
    of_lane = {torch.float32: 1, torch.uint8: 4}.get(weight.dtype, 2)
    return weight.view(n // LANES, LANES, k // of_lane, of_lane).permute(0, 2, 1, 3).contiguous()


def padded(weight: Tensor, rows: int, columns: int) -> Tensor:
    """``weight`` (n, k) with zeros up to multiples of ``rows`` and ``columns``."""
    n, k = weight.shape
    lacking = (0, -k % columns, 0, -n % rows)
    return (F.pad(weight, lacking) if any(lacking) else weight).contiguous()


def alternating(gate_and_up: Tensor) -> Tensor:
    """(2 · n, k) to blocks of 16 of the first n rows and of the last n ones in turn."""
    halves = [padded(half, LANES, 1) for half in gate_and_up.chunk(2)]
    return torch.stack([half.view(-1, LANES, half.shape[1]) for half in halves], dim=1).flatten(0, 2)


def joined_maps(block: nn.Module) -> tuple[Linear, Linear]:
    """Queries, keys and values of a block as one map, and so gate and up of its MLP."""
    attention: Any = block.self_attn
    mlp: Any = block.mlp
    wide = [mlp.gate_proj, mlp.up_proj] if isinstance(mlp, SwiGLU) else [mlp.up_proj]
    return _joined([attention.q_proj, attention.k_proj, attention.v_proj]), _joined(wide)


def of_map(map_: Any) -> Linear:
    """Weight and bias as they are, without their gradients."""
    return map_.weight.detach(), None if map_.bias is None else map_.bias.detach()


def _joined(maps: list[Any]) -> Linear:
    biases = [each.bias.detach() for each in maps if each.bias is not None]
    return torch.cat([each.weight.detach() for each in maps]), torch.cat(biases) if biases else None
