"""The feed-forward layer: gated, SwiGLU (Shazeer, arXiv 2002.05202), or plain."""

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
        self.gate_proj = Linear(config.d_model, config.d_ff, config.mlp_bias)
        self.up_proj = Linear(config.d_model, config.d_ff, config.mlp_bias)
        self.down_proj = Linear(config.d_ff, config.d_model, config.mlp_bias)

    def forward(self, x: Tensor, hooks: Hooks | None = None, prefix: str = "") -> Tensor:
        gate, up = joined(x, self.gate_proj, self.up_proj)
        hidden = tap(hooks, prefix + "mlp.hidden", F.silu(gate) * up)
        return tap(hooks, prefix + "mlp.out", self.down_proj(hidden))


class PlainMLP(nn.Module):
    """``down(f(up(x)))``, (B, T, D) to (B, T, D); f is relu² (arXiv 2109.08668) or gelu in its tanh form (GPT-2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        self.up_proj = Linear(config.d_model, config.d_ff, config.mlp_bias)
        self.down_proj = Linear(config.d_ff, config.d_model, config.mlp_bias)

    def forward(self, x: Tensor, hooks: Hooks | None = None, prefix: str = "") -> Tensor:
        up = self.up_proj(x)
        hidden = F.relu(up).square() if self.kind == "relu2" else F.gelu(up, approximate="tanh")
        return tap(hooks, prefix + "mlp.out", self.down_proj(tap(hooks, prefix + "mlp.hidden", hidden)))
