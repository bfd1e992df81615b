"""What a request does to the logits before it samples: penalties, biases, and tokens that may not come."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from fledge.infer.request import GenerateRequest


class Matcher(Protocol):
    """A constraint under way."""

    def allowed(self) -> Tensor:
        """(V,) bool on the CPU: what may come next."""

    def take(self, token: int) -> None: ...

    @property
    def fulfilled(self) -> bool:
        """Nothing can follow."""

    @property
    def fault(self) -> str:
        """Why it cannot be followed any further, else nothing; anything is allowed then."""


class LogitRules:
    """The rules of one request, with what its tokens so far have added to them."""

    def __init__(
        self, request: GenerateRequest, vocab_size: int, device: torch.device, matcher: Matcher | None
    ) -> None:
        self.request, self.matcher, self.device = request, matcher, device
        self._forbidden = torch.tensor(sorted(set(request.forbidden_ids)), dtype=torch.int64, device=device)
        self._biased = torch.tensor(list(request.logit_bias), dtype=torch.int64, device=device)
        self._bias = torch.tensor(list(request.logit_bias.values()), dtype=torch.float32, device=device)
        self._counts: Tensor | None = None
        self._seen: Tensor | None = None
        if request.presence_penalty or request.frequency_penalty:
            self._counts = torch.zeros(vocab_size, device=device)
        if request.repetition_penalty != 1:
            self._seen = torch.zeros(vocab_size, dtype=torch.bool, device=device)
            self._seen[torch.tensor(list(request.ids), device=device)] = True

    @property
    def none(self) -> bool:
        """Nothing is changed."""
        return self.only_forbids and not len(self._forbidden)

    @property
    def only_forbids(self) -> bool:
        return self._counts is None and self._seen is None and self.matcher is None and not len(self._biased)

    def apply(self, logits_V: Tensor) -> None:
        """Change ``logits_V`` (float32) in place."""
        request = self.request
        if self._seen is not None:
            penalty = request.repetition_penalty
            punished = torch.where(logits_V > 0, logits_V / penalty, logits_V * penalty)
            logits_V.copy_(torch.where(self._seen, punished, logits_V))
        if self._counts is not None:
            logits_V -= request.presence_penalty * (self._counts > 0) + request.frequency_penalty * self._counts
        logits_V[self._biased] += self._bias
        logits_V[self._forbidden] = float("-inf")
        if self.matcher is not None:
            logits_V.masked_fill_(~self.matcher.allowed().to(self.device), float("-inf"))

    def take(self, token: int) -> None:
        """``token`` was sampled."""
        if self._counts is not None:
            self._counts[token] += 1
        if self._seen is not None:
            self._seen[token] = True
        if self.matcher is not None:
            self.matcher.take(token)
