"""Causal self-attention with grouped key/value heads, normalised queries and keys, and document masks."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.cache import KVCache
from fledge.model.config import ModelConfig
from fledge.model.hooks import Hooks, tap
from fledge.model.linear import Linear, joined
from fledge.model.norm import RMSNorm
from fledge.model.rope import rotate

Kernel = Literal["products", "sdpa"]


def document_mask(document_BT: Tensor) -> Tensor:
    """(B, 1, T, T), True where a token (row) sees another (column): not later, and in the same document."""
    t = document_BT.shape[1]
    causal = torch.ones(t, t, dtype=torch.bool, device=document_BT.device).tril()
    return (document_BT[:, None, :, None] == document_BT[:, None, None, :]) & causal


def causal_mask(n_tokens: int, device: torch.device) -> Tensor:
    """(1, 1, T, T), True where a token (row) sees another (column): not later."""
    return torch.ones(1, 1, n_tokens, n_tokens, dtype=torch.bool, device=device).tril()


def cache_mask(position_BT: Tensor, limit: int) -> Tensor:
    """(B, 1, T, limit), True at the stored positions up to the token's own."""
    return torch.arange(limit, device=position_BT.device) <= position_BT[:, None, :, None]


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where ``mask`` is True and -inf elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, float("-inf"))


def attend_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, hooks: Hooks | None, prefix: str) -> Tensor:
    """Attention as two products and a float32 softmax; ``mask`` is added. Fastest on CPU at short context.

    ``q`` (B, H, T, d), ``k`` and ``v`` (B, K, S, d) with K dividing H, ``mask`` broadcast to (B, H, T, S).
    """
    b, h, t, d = q.shape
    n_kv, s = k.shape[1], k.shape[2]
    grouped = q.reshape(b, n_kv, h // n_kv * t, d)
    scores = (grouped @ k.transpose(-1, -2)).view(b, h, t, s) * d**-0.5 + mask
    pattern = tap(hooks, prefix + "attn.pattern", torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype))
    return (pattern.reshape(b, n_kv, h // n_kv * t, s) @ v).view(b, h, t, d)


def attend_sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention by torch's fused kernels, which never hold the (T, S) weights; ``mask`` None means causal."""
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=q.shape[1] != k.shape[1]
    )


class Attention(nn.Module):
    """Self-attention, (B, T, D) to (B, T, D), with the parameters of ``Qwen3Attention``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.q_proj = Linear(config.d_model, config.n_heads * config.head_dim)
        self.k_proj = Linear(config.d_model, config.n_kv_heads * config.head_dim)
        self.v_proj = Linear(config.d_model, config.n_kv_heads * config.head_dim)
        self.o_proj = Linear(config.n_heads * config.head_dim, config.d_model)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor],
        mask: Tensor | None,
        kernel: Kernel,
        *,
        layer: int = 0,
        stored: tuple[KVCache, Tensor, int] | None = None,
        hooks: Hooks | None = None,
        prefix: str = "",
    ) -> Tensor:
        """``mask`` is additive for "products", boolean or None (causal) for "sdpa".

        ``stored`` is (cache, position_BT, limit): keys and values go through the cache, cut to ``limit`` positions.
        """
        b, t, _ = x.shape
        q, k, v = (
            y.view(b, t, -1, self.head_dim).transpose(1, 2) for y in joined(x, self.q_proj, self.k_proj, self.v_proj)
        )
        q = tap(hooks, prefix + "attn.q", rotate(self.q_norm(q), *angles))
        k = tap(hooks, prefix + "attn.k", rotate(self.k_norm(k), *angles))
        v = tap(hooks, prefix + "attn.v", v)
        if stored is not None:
            cache, position_BT, limit = stored
            k, v = cache.write(layer, k, v, position_BT, limit)
        if kernel == "products":
            assert mask is not None
            y = attend_products(q, k, v, mask, hooks, prefix)
        else:
            y = attend_sdpa(q, k, v, mask)
        y = tap(hooks, prefix + "attn.heads", y)
        return tap(hooks, prefix + "attn.out", self.o_proj(y.transpose(1, 2).reshape(b, t, -1)))
