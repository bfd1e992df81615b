"""Batched generation with a cache, and log-probabilities of given tokens. Token ids in, token ids out."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from fledge.infer.decode import Row, decode
from fledge.infer.request import Completion, GenerateRequest, Token
from fledge.model.decoder import Decoder
from fledge.run.progress import Progress
from fledge.types import FledgeError

SCORED_TOKENS = 16_384  # tokens of one forward pass when scoring
SCORED_LOGITS = 2**24  # float32 logits held at once when scoring: 64 MiB

Array = np.ndarray[Any, Any]


class Engine:
    """Runs one model for sampling and scoring.

    ``context_length`` is the most tokens that the model reads; ``max_batch`` the most rows decoded together. With
    ``dtype`` float32 the weights are shared with ``model`` and stay current while it trains; any other type takes a
    copy, cast once. Greedy and seeded output does not depend on the companions in a batch (in float32, up to ties
    within rounding).
    """

    def __init__(
        self,
        model: Decoder,
        *,
        context_length: int,
        max_batch: int = 64,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if dtype == torch.float32:
            self.model = copy.copy(model)  # shares the parameters; the compute type is its own
        else:
            self.model = copy.deepcopy(model).to(dtype)
        self.model.compute_dtype = dtype
        self.model.kernel = "sdpa"
        self.context_length, self.max_batch = context_length, max_batch

    @property
    def vocab_size(self) -> int:
        return self.model.config.vocab_size

    def fingerprint(self) -> str:
        """SHA-256 over the names and values of all weights: two engines with the same one give the same output."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        on_token: Callable[[int, Token], None] | None = None,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Complete every request; results in the order of ``requests``.

        ``on_token(index of the request, token)`` is called as tokens come, ``progress`` counts finished requests.
        Raises FledgeError for a prompt longer than the context.
        """
        for request in requests:
            self._check(request)
        rows = [Row(index, request, self._room(request)) for index, request in enumerate(requests)]
        by_length = sorted((row for row in rows if row.room), key=lambda row: -len(row.request.ids))
        if progress is not None:
            progress.update(len(rows) - len(by_length))
        for start in range(0, len(by_length), self.max_batch):
            for row, token in decode(self.model, by_length[start : start + self.max_batch]):
                if on_token is not None:
                    on_token(row.index, token)
                if row.finished and progress is not None:
                    progress.update(1)
        return [Completion(tuple(row.ids), tuple(row.logprobs), "stop" if row.stopped else "length") for row in rows]

    def stream(self, request: GenerateRequest) -> Iterator[Token]:
        """Yield the tokens of one completion as they come: the same as :meth:`generate` gives."""
        self._check(request)
        row = Row(0, request, self._room(request))
        return (token for _, token in decode(self.model, [row] if row.room else []))

    def logprobs(self, sequences: Sequence[Sequence[int]], progress: Progress | None = None) -> list[Array]:
        """log p (nats) of each token given those before it: float32 arrays of length ``len(sequence) - 1``.

        The last token is predicted and not read, so a sequence may be one token longer than the context; longer ones
        raise FledgeError.
        """
        results: list[Array] = [np.zeros(0, dtype=np.float32) for _ in sequences]
        lengths = [len(sequence) for sequence in sequences]
        if max(lengths, default=0) > self.context_length + 1:
            raise FledgeError(
                f"{max(lengths)} tokens are too many to score: the model reads {self.context_length}",
                fix="score the text in windows",
            )
        waiting = sorted((i for i, n in enumerate(lengths) if n > 1), key=lambda i: -lengths[i])
        while waiting:
            width = lengths[waiting[0]] - 1
            n_rows = max(1, SCORED_TOKENS // width)
            batch, waiting = waiting[:n_rows], waiting[n_rows:]
            for i, scores in zip(batch, self._score([sequences[i] for i in batch], width), strict=True):
                results[i] = scores
            if progress is not None:
                progress.update(len(batch))
        return results

    @torch.inference_mode()
    def _score(self, sequences: Sequence[Sequence[int]], width: int) -> list[Array]:
        device, lengths = self.model.device, [len(sequence) - 1 for sequence in sequences]
        padded = np.zeros((len(sequences), width + 1), dtype=np.int64)
        for row, sequence in enumerate(sequences):
            padded[row, : len(sequence)] = sequence
        tokens = torch.from_numpy(padded).to(device)
        real = torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]
        hidden_ND = self.model(tokens[:, :-1], output="hidden")[real]
        target_N = tokens[:, 1:][real]
        parts = []
        for hidden, target in zip(
            hidden_ND.split(max(1, SCORED_LOGITS // self.vocab_size)),
            target_N.split(max(1, SCORED_LOGITS // self.vocab_size)),
            strict=True,
        ):
            logits = self.model.lm_head(hidden).float()
            parts.append(logits.gather(1, target[:, None]).squeeze(1) - logits.logsumexp(dim=-1))
        return np.split(torch.cat(parts).cpu().numpy(), np.cumsum(lengths)[:-1])

    def _check(self, request: GenerateRequest) -> None:
        if len(request.ids) > self.context_length:
            raise FledgeError(
                f"the prompt has {len(request.ids)} tokens and the model reads {self.context_length}",
                fix="shorten the prompt",
            )
        if max(request.ids) >= self.vocab_size or min(request.ids) < 0:
            raise FledgeError(
                f"the prompt holds a token outside the model's vocabulary of {self.vocab_size}",
                fix="use the tokenizer that the model was trained with",
            )

    def _room(self, request: GenerateRequest) -> int:
        return min(request.max_tokens, self.context_length + 1 - len(request.ids))
