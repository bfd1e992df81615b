"""From logits to tokens: pure functions on (B, V) arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]


def filtered_logprobs(
    logits_BV: Tensor, temperature_B: Tensor, top_k_B: Tensor, top_p_B: Tensor, min_p_B: Tensor
) -> Tensor:
    """Log-probabilities (B, V) of the distribution to sample from, -inf where a token is cut.

    Temperature first, then top-k, then top-p, then min-p, each on what the one before left. Ties at the border of
    top-k are all kept, so that a result never depends on the order of a sort. Temperatures must be positive.
    """
    logprobs = torch.log_softmax(logits_BV.float() / temperature_B[:, None], dim=-1)
    vocab_size = logprobs.shape[-1]
    cuts_k = (top_k_B > 0) & (top_k_B < vocab_size)
    cuts_p = top_p_B < 1
    if not bool((cuts_k | cuts_p | (min_p_B > 0)).any()):
        return logprobs
    keep = torch.ones_like(logprobs, dtype=torch.bool)
    if bool((cuts_k | cuts_p).any()):
        ranked = _descending(logprobs)
        if bool(cuts_k.any()):
            last = torch.where(cuts_k, top_k_B - 1, vocab_size - 1)
            border = ranked.gather(1, last[:, None])
            keep &= (logprobs >= border) | ~cuts_k[:, None]
            ranked = ranked.masked_fill((ranked < border) & cuts_k[:, None], float("-inf"))
        if bool(cuts_p.any()):
            probability = ranked.softmax(dim=-1)
            before = probability.cumsum(dim=-1, dtype=torch.float64) - probability
            n_kept = (before < top_p_B[:, None]).sum(dim=-1).clamp_min(1)
            border = ranked.gather(1, n_kept[:, None] - 1)
            keep &= (logprobs >= border) | ~cuts_p[:, None]
    if bool((min_p_B > 0).any()):
        # A ratio to the likeliest is the same before and after the other cuts, which never drop the likeliest.
        keep &= logprobs >= logprobs.amax(dim=-1, keepdim=True) + min_p_B[:, None].log()
    return torch.log_softmax(logprobs.masked_fill(~keep, float("-inf")), dim=-1)


def pick(logprobs_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Token (B,) at which the cumulated probability passes ``uniform_B`` (float64), by inversion in float64."""
    cumulated = logprobs_BV.exp().cumsum(dim=-1, dtype=torch.float64)
    total = cumulated[:, -1:]
    # Strictly below the total: the first sum beyond it then belongs to a token that has some probability.
    target = torch.minimum(uniform_B[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, target, right=True).squeeze(1)


def uniforms(seed_B: Array, position_B: Array) -> Array:
    """A number in [0, 1) (B,) for each (seed, position): counter-based, so companions in a batch change nothing.

    Two rounds of the SplitMix64 finaliser (Steele, Lea & Flood 2014) over the pair.
    """
    with np.errstate(over="ignore"):
        mixed = _mix(_mix(seed_B.astype(np.uint64)) + position_B.astype(np.uint64))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _descending(values_BV: Tensor) -> Tensor:
    if values_BV.device.type == "cpu":  # numpy's sort without indices is several times faster than torch's
        return torch.from_numpy(-np.sort(-values_BV.numpy(), axis=-1))
    return values_BV.sort(dim=-1, descending=True).values


def _mix(value: Array) -> Array:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
