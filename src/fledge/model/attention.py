"""Causal self-attention with grouped key/value heads, normalised queries and keys, document masks and windows."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.blocked import MIN_BLOCK, attend_blocked
from fledge.model.cache import KVCache
from fledge.model.config import VALUE_GATE_WIDTH, ModelConfig
from fledge.model.hooks import Hooks, tap
from fledge.model.linear import Linear, joined, table
from fledge.model.norm import RMSNorm
from fledge.model.rope import rotate

Kernel = Literal["products", "sdpa"]
Stored = tuple[KVCache, int, Tensor, int]
"""Where a layer stores keys and values: the cache, the layer, position_BT, and how many positions are seen."""


def document_mask(document_BT: Tensor, window: int = 0) -> Tensor:
    """(B, 1, T, T), True where a token (row) sees another (column): in the same document, and as in `causal_mask`."""
    causal = causal_mask(document_BT.shape[1], document_BT.device, window)
    return (document_BT[:, None, :, None] == document_BT[:, None, None, :]) & causal


def causal_mask(n_tokens: int, device: torch.device, window: int = 0) -> Tensor:
    """(1, 1, T, T), True where a token (row) sees another (column): not later, and of the last ``window`` (0 = all)."""
    mask = torch.ones(1, 1, n_tokens, n_tokens, dtype=torch.bool, device=device).tril()
    return mask.triu(1 - window) if window else mask


def cache_mask(position_BT: Tensor, limit: int, window: int = 0) -> Tensor:
    """(B, 1, T, limit), True at the stored positions up to the token's own, of the last ``window`` (0 = all)."""
    stored, own = torch.arange(limit, device=position_BT.device), position_BT[:, None, :, None]
    return (stored <= own) & (stored > own - window) if window else stored <= own


# An operator of its own, because the compiler would compute a mask that it can see into anew in every layer.
@torch.library.custom_op("fledge::additive", mutates_args=())
def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where ``mask`` is True and -inf elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, float("-inf"))


@additive.register_fake
def _(mask: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.empty(mask.shape, dtype=dtype, device=mask.device)


def attend_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, hooks: Hooks | None, prefix: str) -> Tensor:
    """Attention as products and a float32 softmax; ``mask`` is added. Fastest on CPU at short context.

    ``q`` (B, H, T, d), ``k`` and ``v`` (B, K, S, d) with K dividing H, ``mask`` broadcast to (B, H, T, S). Where S is T
    the mask must be causal, and all weights are there at once only for a hook that asks for them.
    """
    b, h, t, d = q.shape
    n_kv, s = k.shape[1], k.shape[2]
    point = prefix + "attn.pattern"
    if s == t > MIN_BLOCK and point not in (hooks or ()):
        return attend_blocked(q, k, v, mask)
    grouped = q.reshape(b, n_kv, h // n_kv * t, d)
    scores = (grouped @ k.transpose(-1, -2)).view(b, h, t, s) * d**-0.5 + mask
    pattern = tap(hooks, point, torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype))
    return (pattern.reshape(b, n_kv, h // n_kv * t, s) @ v).view(b, h, t, d)


def attend_sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention by torch's fused kernels, which never hold the (T, S) weights; ``mask`` None means causal."""
    b, h, t, d = q.shape
    grouped = h != k.shape[1]
    if t == 1 and grouped and mask is not None:
        # heads that share keys as so many queries of one head: they are read once, and every kernel can do it
        shared = q.reshape(b, k.shape[1], -1, d)
        return F.scaled_dot_product_attention(shared, k, v, attn_mask=mask).reshape(b, h, t, d)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)


class Attention(nn.Module):
    """Self-attention, (B, T, D) to (B, T, D), with the parameter names of ``Qwen3Attention``."""

    def __init__(self, config: ModelConfig, layer: int = 0) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        width, kv_width = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
        bias = config.attention_bias != "none"
        self.q_proj = Linear(config.d_model, width, bias)
        self.k_proj = Linear(config.d_model, kv_width, bias)
        self.v_proj = Linear(config.d_model, kv_width, bias)
        self.o_proj = Linear(width, config.d_model, config.attention_bias == "all")
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps) if config.qk_norm else nn.Identity()
        self.value_embed = table(config.vocab_size, kv_width) if config.has_value_embedding(layer) else None
        if self.value_embed is not None:
            self.value_gate = Linear(min(VALUE_GATE_WIDTH, config.d_model), config.n_kv_heads)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor] | None,
        mask: Tensor | None,
        kernel: Kernel,
        *,
        stored: Stored | None = None,
        hooks: Hooks | None = None,
        prefix: str = "",
        tokens_BT: Tensor | None = None,
    ) -> Tensor:
        """``mask`` is additive for "products", boolean or None (causal) for "sdpa"; without ``angles`` none rotates.

        With ``stored`` keys and values go through the cache. ``prefix`` begins the names of this layer's hooks.
        ``tokens_BT`` is for value embeddings.
        """
        b, t, _ = x.shape
        q, k, v = (
            y.view(b, t, -1, self.head_dim).transpose(1, 2) for y in joined(x, self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = self.q_norm(q), self.k_norm(k)
        if angles is not None:
            q, k = rotate(q, *angles), rotate(k, *angles)
        if self.value_embed is not None:
            assert tokens_BT is not None
            v = v + self._embedded_values(x, tokens_BT)
        q, k, v = tap(hooks, prefix + "attn.q", q), tap(hooks, prefix + "attn.k", k), tap(hooks, prefix + "attn.v", v)
        if stored is not None:
            cache, layer, position_BT, limit = stored
            k, v = cache.write(layer, k, v, position_BT, limit)
        if kernel == "products":
            assert mask is not None
            y = attend_products(q, k, v, mask, hooks, prefix)
        else:
            y = attend_sdpa(q, k, v, mask)
        y = tap(hooks, prefix + "attn.heads", y)
        return tap(hooks, prefix + "attn.out", self.o_proj(y.transpose(1, 2).reshape(b, t, -1)))

    def _embedded_values(self, x: Tensor, tokens_BT: Tensor) -> Tensor:
        """(B, K, T, d): each token's own embedding for the values of this layer, times a gate from 0 to 3 a head.

        After nanochat (karpathy/nanochat); value embeddings are from modded-nanogpt and arXiv 2410.17897.
        """
        assert self.value_embed is not None
        b, t, _ = x.shape
        value = F.embedding(tokens_BT, self.value_embed.weight).to(x.dtype).view(b, t, -1, self.head_dim)
        gate = 3 * torch.sigmoid(self.value_gate(x[..., :VALUE_GATE_WIDTH]))
        return (gate[..., None] * value).transpose(1, 2)
