"""The next token of every row of a batch, with the log-probabilities that its request asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fledge.infer.native.draws import NO_NUMBERS, NO_TOKEN, WANTED, draw
from fledge.infer.request import Likeliest, Token
from fledge.infer.row import Row
from fledge.infer.sampling import Array, filtered_logprobs, log_total, pick, uniforms
from fledge.types import FledgeError

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 1e-6, 1e30  # outside, float32 is left; below, the likeliest token is taken


class Sampler:
    """The sampling settings of some rows, made once; ``native`` samples by the library."""

    def __init__(self, rows: Sequence[Row], vocab_size: int, device: torch.device, *, native: bool = False) -> None:
        # Sampling inverts a cumulated distribution in float64, which MPS has not.
        self.device = torch.device("cpu") if device.type == "mps" else device
        self.rows = list(rows)
        requests = [row.request for row in rows]
        self.seeds = np.array([request.seed % 2**64 for request in requests], dtype=np.uint64)
        self.sampled = [i for i, request in enumerate(requests) if request.temperature >= LEAST_TEMPERATURE]
        chosen = [requests[i] for i in self.sampled]

        def tensor(values: list[float], dtype: torch.dtype) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=self.device)

        self.settings = (
            tensor([min(r.temperature, GREATEST_TEMPERATURE) for r in chosen], torch.float32),
            tensor([min(r.top_k, vocab_size) for r in chosen], torch.int64),
            tensor([r.top_p for r in chosen], torch.float32),
            tensor([r.min_p for r in chosen], torch.float32),
        )
        self.wanted = np.zeros(len(rows), dtype=WANTED)
        self.wanted["temperature"][self.sampled] = self.settings[0].cpu()
        self.wanted["top_k"] = [min(request.top_k, vocab_size) for request in requests]
        self.wanted["top_p"] = [request.top_p for request in requests]
        self.wanted["min_p"] = [request.min_p for request in requests]
        self.native = native
        self.shared: Tensor | None = None
        if len({r.forbidden_ids for r in requests}) == 1 and all(row.rules.only_forbids for row in rows):
            self.shared = tensor(list(requests[0].forbidden_ids), torch.int64)

    def sample(self, logits_BV: Tensor) -> list[Token | None]:
        """A token for every row, or None where its rules leave none; FledgeError where the model gives no numbers."""
        raw = logits_BV.to(self.device).float()
        logits = self._ruled(raw)
        found = self._drawn(logits, raw) if self.native else self._picked(logits, raw)
        for i, row in enumerate(self.rows):
            token, n = found[i], row.request.top_logprobs
            if token is not None and n:
                top, raw_top = likeliest(self._distribution(logits, i), n), likeliest(raw[i].log_softmax(dim=-1), n)
                found[i] = replace(token, top=top, raw_top=raw_top)
        return found

    def _picked(self, logits: Tensor, raw: Tensor) -> list[Token | None]:
        tokens = logits.argmax(dim=-1)
        # of logits that are no number one is the greatest
        possible = _of(logits, tokens).isfinite()
        if not possible.all():
            if not raw.amax(dim=-1).isfinite().all():
                raise _no_numbers()
            logits = torch.where(possible[:, None], logits, raw)
        raw_total = log_total(raw)
        total = raw_total if logits is raw else log_total(logits)
        logprobs = _of(logits, tokens) - total
        if self.sampled:
            distribution = filtered_logprobs(logits[self.sampled], *self.settings)
            finite = distribution.amax(dim=-1).isfinite()  # not where rules and temperature together leave float32
            if not finite.all():
                possible[self.sampled] &= finite
                distribution = torch.where(finite[:, None], distribution, raw[self.sampled].log_softmax(dim=-1))
            uniform = torch.from_numpy(self._uniforms()[self.sampled]).to(self.device)
            tokens[self.sampled] = pick(distribution, uniform)
            logprobs[self.sampled] = _of(distribution, tokens[self.sampled])
        raw_logprobs = _of(raw, tokens) - raw_total
        told = torch.stack([tokens.double(), logprobs.double(), raw_logprobs.double(), possible.double()], dim=1)
        # one wait for all that is told
        return [Token(int(token), *logprobs) if good else None for token, *logprobs, good in told.tolist()]

    def _distribution(self, logits: Tensor, i: int) -> Tensor:
        """Log-probabilities (V,) of what row ``i`` is sampled from; at temperature 0 those of temperature 1."""
        if i not in self.sampled:
            return logits[i].log_softmax(dim=-1)
        at = self.sampled.index(i)
        return filtered_logprobs(logits[i : i + 1], *(values[at : at + 1] for values in self.settings))[0]

    def _drawn(self, logits: Tensor, raw: Tensor) -> list[Token | None]:
        if self.sampled:
            self.wanted["uniform"] = self._uniforms()
        drawn = draw(logits, raw, self.wanted)
        if (drawn["fault"] == NO_NUMBERS).any():
            raise _no_numbers()
        return [
            Token(token, logprob, raw_logprob) if fault != NO_TOKEN else None
            for token, logprob, raw_logprob, fault in drawn.tolist()
        ]

    def _uniforms(self) -> Array:
        return uniforms(self.seeds, np.array([len(row.ids) for row in self.rows], dtype=np.uint64))

    def _ruled(self, raw: Tensor) -> Tensor:
        """Logits after the rules of all rows; ``raw`` itself where none changes anything."""
        if self.shared is not None:
            return raw.index_fill(1, self.shared, float("-inf")) if len(self.shared) else raw
        logits = raw.clone()
        for row, values in zip(self.rows, logits, strict=True):
            row.rules.apply(values)
        return logits


def _no_numbers() -> FledgeError:
    return FledgeError("the model's logits are no numbers", fix="take a checkpoint from before it diverged")


def likeliest(logprobs_V: Tensor, n: int) -> Likeliest:
    """The ``n`` likeliest tokens that can come at all."""
    values, ids = logprobs_V.topk(min(n, len(logprobs_V)))
    return tuple((i, v) for i, v in zip(ids.tolist(), values.tolist(), strict=True) if v > float("-inf"))


def _of(values_BV: Tensor, tokens_B: Tensor) -> Tensor:
    return values_BV.gather(1, tokens_B[:, None]).squeeze(1)
