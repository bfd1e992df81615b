"""Normalisation over the last dimension, with learned weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.config import ModelConfig


class RMSNorm(nn.Module):
    """``x / sqrt(mean(x²) + eps) · weight`` (Zhang and Sennrich, arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class LayerNorm(nn.Module):
    """``(x - mean) / sqrt(variance + eps) · weight + bias`` (Ba et al., arXiv 1607.06450)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


def make_norm(config: ModelConfig) -> RMSNorm | LayerNorm:
    """The norm of the residual stream."""
    kind = LayerNorm if config.norm == "layer" else RMSNorm
    return kind(config.d_model, config.norm_eps)
