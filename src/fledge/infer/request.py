"""What an engine is asked, and what it gives back. Token ids only; no torch in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fledge.types import FledgeError

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Constraint:
    """What the text of a completion must be: JSON of a schema, a match of a regex, one of some texts, or a grammar.

    ``text`` is the schema as JSON, the regex (in the syntax of Rust's ``regex`` crate), the choices as a JSON list of
    strings, or a grammar in llguidance's Lark-like syntax.
    """

    kind: Literal["json_schema", "regex", "choice", "grammar"]
    text: str


@dataclass(frozen=True)
class GenerateRequest:
    """Continue ``ids`` by at most ``max_tokens`` tokens.

    Logits are changed in this order. ``repetition_penalty`` divides the positive and multiplies the negative ones of
    tokens that stand in the prompt or the completion (CTRL, arXiv 1909.05858); ``presence_penalty`` is subtracted
    once and ``frequency_penalty`` for every time that a token stands in the completion (as in OpenAI's API);
    ``logit_bias`` is added; ``forbidden_ids`` and what ``constraint`` has no place for are never sampled.

    ``temperature`` 0 (or below 1e-6) takes the likeliest token. Otherwise the logits are divided by it, then cut to the
    ``top_k`` likeliest (0 = all), to the smallest set that holds ``top_p`` of the probability, and to what has at
    least ``min_p`` times the probability of the likeliest. The same ``seed`` gives the same tokens in any batch.

    ``stop_ids`` end the completion and belong to it, as does the token that completes one of the texts ``stop``.
    ``top_logprobs`` asks for the likeliest tokens beside each sampled one; ``prompt_logprobs`` for the prompt's own
    log-probabilities and that many of the likeliest at each place (None: not at all). Of waiting requests those of
    greater ``priority`` are taken first.
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
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    top_logprobs: int = 0
    prompt_logprobs: int | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        infinite = float("inf")
        bounds = {
            "max_tokens": (self.max_tokens >= 0, "not negative"),
            "temperature": (0 <= self.temperature < infinite, "0 or more"),
            "top_k": (self.top_k >= 0, "not negative"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            "repetition_penalty": (0 < self.repetition_penalty < infinite, "above 0"),
            "presence_penalty": (abs(self.presence_penalty) < infinite, "a number"),
            "frequency_penalty": (abs(self.frequency_penalty) < infinite, "a number"),
            "logit_bias": (all(abs(bias) < infinite for bias in self.logit_bias.values()), "numbers"),
            "stop": (all(self.stop), "texts that are not empty"),
            "top_logprobs": (self.top_logprobs >= 0, "not negative"),
            "prompt_logprobs": (self.prompt_logprobs is None or self.prompt_logprobs >= 0, "not negative"),
        }
        for name, (good, expected) in bounds.items():
            if not good:
                raise FledgeError(f"{name} must be {expected}, got {getattr(self, name)}", where=name)
        if not len(self.ids):
            raise FledgeError("a prompt needs at least one token", where="ids", fix="begin with the bos token")


Likeliest = tuple[tuple[int, float], ...]
"""Tokens with their log-probabilities, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its log-probabilities (nats); see :class:`Completion`."""

    id: int
    logprob: float
    raw_logprob: float
    top: Likeliest = ()
    raw_top: Likeliest = ()


@dataclass(frozen=True)
class Completion:
    """Sampled ``tokens`` without the prompt, the stop token included.

    A token's ``logprob`` is of the distribution sampled from, after all that the request asks; at temperature 0, which
    has none, of temperature 1 without cuts. ``raw_logprob`` is the model's own. ``top`` and ``raw_top`` hold the
    likeliest of both where they were asked for. ``prompt`` has the model's own of every prompt token but the first.
    ``finish_reason`` is "stop" for a stop token, a stop text or a constraint that is fulfilled, "length" where
    ``max_tokens`` or the context ended it, "cancelled" for one that was left, and for one whose constraint could not
    be followed any further: ``fault`` says why, and the last token means nothing. ``n_cached`` prompt tokens were not
    read anew. ``weights_version`` is that of the weights that sampled the last token.
    """

    tokens: tuple[Token, ...]
    finish_reason: FinishReason
    prompt: tuple[Token, ...] = ()
    n_cached: int = 0
    weights_version: int = 0
    fault: str = ""

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(token.id for token in self.tokens)

    @property
    def logprobs(self) -> tuple[float, ...]:
        return tuple(token.logprob for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Event:
    """What a step of an engine brought to one request: a token, the whole completion where it ended, or both."""

    request: int
    token: Token | None = None
    completion: Completion | None = None
