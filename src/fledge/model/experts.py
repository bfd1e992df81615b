"""A mixture of experts as in Qwen3-MoE (arXiv 2505.09388): each token passes the few experts that its router likes."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.config import ModelConfig
from fledge.model.hooks import Hooks, tap
from fledge.model.linear import Linear
from fledge.model.mlp import SwiGLU

ALIGNMENT_BYTES = 16
"""Rows of grouped products must begin at multiples of it."""


def load_balance(probability_BTE: Tensor, chosen_BTK: Tensor) -> Tensor:
    """How unevenly each row's tokens spread over the experts, (B,): 1 when even, up to E / K when all go the same way.

    E · Σ_e share_e · mean probability_e, after Switch Transformer (arXiv 2101.03961, equation 4), over the tokens of
    one row and divided by K. transformers takes the shares over a whole batch and all layers at once, which would make
    the loss depend on how a batch is cut into micro-batches; a row is never cut, so the mean over rows does not.
    """
    b, _, n_experts = probability_BTE.shape
    chosen = chosen_BTK.reshape(b, -1)
    with torch.no_grad():
        ones = torch.ones_like(chosen, dtype=torch.float32)
        share_BE = torch.zeros(b, n_experts, device=chosen.device).scatter_add_(1, chosen, ones) / chosen.shape[1]
    return n_experts * (share_BE * probability_BTE.mean(dim=1)).sum(dim=-1)


class MixtureOfExperts(nn.Module):
    """(B, T, D) to (B, T, D), with the parameter names of ``Qwen3MoeForCausalLM``'s files.

    Weights of the K chosen experts are their router probabilities divided by the sum of these.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_active = config.n_active_experts
        self.gate = Linear(config.d_model, config.n_experts)
        expert = replace(config, d_ff=config.d_expert, n_experts=0)
        self.experts = nn.ModuleList(SwiGLU(expert) for _ in range(config.n_experts))

    def forward(
        self, x: Tensor, hooks: Hooks | None = None, prefix: str = "", *, balanced: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """The output and, where ``balanced``, the layer's :func:`load_balance` (B,)."""
        b, t, d = x.shape
        probability_BTE = tap(hooks, prefix + "mlp.router", torch.softmax(self.gate(x), dim=-1, dtype=torch.float32))
        weight_BTK, chosen_BTK = probability_BTE.topk(self.n_active, dim=-1)
        weight_BTK = weight_BTK / weight_BTK.sum(dim=-1, keepdim=True)
        expert_of, order = chosen_BTK.reshape(-1).sort(stable=True)
        ends = torch.searchsorted(expert_of, torch.arange(len(self.experts), device=x.device), right=True)
        y = self._through_experts(x.reshape(-1, d)[order // self.n_active], ends)
        y_BTKD = y[order.argsort()].view(b, t, self.n_active, d)
        out = (y_BTKD * weight_BTK[..., None].to(x.dtype)).sum(dim=2)
        balance = load_balance(probability_BTE, chosen_BTK) if balanced else None
        return tap(hooks, prefix + "mlp.out", out), balance

    def _through_experts(self, x: Tensor, ends: Tensor) -> Tensor:
        """``x`` (N, D), sorted by expert, of which expert e has the rows from ``ends[e - 1]`` to ``ends[e]``.

        Grouped products have static shapes, so torch.compile takes them; they want plain weights, aligned rows and
        bfloat16 (on an uncompiled CPU float32 as well). Elsewhere each expert takes its rows by itself, which waits
        for the counts and stays out of a compiled graph.
        """
        gates, ups, downs = (
            [getattr(expert, name) for expert in self.experts] for name in ("gate_proj", "up_proj", "down_proj")
        )
        plain = all(type(each) is Linear for each in (*gates, *ups, *downs))
        widths = (x.shape[-1], downs[0].weight.shape[1]) if plain else (1,)
        aligned = not any(width * x.element_size() % ALIGNMENT_BYTES for width in widths)
        fit = x.dtype == torch.bfloat16 or (x.device.type == "cpu" and not torch.compiler.is_compiling())
        if not (plain and aligned and fit):
            return self._one_by_one(x, ends)
        ends = ends.to(torch.int32)
        gate, up = (_grouped(x, maps, ends) for maps in (gates, ups))
        return _grouped(F.silu(gate) * up, downs, ends)

    @torch.compiler.disable
    def _one_by_one(self, x: Tensor, ends: Tensor) -> Tensor:
        counts = torch.diff(ends, prepend=ends.new_zeros(1)).tolist()
        return torch.cat([expert(rows) for expert, rows in zip(self.experts, x.split(counts), strict=True)])


def _grouped(x: Tensor, maps: list[Linear], ends: Tensor) -> Tensor:
    weight_EFD = torch.stack([each.weight.to(x.dtype) for each in maps])
    return F.grouped_mm(x, weight_EFD.mT, offs=ends)
