"""Log-probabilities of given tokens, and states of given texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fledge.infer.native.decoder import NativeDecoder
from fledge.model.cache import KVCache
from fledge.model.decoder import Decoder
from fledge.run.progress import Progress

SCORED_TOKENS = 16_384  # tokens of one forward pass
READ_TOKENS = 4_096  # the same by the library, which keeps their keys and values meanwhile
SCORED_LOGITS = 2**24  # float32 logits held at once: 64 MiB

Array = np.ndarray[Any, Any]


class Scorer:
    """Scores with ``model``, read by the library where ``native`` is given."""

    def __init__(self, model: Decoder, native: NativeDecoder | None) -> None:
        self.model, self.native = model, native

    def logprobs(self, sequences: Sequence[Sequence[int]], progress: Progress | None = None) -> list[Array]:
        """log p (nats) of each token given those before it: float32 arrays of length ``len(sequence) - 1``."""

        def of_batch(hidden_ND: Tensor, target_N: Tensor, lengths: list[int]) -> list[Array]:
            parts = [all_.gather(1, target[:, None])[:, 0] for all_, target in self.pieces(hidden_ND, target_N)]
            return np.split(torch.cat(parts).cpu().numpy(), np.cumsum(lengths)[:-1])

        results: list[Array] = [np.zeros(0, dtype=np.float32) for _ in sequences]
        for i, scores in self._in_batches(sequences, 1, of_batch, progress):
            results[i] = scores
        return results

    def mean_states(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """The mean over each sequence of the normalised last states: float32 arrays (D,)."""

        def of_batch(hidden_ND: Tensor, target_N: Tensor, lengths: list[int]) -> list[Array]:
            return [part.float().mean(dim=0).cpu().numpy() for part in hidden_ND.split(lengths)]

        results: list[Array] = [np.zeros(self.model.config.d_model, dtype=np.float32) for _ in sequences]
        for i, state in self._in_batches(sequences, 0, of_batch, None):
            results[i] = state
        return results

    def head(self, hidden_ND: Tensor) -> Tensor:
        """Logits (N, V), float32."""
        return self.model.head(hidden_ND).float() if self.native is None else self.native.head(hidden_ND)

    def pieces(self, hidden_ND: Tensor, target_N: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Pieces of log-probabilities (n, V) after ``hidden_ND``, float32, each with its piece of ``target_N``."""
        n = max(1, SCORED_LOGITS // self.model.config.vocab_size)
        for hidden, target in zip(hidden_ND.split(n), target_N.to(hidden_ND.device).split(n), strict=True):
            yield self.head(hidden).log_softmax(dim=-1), target

    @torch.inference_mode()
    def _in_batches(
        self,
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
            most = SCORED_TOKENS if self.native is None else READ_TOKENS
            n_rows = max(1, most // lengths[waiting[0]])
            batch, waiting = waiting[:n_rows], waiting[n_rows:]
            hidden_ND = self._states([sequences[i][: lengths[i]] for i in batch])
            target_N = torch.tensor([token for i in batch for token in sequences[i][n_unread:]])
            yield from zip(batch, of_batch(hidden_ND, target_N, [lengths[i] for i in batch]), strict=True)
            if progress is not None:
                progress.update(len(batch))

    def _states(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """The normalised last states (N, D) of all tokens of ``texts``, the longest first, one after another."""
        width = len(texts[0])
        if self.native is not None:
            cache = KVCache(self.model.config, len(texts), width, dtype=self.native.dtype)
            return self.native.read(texts, [0] * len(texts), range(len(texts)), cache)
        padded = np.zeros((len(texts), width), dtype=np.int64)
        for row, text in zip(padded, texts, strict=True):
            row[: len(text)] = text
        real = np.arange(width) < np.array([len(text) for text in texts])[:, None]
        tokens, kept = (torch.from_numpy(each).to(self.model.device) for each in (padded, real))
        return self.model(tokens, output="hidden")[kept]
