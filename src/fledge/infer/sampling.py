"""From logits to tokens: pure functions on (B, V) arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RANKED = (512, 4096)
"""Tokens that are sorted for the cuts: no more than a row's need."""
PICK_BLOCK = 256

Array = np.ndarray[Any, Any]


def filtered_logprobs(
    logits_BV: Tensor, temperature_B: Tensor, top_k_B: Tensor, top_p_B: Tensor, min_p_B: Tensor
) -> Tensor:
    """Log-probabilities (B, V) of the distribution to sample from, -inf where a token is cut.

    Temperature first, then top-k, then top-p, then min-p, each on what the one before left. Ties at a border are all
    kept, so that a result never depends on the order of a sort. Temperatures must be positive.
    """
    logprobs = torch.log_softmax(logits_BV.float() / temperature_B[:, None], dim=-1)
    vocab_size = logprobs.shape[-1]
    cuts_k = (top_k_B > 0) & (top_k_B < vocab_size)
    cuts_p = top_p_B < 1
    if not bool((cuts_k | cuts_p | (min_p_B > 0)).any()):
        return logprobs
    # A ratio to the likeliest is the same before and after the other cuts, which never drop the likeliest.
    border = logprobs.amax(dim=-1) + min_p_B.log()
    if bool((cuts_k | cuts_p).any()):
        ranked = _ranked(logprobs, cuts_k, top_k_B, cuts_p, top_p_B)
        last = torch.where(cuts_k, top_k_B - 1, vocab_size - 1).clamp_max(ranked.shape[1] - 1)
        border_k = ranked.gather(1, last[:, None]).squeeze(1)
        border = torch.where(cuts_k, torch.maximum(border, border_k), border)
        probability = ranked.double().exp().masked_fill((ranked < border_k[:, None]) & cuts_k[:, None], 0.0)
        total = torch.where(cuts_k, probability.sum(dim=-1), 1.0)
        before = probability.cumsum(dim=-1) - probability
        n_kept = (before < (top_p_B.double() * total)[:, None]).sum(dim=-1).clamp_min(1)
        border_p = ranked.gather(1, n_kept[:, None] - 1).squeeze(1)
        border = torch.where(cuts_p, torch.maximum(border, border_p), border)
    kept = torch.where(logprobs >= border[:, None], logprobs, float("-inf"))
    return kept - log_total(kept)[:, None]


def log_total(logits_BV: Tensor) -> Tensor:
    """The logarithm (B,) of the sum of the exponentials of each row."""
    greatest = logits_BV.amax(dim=-1, keepdim=True)
    greatest = torch.where(greatest.isinf(), 0.0, greatest)
    return exponential(logits_BV - greatest).sum(dim=-1).log() + greatest[:, 0]


def exponential(values: Tensor) -> Tensor:
    """``values.exp()``; on a CPU by numpy, for torch takes tens of times as long where the result is as good as 0."""
    return torch.from_numpy(np.exp(values.numpy())) if values.device.type == "cpu" else values.exp()


def pick(logprobs_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Token (B,) at which the cumulated probability passes ``uniform_B`` (float64), by inversion in float64.

    First the block of tokens is found, then the token in it, so that not everything is cumulated.
    """
    vocab_size = logprobs_BV.shape[1]
    probability = F.pad(exponential(logprobs_BV), (0, -vocab_size % PICK_BLOCK)).view(len(logprobs_BV), -1, PICK_BLOCK)
    of_block = probability.sum(dim=-1).double()
    blocks = of_block.cumsum(dim=-1)
    target = uniform_B[:, None] * blocks[:, -1:]
    # Strictly below the total: the first sum beyond it then belongs to a token that has some probability.
    target = torch.minimum(target, torch.nextafter(blocks[:, -1:], torch.zeros_like(target)))
    block = torch.searchsorted(blocks, target, right=True)
    within = probability.gather(1, block[:, :, None].expand(-1, 1, PICK_BLOCK)).squeeze(1).double().cumsum(dim=-1)
    rest = target - (blocks - of_block).gather(1, block)
    rest = torch.minimum(rest, torch.nextafter(within[:, -1:], torch.zeros_like(rest)))
    return (block * PICK_BLOCK + torch.searchsorted(within, rest, right=True)).squeeze(1)


def uniforms(seed_B: Array, position_B: Array) -> Array:
    """A number in [0, 1) (B,) for each (seed, position): counter-based, so companions in a batch change nothing.

    Two rounds of the SplitMix64 finaliser (Steele, Lea & Flood 2014) over the pair.
    """
    with np.errstate(over="ignore"):
        mixed = _mix(_mix(seed_B.astype(np.uint64)) + position_B.astype(np.uint64))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _ranked(logprobs: Tensor, cuts_k: Tensor, top_k_B: Tensor, cuts_p: Tensor, top_p_B: Tensor) -> Tensor:
    """The greatest values of each row, descending, as many as its cuts of top-k and top-p must see; then -inf."""
    n_rows, vocab_size = logprobs.shape
    left = torch.arange(n_rows, device=logprobs.device)
    done: list[tuple[Tensor, Tensor]] = []
    for n in (*(n for n in RANKED if 2 * n < vocab_size), vocab_size):
        ranked = _greatest(logprobs[left], n)
        enough = torch.ones_like(left, dtype=torch.bool)
        if n < vocab_size:
            # what lies beyond the last of these belongs to no row's cut, nor to a tie at its border
            top_k = top_k_B[left]
            enough_k = (top_k <= n) & (ranked.gather(1, (top_k - 1).clamp(0, n - 1)[:, None])[:, 0] > ranked[:, -1])
            mass = ranked[:, :-1].double().exp().sum(dim=-1)
            enough = torch.where(cuts_k[left], enough_k, ~cuts_p[left] | (mass > top_p_B[left].double() + 1e-6))
        if bool(enough.all()) and not done:
            return ranked
        done.append((left[enough], ranked[enough]))
        left = left[~enough]
        if not len(left):
            break
    widest = done[-1][1]
    whole = widest.new_full((n_rows, widest.shape[1]), float("-inf"))
    for rows, ranked in done:
        whole[rows, : ranked.shape[1]] = ranked
    return whole


def _greatest(values_BV: Tensor, n: int) -> Tensor:
    """The ``n`` greatest of each row, in descending order."""
    if values_BV.device.type != "cpu":
        return values_BV.topk(n, dim=-1).values
    # numpy's partition and sort without indices are several times faster than torch's
    values = values_BV.numpy()
    width = values.shape[1] // (2 * n)
    if width < 2:
        return torch.from_numpy(-np.sort(-values, axis=-1)[:, :n])
    of_blocks = values_BV[:, : values.shape[1] // width * width].unflatten(1, (-1, width)).amax(dim=-1).numpy()
    found = np.empty((len(values), n), dtype=values.dtype)
    for row, of_row, least in zip(values, found, -np.partition(-of_blocks, n - 1, axis=-1)[:, n - 1], strict=True):
        # as many blocks hold a value that is no less; what is no number is no less either
        some = row[~(row < least)]
        of_row[:] = -np.sort(np.partition(-some, n - 1)[:n])
    return torch.from_numpy(found)


def _mix(value: Array) -> Array:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
