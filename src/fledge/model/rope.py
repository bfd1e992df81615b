"""Rotary positions (Su et al., arXiv 2104.09864), in the half-split layout of Llama and Qwen."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fledge.model.config import RopeScaling


def rope_angles(
    position_BT: Tensor, head_dim: int, theta: float, dtype: torch.dtype, scaling: RopeScaling | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (B, 1, T, head_dim / 2), computed in float32."""
    exponent = torch.arange(0, head_dim, 2, device=position_BT.device, dtype=torch.float32) / head_dim
    frequency = 1.0 / theta**exponent
    if scaling is not None:
        frequency = scaled(frequency, scaling)
    return _cos_sin(position_BT, frequency, dtype)


# An operator of its own: the compiler would take what it can see into for cheap, and compute cosines anew for every
# head of every layer, forward and backward, which cost a tenth of a training step.
@torch.library.custom_op("fledge::cos_sin", mutates_args=())
def _cos_sin(position_BT: Tensor, frequency: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    angle = position_BT[:, None, :, None].float() * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)


@_cos_sin.register_fake
def _(position_BT: Tensor, frequency: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    b, t = position_BT.shape
    return tuple(torch.empty(b, 1, t, len(frequency), dtype=dtype, device=frequency.device) for _ in range(2))  # type: ignore[return-value]


def scaled(frequency: Tensor, scaling: RopeScaling) -> Tensor:
    """The frequencies stretched: all of them (linear), or the slow ones with a smooth border (Llama 3.1's rule)."""
    slow = frequency / scaling.factor
    if scaling.type == "linear":
        return slow
    turns = scaling.original_max_positions * frequency / (2 * math.pi)
    band = scaling.high_freq_factor - scaling.low_freq_factor
    kept = ((turns - scaling.low_freq_factor) / band).clamp(0, 1)
    return kept * frequency + (1 - kept) * slow


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + d/2) of the last dimension of ``x`` (B, H, T, d) by their angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
