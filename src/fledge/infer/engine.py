"""Continuous batching over one model: requests come, read their prompts in chunks, get a token a step, and leave."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from fledge.infer.config import Precision
from fledge.infer.cuda_graphs import recorder
from fledge.infer.driving import Driven
from fledge.infer.native.decoder import NativeDecoder, why_not
from fledge.infer.precision import at_precision
from fledge.infer.reader import Reader
from fledge.infer.request import Completion, Event, GenerateRequest, Token
from fledge.infer.row import Row
from fledge.infer.rules import LogitRules, Matcher
from fledge.infer.sampler import Sampler
from fledge.infer.scoring import Array, Scorer
from fledge.infer.stops import StopMatcher
from fledge.model.decoder import Decoder
from fledge.run.progress import Progress
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer


class Engine(Driven):
    """Runs one model for sampling and scoring.

    ``context_length`` is the most tokens that the model reads; ``max_batch`` the most requests that run together, the
    others wait. In float32 the weights are shared with ``model`` and stay current while it trains; bfloat16 and int8
    (one scale a row) take a copy. ``frozen`` weights change by :meth:`update_weights` alone, which makes an engine
    several times faster: on a CPU they are packed for ``native/decoder.py`` (int8 saves time only then), on CUDA the
    steps are recorded as graphs. ``tokenizer`` is needed for stop texts and constraints. Greedy and seeded output does
    not depend on the companions in a batch (in float32, up to ties within rounding).

    Must not be called from several threads at once.
    """

    def __init__(
        self,
        model: Decoder,
        *,
        context_length: int,
        max_batch: int = 64,
        precision: Precision = "float32",
        frozen: bool = False,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        super().__init__()
        most = model.config.max_positions if model.config.position == "learned" else context_length
        if not 1 <= context_length <= most:
            raise FledgeError(f"context_length must be from 1 to {most}, got {context_length}", where="context_length")
        if max_batch < 1:
            raise FledgeError(f"max_batch must be at least 1, got {max_batch}", where="max_batch")
        self.model = at_precision(model, precision)
        self.context_length, self.max_batch, self.tokenizer = context_length, max_batch, tokenizer
        self.precision, self._frozen = precision, frozen
        self.native = NativeDecoder(model, precision, self.model) if frozen and not why_not(model) else None
        self._recorder = recorder if frozen else None
        self.weights_version = 0
        self._n_submitted = 0
        self._waiting: list[Row] = []
        self._running: list[Row] = []
        self._sampler: Sampler | None = None
        n_words = self.vocab_size if tokenizer is None else tokenizer.vocab_size
        self._wordless = tuple(range(n_words, self.vocab_size))  # rows of the model that stand for no token
        self._frozen_weights = list(self.model.parameters())
        self._stamp = self._weights_stamp()

    @property
    def vocab_size(self) -> int:
        return self.model.config.vocab_size

    @property
    def n_running(self) -> int:
        return len(self._running)

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    def fingerprint(self) -> str:
        """SHA-256 over the names and values of all weights: two engines with the same one give the same output."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def submit(self, request: GenerateRequest) -> int:
        self.check(request)
        if self._wordless:
            request = replace(request, forbidden_ids=(*request.forbidden_ids, *self._wordless))
        row = Row(
            id=self._n_submitted,
            request=request,
            room=min(request.max_tokens, self.context_length + 1 - len(request.ids)),
            rules=LogitRules(request, self.vocab_size, self.model.device, self._matcher(request)),
            stops=StopMatcher(request.stop),
            ids=list(request.ids),
        )
        self._n_submitted += 1
        at = (i for i, other in enumerate(self._waiting) if other.request.priority < request.priority)
        self._waiting.insert(next(at, len(self._waiting)), row)
        return row.id

    def _cancel(self, request: int) -> Completion | None:
        row = next((row for row in (*self._running, *self._waiting) if row.id == request), None)
        return None if row is None else self._leave(row)

    def _step(self) -> list[Event]:
        if (stamp := self._weights_stamp()) != self._stamp:
            if self._frozen:
                raise FledgeError("the weights of a frozen engine were changed in place", fix="use update_weights")
            self._stamp = stamp
            self._forget()
        try:
            return self._passed()
        except BaseException:
            self._forget()  # who has not got a token for what was read, reads it again
            raise

    def _passed(self) -> list[Event]:
        wants_nothing = [row for row in self._waiting if not row.room and row.request.prompt_logprobs is None]
        self._unheard += [Event(row.id, None, self._leave(row)) for row in wants_nothing]  # told, should this step fail
        self._admit()
        events: list[Event] = []
        with torch.inference_mode():
            rows, logits = self._reader.read(self._running)
            tokens = [] if logits is None else self._sample(rows, logits)
        for row in [row for row in self._running if not row.room and row.n_unread < 2]:
            events.append(Event(row.id, None, self._leave(row)))
        for row, token in zip(rows, tokens, strict=True):
            if token is None:
                row.finish_reason, row.fault = "cancelled", "its rules leave no token that may come next"
            else:
                row.take(token, self._text_of(token.id))
            events.append(Event(row.id, token, self._leave(row) if row.finish_reason else None))
        return events

    def _admit(self) -> None:
        while self._waiting and self._reader.slots.n_free:
            row = self._waiting.pop(0)
            self._running.append(row)
            self._reader.admit(row)

    def _forget(self) -> None:
        """What was read is worth nothing any more."""
        self._reader.slots.flush()
        for row in self._running:
            row.forget()

    def _weights_stamp(self) -> int:
        """Changes with the weights, where they are shared with a model that may train.

        Those that are frozen are listed once, for that takes as long as a small step.
        """
        if self.precision != "float32":
            return 0
        weights = self._frozen_weights if self._frozen else self.model.parameters()
        return sum(each._version for each in weights if not each.is_inference())

    def update_weights(self, model: Decoder, version: int) -> None:
        """Go on with the weights of ``model``, of the same sizes; what was read with the old ones is read anew."""
        if model.config != self.model.config:
            raise FledgeError("the new weights are of a model with other sizes", fix="make an engine for it")
        if model.device != self.model.device:
            model = copy.deepcopy(model).to(self.model.device)
        self.model = at_precision(model, self.precision)
        if self.native is not None:
            self.native = NativeDecoder(model, self.precision, self.model)
        self._reader.use(self.model, self.native)
        self.weights_version = version
        self._frozen_weights = list(self.model.parameters())
        self._stamp = self._weights_stamp()
        self._forget()

    def logprobs(self, sequences: Sequence[Sequence[int]], progress: Progress | None = None) -> list[Array]:
        """log p (nats) of each token given those before it: float32 arrays of length ``len(sequence) - 1``.

        The last token is predicted and not read, so a sequence may be one token longer than the context; longer ones
        raise FledgeError.
        """
        longest = max(map(len, sequences), default=0)
        if longest > self.context_length + 1:
            raise FledgeError(
                f"{longest} tokens are too many to score: the model reads {self.context_length}",
                fix="score the text in windows",
            )
        self._check_ids([index for ids in sequences for index in ids])
        return Scorer(self.model, self.native).logprobs(sequences, progress)

    def embed(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """The mean of the normalised last states of each sequence: float32 arrays (D,)."""
        for ids in sequences:
            self.check(GenerateRequest(ids))
        return Scorer(self.model, self.native).mean_states(sequences)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.model, self.max_batch, self.context_length, self.native, self._recorder)

    def _sample(self, rows: Sequence[Row], logits_BV: torch.Tensor) -> list[Token | None]:
        if self._sampler is None or self._sampler.rows != rows:
            self._sampler = Sampler(rows, self.vocab_size, self.model.device, native=self.native is not None)
        return self._sampler.sample(logits_BV)

    def _leave(self, row: Row) -> Completion:
        if not row.room:
            row.finish_reason = "length"
        if row in self._running:
            self._running.remove(row)
            self._reader.slots.free(row.slot)
        else:
            self._waiting.remove(row)
        return row.completion(self.weights_version)

    def _text_of(self, token: int) -> bytes:
        if self.tokenizer is None or token in self.tokenizer.special_ids:
            return b""
        # a model may have more rows than its tokenizer has tokens
        return self.tokenizer.token_bytes[token] if token < self.tokenizer.vocab_size else b""

    def _matcher(self, request: GenerateRequest) -> Matcher | None:
        if request.constraint is None:
            return None
        from fledge.infer.constraints import matcher

        assert self.tokenizer is not None
        return matcher(self.tokenizer, self.vocab_size, request.constraint, request.stop_ids)

    def check(self, request: GenerateRequest) -> None:
        if len(request.ids) > self.context_length:
            raise FledgeError(
                f"the prompt has {len(request.ids)} tokens and the model reads {self.context_length}",
                fix="shorten the prompt",
            )
        self._check_ids(request.ids)
        for name in ("stop_ids", "forbidden_ids", "logit_bias"):
            if any(not 0 <= index < self.vocab_size for index in getattr(request, name)):
                raise FledgeError(f"{name} holds a token outside the vocabulary of {self.vocab_size}", where=name)
        if (request.stop or request.constraint) and self.tokenizer is None:
            raise FledgeError("stop texts and constraints need a tokenizer", fix="give the engine one")

    def _check_ids(self, ids: Sequence[int]) -> None:
        if len(ids) and not (min(ids) >= 0 and max(ids) < self.vocab_size):
            raise FledgeError(
                f"the prompt holds a token outside the model's vocabulary of {self.vocab_size}",
                fix="use the tokenizer that the model was trained with",
            )
