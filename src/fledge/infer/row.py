"""A request under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from fledge.infer.request import Completion, FinishReason, GenerateRequest, Token
from fledge.infer.rules import LogitRules
from fledge.infer.slots import BLOCK, block_hashes
from fledge.infer.stops import StopMatcher


@dataclass(eq=False)
class Row:
    """``ids`` are the prompt and what was sampled, ``room`` the most tokens that it may get, ``n_read`` how many of
    ``ids`` its row of the cache holds. A row whose ``ids`` are all read but for the last is decoding.
    """

    id: int
    request: GenerateRequest
    room: int
    rules: LogitRules
    stops: StopMatcher
    ids: list[int]
    slot: int = -1
    n_read: int = 0
    n_cached: int = 0
    hashes: list[bytes] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    prompt: list[Token] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    fault: str = ""

    @property
    def n_unread(self) -> int:
        return len(self.ids) - self.n_read

    @property
    def scored(self) -> bool:
        """Whether log-probabilities of the prompt are wanted, which need the states after all its tokens."""
        return self.request.prompt_logprobs is not None and not self.tokens

    @property
    def unread(self) -> list[int]:
        return self.ids[self.n_read :]

    @property
    def shareable(self) -> list[bytes]:
        """Hashes of the blocks that may come from another row; the last token must be read to go on from it."""
        if self.scored:
            return []  # what is not read has no logits
        self.hashes = block_hashes(self.ids[:-1], self.hashes)
        return self.hashes

    def read(self, n_tokens: int) -> list[bytes]:
        """Count tokens as read; returns the hashes of all whole blocks that were."""
        self.n_read += n_tokens
        n_blocks = self.n_read // BLOCK
        if n_blocks > len(self.hashes):
            self.hashes = block_hashes(self.ids[: self.n_read], self.hashes)
        return self.hashes[:n_blocks]

    def forget(self) -> None:
        """What was read was read with other weights."""
        self.n_read = self.n_cached = 0
        if not self.tokens:
            self.prompt.clear()

    def take(self, token: Token, text: bytes) -> None:
        """Add a sampled token, whose text is ``text``, and see whether it ends the completion."""
        self.ids.append(token.id)
        self.tokens.append(token)
        self.rules.take(token.id)
        self.stops.feed(text)
        matcher = self.rules.matcher
        if matcher is not None and matcher.fault:
            self.finish_reason, self.fault = "cancelled", matcher.fault
        elif token.id in self.request.stop_ids or self.stops.found or (matcher is not None and matcher.fulfilled):
            self.finish_reason = "stop"
        elif len(self.tokens) >= self.room:
            self.finish_reason = "length"

    def completion(self, weights_version: int) -> Completion:
        return Completion(
            tuple(self.tokens),
            self.finish_reason or "cancelled",
            tuple(self.prompt),
            self.n_cached,
            weights_version,
            self.fault,
        )
