"""The gated feed-forward layer, SwiGLU (Shazeer, arXiv 2002.05202)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.config import ModelConfig
from fledge.model.hooks import Hooks, tap
from fledge.model.linear import Linear, joined


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) · up(x))``, (B, T, D) to (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = Linear(config.d_model, config.d_ff)
        self.up_proj = Linear(config.d_model, config.d_ff)
        self.down_proj = Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor, hooks: Hooks | None = None, prefix: str = "") -> Tensor:
        gate, up = joined(x, self.gate_proj, self.up_proj)
        hidden = tap(hooks, prefix + "mlp.hidden", F.silu(gate) * up)
        return tap(hooks, prefix + "mlp.out", self.down_proj(hidden))
