"""What every endpoint needs: the model, the driver of its engine, and the bounds."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fastapi import Request

from fledge.infer.load import Kind
from fledge.infer.prompts import prompt_ids
from fledge.infer.request import Constraint, GenerateRequest
from fledge.serve.config import ServeConfig
from fledge.serve.driver import Driver
from fledge.serve.errors import ApiError, refused
from fledge.serve.fields import SamplingFields
from fledge.serve.metrics import Metrics
from fledge.serve.ticket import Ticket
from fledge.serve.tools import Toolbox
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

TOOL_THREADS = 16


@dataclass(frozen=True, eq=False)
class Served:
    config: ServeConfig
    driver: Driver
    tokenizer: Tokenizer
    kind: Kind
    metrics: Metrics
    toolbox: Toolbox | None = None
    tool_threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(TOOL_THREADS, "tool"))
    """Its own, so that slow tools keep nobody else waiting."""
    since: int = field(default_factory=lambda: int(time.time()))

    @property
    def context_length(self) -> int:
        return self.driver.engine.context_length

    def check_model(self, name: str | None) -> None:
        if name is not None and name != self.config.model:
            raise ApiError(
                404,
                f"there is no model {name[:200]!r} here; the one that is served is {self.config.model!r}",
                param="model",
                code="model_not_found",
            )

    @cached_property
    def token_texts(self) -> list[str]:
        """Each token as clients read it, all different: bytes that are no whole characters as ``bytes:\\xe2``."""
        texts, seen = list[str](), set[str]()
        for data in self.tokenizer.token_bytes:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                text = ""
            if not data:
                text = f"token:{len(texts)}"
            elif not text or text in seen or text.startswith("bytes:"):
                text = "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
            seen.add(text)
            texts.append(text)
        return texts

    def text_of(self, token: int) -> str:
        return self.token_texts[token] if token < len(self.token_texts) else f"token:{token}"

    def check_prompt(self, ids: Sequence[int], param: str) -> None:
        if not ids:
            raise ApiError(400, "the prompt is empty; it needs at least one token", param=param)
        self.check_tokens(ids, param)
        if len(ids) > self.context_length:
            raise ApiError(
                400,
                f"the prompt has {len(ids)} tokens and the model reads {self.context_length}; shorten it",
                param=param,
                code="context_length_exceeded",
            )

    def check_tokens(self, ids: Sequence[int], param: str) -> None:
        n = self.tokenizer.vocab_size
        if ids and max(ids) >= n:
            raise ApiError(400, f"token {max(ids)} is outside the vocabulary of {n}", param=param)

    @cached_property
    def unnamed_ids(self) -> tuple[int, ...]:
        """What the model has room for and the tokenizer no text."""
        return tuple(range(self.tokenizer.vocab_size, self.driver.engine.vocab_size))

    def head(self, prefix: str, kind: str) -> dict[str, Any]:
        """How every answer begins, in one piece or in chunks."""
        return {
            "id": f"{prefix}-{secrets.token_hex(12)}",
            "object": kind,
            "created": int(time.time()),
            "model": self.config.model,
        }

    def ids_of(self, prompt: str | list[int], param: str) -> list[int]:
        """The tokens of a text, or those that are given; ApiError for a text that cannot be one."""
        if not isinstance(prompt, str):
            return prompt
        self.check_text(len(prompt), param)
        try:
            return prompt_ids(self.tokenizer, prompt)
        except FledgeError as error:
            raise refused(error, param) from None

    def check_text(self, n_characters: int, param: str) -> None:
        """Refuse before it is tokenised what cannot fit, however long its tokens are."""
        at_least = n_characters // max(map(len, self.tokenizer.token_bytes))
        if at_least > self.context_length:
            raise ApiError(
                400,
                f"the prompt has more than {at_least} tokens and the model reads {self.context_length}; shorten it",
                param=param,
                code="context_length_exceeded",
            )

    def check_fields(self, asked: SamplingFields, n_prompts: int, max_tokens: int | None) -> None:
        """Raise ApiError, naming the field, for what is beyond the limits."""
        limits = self.config.limits
        n_choices = n_prompts * (asked.n or 1)
        if n_choices > limits.choices:
            param = "prompt" if n_prompts > limits.choices else "n"
            raise ApiError(400, f"{n_choices} completions in one request; at most {limits.choices}", param=param)
        if limits.max_tokens and (max_tokens or 0) > limits.max_tokens:
            raise ApiError(400, f"at most {limits.max_tokens} tokens are given", param="max_tokens")
        if not all(asked.stops) or len(asked.stops) > limits.stop_texts:
            raise ApiError(400, f"up to {limits.stop_texts} texts that are not empty were expected", param="stop")
        if any(len(stop) > limits.stop_chars for stop in asked.stops):
            raise ApiError(400, f"a stop text has at most {limits.stop_chars} characters", param="stop")
        if asked.stream_options is not None and not asked.stream:
            raise ApiError(400, "stream_options are for streams", param="stream_options")
        if len(asked.logit_bias or {}) > limits.biases:
            raise ApiError(400, f"at most {limits.biases} tokens can be biased", param="logit_bias")
        for key in asked.logit_bias or {}:
            if not (key.isascii() and key.isdigit() and len(key) < 12 and int(key) < self.tokenizer.vocab_size):
                raise ApiError(400, f"{key[:20]!r} is no token of the vocabulary", param="logit_bias")

    def request(
        self,
        asked: SamplingFields,
        ids: Sequence[int],
        choice: int,
        *,
        max_tokens: int | None,
        stop_ids: tuple[int, ...],
        forbidden_ids: tuple[int, ...],
        top_logprobs: int = 0,
        prompt_logprobs: int | None = None,
        constraint: Constraint | None = None,
    ) -> GenerateRequest:
        """What the engine is asked for one choice; without a seed, each is another."""
        longest = self.config.limits.max_tokens or self.context_length
        return GenerateRequest(
            ids,
            max_tokens=longest if max_tokens is None else max_tokens,
            temperature=1.0 if asked.temperature is None else asked.temperature,
            top_k=max(asked.top_k or 0, 0),
            top_p=1.0 if asked.top_p is None else asked.top_p,
            min_p=asked.min_p or 0.0,
            seed=secrets.randbits(63) if asked.seed is None else asked.seed + choice,
            stop_ids=stop_ids,
            forbidden_ids=forbidden_ids + self.unnamed_ids,
            repetition_penalty=asked.repetition_penalty or 1.0,
            presence_penalty=asked.presence_penalty or 0.0,
            frequency_penalty=asked.frequency_penalty or 0.0,
            logit_bias={int(key): bias for key, bias in (asked.logit_bias or {}).items()},
            stop=asked.stops,
            constraint=constraint,
            top_logprobs=top_logprobs,
            prompt_logprobs=prompt_logprobs,
        )

    @asynccontextmanager
    async def running(self, requests: Sequence[GenerateRequest]) -> AsyncIterator[list[Ticket]]:
        """Tickets of ``requests``, which end when the block is left, however it is left."""
        tickets = await self.driver.submit(requests)
        try:
            yield tickets
        finally:
            for ticket in tickets:
                ticket.close()


async def served_by(request: Request) -> Served:
    served: Served = request.app.state.served
    return served
