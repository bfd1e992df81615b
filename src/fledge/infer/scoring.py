"""Log-probabilities of given tokens, and states of given texts: forward passes without a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fledge.model.decoder import Decoder
from fledge.run.progress import Progress

SCORED_TOKENS = 16_384  # tokens of one forward pass
SCORED_LOGITS = 2**24  # float32 logits held at once: 64 MiB

Array = np.ndarray[Any, Any]


def logprobs(model: Decoder, sequences: Sequence[Sequence[int]], progress: Progress | None = None) -> list[Array]:
    """log p (nats) of each token given those before it: float32 arrays of length ``len(sequence) - 1``."""

    def of_batch(hidden_ND: Tensor, target_N: Tensor, lengths: list[int]) -> list[Array]:
        parts = [all_.gather(1, target[:, None])[:, 0] for all_, target in scored(model, hidden_ND, target_N)]
        return np.split(torch.cat(parts).cpu().numpy(), np.cumsum(lengths)[:-1])

    results: list[Array] = [np.zeros(0, dtype=np.float32) for _ in sequences]
    for i, scores in _in_batches(model, sequences, 1, of_batch, progress):
        results[i] = scores
    return results


def mean_states(model: Decoder, sequences: Sequence[Sequence[int]]) -> list[Array]:
    """The mean over each sequence of the normalised last states: float32 arrays (D,)."""

    def of_batch(hidden_ND: Tensor, target_N: Tensor, lengths: list[int]) -> list[Array]:
        return [part.float().mean(dim=0).cpu().numpy() for part in hidden_ND.split(lengths)]

    results: list[Array] = [np.zeros(model.config.d_model, dtype=np.float32) for _ in sequences]
    for i, state in _in_batches(model, sequences, 0, of_batch, None):
        results[i] = state
    return results


def scored(model: Decoder, hidden_ND: Tensor, target_N: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pieces of log-probabilities (n, V) after ``hidden_ND``, float32, each with its piece of ``target_N``."""
    n = max(1, SCORED_LOGITS // model.config.vocab_size)
    for hidden, target in zip(hidden_ND.split(n), target_N.to(hidden_ND.device).split(n), strict=True):
        yield model.head(hidden).float().log_softmax(dim=-1), target


@torch.inference_mode()
def _in_batches(
    model: Decoder,
    sequences: Sequence[Sequence[int]],
    n_unread: int,
    of_batch: Callable[[Tensor, Tensor, list[int]], list[Array]],
    progress: Progress | None,
) -> Iterator[tuple[int, Array]]:
    """``of_batch(hidden_ND, target_N, lengths)`` over all sequences, the longest first.

    The last ``n_unread`` tokens of a sequence are not read; ``target_N`` are the tokens that follow those read.
    """
    lengths = [len(sequence) - n_unread for sequence in sequences]
    waiting = sorted((i for i, n in enumerate(lengths) if n > 0), key=lambda i: -lengths[i])
    while waiting:
        width = lengths[waiting[0]]
        n_rows = max(1, SCORED_TOKENS // width)
        batch, waiting = waiting[:n_rows], waiting[n_rows:]
        padded = np.zeros((len(batch), width + n_unread), dtype=np.int64)
        for row, i in zip(padded, batch, strict=True):
            row[: len(sequences[i])] = sequences[i]
        tokens = torch.from_numpy(padded).to(model.device)
        real = (
            torch.arange(width, device=model.device)
            < torch.tensor([lengths[i] for i in batch]).to(model.device)[:, None]
        )
        hidden_ND = model(tokens[:, :width], output="hidden")[real]
        target_N = tokens[:, n_unread:][real]
        yield from zip(batch, of_batch(hidden_ND, target_N, [lengths[i] for i in batch]), strict=True)
        if progress is not None:
            progress.update(len(batch))
