"""Causal attention in blocks of queries, each of which meets only the keys up to its own end.

The weights above the diagonal are mostly never computed, and none are kept: the backward pass computes them again from
each row's log-normaliser, as FlashAttention does (Dao et al., arXiv 2205.14135). Unlike a fused kernel this is made of
plain products, which matrix units run at full speed, and of element-wise steps that a compiler joins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

MIN_BLOCK = 128
"""Smaller blocks skip more of the weights, but their products are too small to run fast."""
MAX_BLOCKS = 4


def blocks(n_tokens: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each block of queries: at most four, none shorter than 128 but the last."""
    size = max(MIN_BLOCK, -(-n_tokens // (64 * MAX_BLOCKS)) * 64)
    for start in range(0, n_tokens, size):
        yield start, min(start + size, n_tokens)


def _scores(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """Scaled, masked scores (B, K, G, t, s) in float32 of ``q`` (B, K, G, t, d) and ``k`` (B, K, s, d)."""
    b, n_kv, n_group, t, d = q.shape
    products = q.reshape(b, n_kv, n_group * t, d) @ k.mT
    return (products.view(b, n_kv, n_group, t, -1) * d**-0.5 + mask[:, :, None]).float()


class _Blocked(torch.autograd.Function):
    """``q`` (B, K, G, T, d) in G groups of queries a key head, ``k`` and ``v`` (B, K, T, d), ``mask`` (B, 1, T, T)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        b, n_kv, n_group, t, d = q.shape
        outputs, log_normalisers = [], []
        for start, stop in blocks(t):
            scores = _scores(q[:, :, :, start:stop], k[:, :, :stop], mask[:, :, start:stop, :stop])
            log_normaliser = scores.logsumexp(dim=-1, keepdim=True)
            pattern = (scores - log_normaliser).exp().to(v.dtype)
            output = pattern.reshape(b, n_kv, n_group * (stop - start), stop) @ v[:, :, :stop]
            outputs.append(output.view(b, n_kv, n_group, stop - start, d))
            log_normalisers.append(log_normaliser)
        output = torch.cat(outputs, dim=3)
        ctx.save_for_backward(q, k, v, mask, output, *log_normalisers)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, mask, output, *log_normalisers = ctx.saved_tensors
        (d_output,) = gradients
        b, n_kv, n_group, t, d = q.shape
        # What softmax's derivative subtracts in each row: Σ_s pattern · d_pattern, which is d_output · output.
        inner = (d_output * output).float().sum(dim=-1, keepdim=True)
        d_queries: list[Tensor] = []
        d_keys: list[Tensor] = []  # of each block of keys, summed over the blocks of queries that see it
        d_values: list[Tensor] = []
        for (start, stop), log_normaliser in zip(blocks(t), log_normalisers, strict=True):
            rows = (b, n_kv, n_group * (stop - start))
            q_block, d_block = q[:, :, :, start:stop], d_output[:, :, :, start:stop]
            scores = _scores(q_block, k[:, :, :stop], mask[:, :, start:stop, :stop])
            pattern = (scores - log_normaliser).exp()
            d_pattern = (d_block.reshape(*rows, d) @ v[:, :, :stop].mT).view(pattern.shape).float()
            d_scores = pattern * (d_pattern - inner[:, :, :, start:stop]) * d**-0.5
            d_scores = d_scores.to(q.dtype).reshape(*rows, stop)
            d_queries.append((d_scores @ k[:, :, :stop]).view(q_block.shape))
            d_k = d_scores.mT @ q_block.reshape(*rows, d)
            d_v = pattern.to(v.dtype).reshape(*rows, stop).mT @ d_block.reshape(*rows, d)
            for number, (first, last) in enumerate(blocks(t)):
                if first < start:
                    d_keys[number] = d_keys[number] + d_k[:, :, first:last]
                    d_values[number] = d_values[number] + d_v[:, :, first:last]
            d_keys.append(d_k[:, :, start:])
            d_values.append(d_v[:, :, start:])
        return torch.cat(d_queries, dim=3), torch.cat(d_keys, dim=2), torch.cat(d_values, dim=2), None


def attend_blocked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention of ``q`` (B, H, T, d) on ``k`` and ``v`` (B, K, T, d), K dividing H; (B, H, T, d).

    ``mask`` (B or 1, 1, T, T) is added to the scores; it must hide later tokens and leave each token itself.
    """
    b, h, t, d = q.shape
    n_kv = k.shape[1]
    return _Blocked.apply(q.reshape(b, n_kv, h // n_kv, t, d), k, v, mask).view(b, h, t, d)
