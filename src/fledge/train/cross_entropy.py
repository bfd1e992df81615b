"""Cross-entropy of the next token, from logits or straight from the states that the head reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fledge.train.config import chunk_tokens


def cross_entropy(logits_BTV: Tensor, targets_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Each token's −ln p(target) and its log-normaliser ln Σ exp(logit), both (B, T) and float32, in nats."""
    logits = logits_BTV.float()
    log_normaliser = logits.logsumexp(dim=-1)
    return log_normaliser - logits.gather(-1, targets_BT[..., None]).squeeze(-1), log_normaliser


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weight: Tensor, z_loss: bool, softcap: float
    ) -> tuple[Tensor, Tensor]:
        n, chunk = hidden.shape[0], chunk_tokens(head.shape[0])
        cast = head.to(hidden.dtype)
        number = torch.arange(head.shape[0], device=head.device)
        sums = [hidden.new_zeros((), dtype=torch.float32) for _ in range(2)]
        d_hidden: list[list[Tensor]] = [[], []]
        d_head: list[Tensor | None] = [None, None]
        for start in range(0, n, chunk):
            h, w = hidden[start : start + chunk], weight[start : start + chunk]
            raw = (h @ cast.T).float()
            logits = softcap * torch.tanh(raw / softcap) if softcap else raw
            nats, log_normaliser = cross_entropy(logits, targets[start : start + chunk])
            sums = [sums[0] + (nats * w).sum(), sums[1] + (log_normaliser.square() * w).sum()]
            p = (logits - log_normaliser[:, None]).exp()
            hit = (number == targets[start : start + chunk, None]).float()
            slopes = [(p - hit) * w[:, None]]
            if z_loss:
                slopes.append(p * (2 * log_normaliser * w)[:, None])
            for i, slope in enumerate(slopes):
                d_raw = (slope * (1 - (logits / softcap).square()) if softcap else slope).to(h.dtype)
                d_hidden[i].append(d_raw @ cast)
                d_cast = (d_raw.T @ h).float()
                so_far = d_head[i]
                d_head[i] = d_cast if so_far is None else so_far + d_cast
        ctx.save_for_backward(*(torch.cat(each) for each in d_hidden if each), *(d for d in d_head if d is not None))
        return sums[0], sums[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        half = len(saved) // 2
        d_hidden = sum(g * d for g, d in zip(gradients, saved[:half], strict=False))
        d_head = sum(g * d for g, d in zip(gradients, saved[half:], strict=False))
        return d_hidden.to(saved[0].dtype), d_head, None, None, None, None


def linear_cross_entropy(
    hidden_BTD: Tensor,
    head_VD: Tensor,
    targets_BT: Tensor,
    weight_BT: Tensor,
    *,
    z_loss: bool = False,
    softcap: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Σ weight · −ln p(target) and Σ weight · log-normaliser², without ever holding all logits.

    The gradients are made in the forward pass, chunk by chunk, since both sums are linear in what comes after them
    (as in Liger-Kernel, arXiv 2410.10989). The second sum has a gradient only with ``z_loss``.
    """
    return _LinearCrossEntropy.apply(
        hidden_BTD.flatten(0, 1), head_VD, targets_BT.flatten(), weight_BT.flatten(), z_loss, softcap
    )
