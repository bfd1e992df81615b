"""One batch of rows from prompts to the last token: prefill, then a token a row and step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fledge.infer.request import GenerateRequest, Token
from fledge.infer.sampling import filtered_logprobs, pick, uniforms
from fledge.model.decoder import Decoder
from fledge.types import FledgeError

PREFILL_TOKENS = 16_384  # tokens of one forward pass over prompts
COMPACT_BELOW = 0.75  # share of unfinished rows under which the batch is made smaller
LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 1e-6, 1e30  # outside, float32 is left; below, the likeliest token is taken


@dataclass
class Row:
    """One request under way; ``room`` is the most tokens that it may still get from the start."""

    index: int
    request: GenerateRequest
    room: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: bool = False

    @property
    def finished(self) -> bool:
        return self.stopped or len(self.ids) >= self.room

    @property
    def position(self) -> int:
        """Position of the next token to be sampled."""
        return len(self.request.ids) + len(self.ids)

    def take(self, token: int, logprob: float) -> None:
        self.ids.append(token)
        self.logprobs.append(logprob)
        self.stopped = token in self.request.stop_ids


def decode(model: Decoder, rows: Sequence[Row]) -> Iterator[tuple[Row, Token]]:
    """Yield (row, token) as tokens are sampled, until every row is finished. Each row needs room for one at least."""
    if not rows:
        return
    live = list(rows)
    capacity = max(len(row.request.ids) + row.room - 1 for row in live)
    # The context of inference_mode must not stay open at a yield: it would reach into the caller.
    with torch.inference_mode():
        cache = model.new_cache(len(live), capacity)
        logits = _prefill(model, live, cache)
        sampler = Sampler(live, model.config.vocab_size, model.device)
    while True:
        with torch.inference_mode():
            tokens, logprobs = sampler.sample(logits, live)
        for row, token, logprob in zip(live, tokens, logprobs, strict=True):
            if not row.finished:
                row.take(token, logprob)
                yield row, Token(token, logprob)
        n_unfinished = sum(not row.finished for row in live)
        if not n_unfinished:
            return
        with torch.inference_mode():
            if n_unfinished <= COMPACT_BELOW * len(live):
                kept = [i for i, row in enumerate(live) if not row.finished]
                cache.select(torch.tensor(kept, device=model.device))
                live = [live[i] for i in kept]
                sampler = Sampler(live, model.config.vocab_size, model.device)
            # A finished row that has not left yet reads its last token again: its place is written, never looked at.
            last = torch.tensor([[row.ids[-1]] for row in live], device=model.device)
            position = torch.tensor([[min(row.position - 1, capacity - 1)] for row in live], device=model.device)
            logits = model(last, position, cache=cache)[:, -1]


def _prefill(model: Decoder, rows: Sequence[Row], cache: object) -> Tensor:
    """Read all prompts into the cache; logits (B, V) after the last token of each."""
    lengths = [len(row.request.ids) for row in rows]
    padded = np.zeros((len(rows), max(lengths)), dtype=np.int64)
    for i, row in enumerate(rows):
        padded[i, : lengths[i]] = row.request.ids
    tokens = torch.from_numpy(padded).to(model.device)
    last = torch.tensor(lengths, device=model.device) - 1
    position = torch.arange(padded.shape[1], device=model.device).expand(len(rows), -1)
    state = torch.zeros(len(rows), model.config.d_model, dtype=model.compute_dtype, device=model.device)
    width = max(1, PREFILL_TOKENS // len(rows))
    for start in range(0, padded.shape[1], width):
        piece = slice(start, start + width)
        hidden = model(tokens[:, piece], position[:, piece], cache=cache, output="hidden")
        ends = torch.nonzero((last >= start) & (last < start + width)).squeeze(1)
        state[ends] = hidden[ends, last[ends] - start]
    return model.lm_head(state)


class Sampler:
    """The sampling settings of the rows of a batch, as tensors made once."""

    def __init__(self, rows: Sequence[Row], vocab_size: int, device: torch.device) -> None:
        # Sampling inverts a cumulated distribution in float64, which MPS has not.
        self.device = torch.device("cpu") if device.type == "mps" else device
        requests = [row.request for row in rows]
        self.seeds = np.array([request.seed % 2**64 for request in requests], dtype=np.uint64)
        self.sampled = [i for i, request in enumerate(requests) if request.temperature >= LEAST_TEMPERATURE]
        chosen = [requests[i] for i in self.sampled]
        self.settings = (
            torch.tensor(
                [min(r.temperature, GREATEST_TEMPERATURE) for r in chosen], dtype=torch.float32, device=self.device
            ),
            torch.tensor([min(r.top_k, vocab_size) for r in chosen], dtype=torch.int64, device=self.device),
            torch.tensor([r.top_p for r in chosen], dtype=torch.float32, device=self.device),
            torch.tensor([r.min_p for r in chosen], dtype=torch.float32, device=self.device),
        )
        self.forbidden = _forbidden(requests, vocab_size).to(self.device)

    def sample(self, logits_BV: Tensor, rows: Sequence[Row]) -> tuple[list[int], list[float]]:
        """The next token of every row, and its log-probability; FledgeError where the model gives no numbers."""
        logits = logits_BV.to(self.device).float()
        if self.forbidden.any():
            logits = logits.masked_fill(self.forbidden, float("-inf"))
        tokens = logits.argmax(dim=-1)
        # of logits that are no number one is the greatest
        if not logits.gather(1, tokens[:, None]).isfinite().all():
            raise FledgeError("the model's logits are no numbers", fix="take a checkpoint from before it diverged")
        if len(self.sampled) < len(rows):
            logprobs = logits.gather(1, tokens[:, None]).squeeze(1) - logits.logsumexp(dim=-1)
        else:
            logprobs = torch.zeros(len(rows), device=self.device)
        if self.sampled:
            some = logits if len(self.sampled) == len(rows) else logits[self.sampled]
            distribution = filtered_logprobs(some, *self.settings)
            positions = np.array([rows[i].position for i in self.sampled], dtype=np.uint64)
            uniform = torch.from_numpy(uniforms(self.seeds[self.sampled], positions)).to(self.device)
            picked = pick(distribution, uniform)
            tokens[self.sampled] = picked
            logprobs[self.sampled] = distribution.gather(1, picked[:, None]).squeeze(1)
        return tokens.tolist(), logprobs.tolist()


def _forbidden(requests: Sequence[GenerateRequest], vocab_size: int) -> Tensor:
    """True where a token is forbidden: (1, V) where all requests agree, else (B, V)."""
    distinct = sorted({tuple(sorted(set(request.forbidden_ids))) for request in requests})
    shared = len(distinct) == 1
    mask = torch.zeros(1 if shared else len(requests), vocab_size, dtype=torch.bool)
    for row, request in zip(mask, requests[:1] if shared else requests, strict=True):
        row[list(request.forbidden_ids)] = True
    return mask
