"""Rotary positions (Su et al., arXiv 2104.09864), in the half-split layout of Llama and Qwen."""

from __future__ import annotations

import torch
from torch import Tensor


def rope_angles(position_BT: Tensor, head_dim: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (B, 1, T, head_dim / 2), computed in float32."""
    exponent = torch.arange(0, head_dim, 2, device=position_BT.device, dtype=torch.float32) / head_dim
    angle = position_BT[:, None, :, None].float() * (1.0 / theta**exponent)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + d/2) of the last dimension of ``x`` (B, H, T, d) by their angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
