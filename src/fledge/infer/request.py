"""What an engine is asked, and what it gives back. Token ids only; no torch in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fledge.types import FledgeError


@dataclass(frozen=True)
class GenerateRequest:
    """Continue ``ids`` by at most ``max_tokens`` tokens.

    ``temperature`` 0 (or below 1e-6) takes the likeliest token. Otherwise the logits are divided by it, then cut to the
    ``top_k`` likeliest (0 = all), to the smallest set that holds ``top_p`` of the probability, and to what has at
    least ``min_p`` times the probability of the likeliest. ``stop_ids`` end the completion and belong to it;
    ``forbidden_ids`` are never sampled. The same ``seed`` gives the same tokens in any batch.
    """

    ids: Sequence[int]
    max_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stop_ids: tuple[int, ...] = ()
    forbidden_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        bounds = {
            "max_tokens": (self.max_tokens >= 0, "not negative"),
            "temperature": (0 <= self.temperature < float("inf"), "0 or more"),
            "top_k": (self.top_k >= 0, "not negative"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
        }
        for name, (good, expected) in bounds.items():
            if not good:
                raise FledgeError(f"{name} must be {expected}, got {getattr(self, name)}", where=name)
        if not len(self.ids):
            raise FledgeError("a prompt needs at least one token", where="ids", fix="begin with the bos token")


@dataclass(frozen=True)
class Token:
    """A sampled token and its log-probability (nats); see :class:`Completion`."""

    id: int
    logprob: float


@dataclass(frozen=True)
class Completion:
    """Sampled ``ids`` without the prompt, the stop token included.

    ``logprobs`` (nats) are of the distribution sampled from, after temperature and cuts; at temperature 0, which has
    none, of the model's own (temperature 1) without the forbidden tokens. ``finish_reason`` is "stop" for a stop
    token and "length" where ``max_tokens`` or the context ended it.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length"]
