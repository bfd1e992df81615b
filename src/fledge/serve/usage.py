"""How many tokens a request took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fledge.infer.request import Completion
from fledge.serve.ticket import Ticket


@dataclass
class Usage:
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def add(self, ticket: Ticket, completion: Completion, *, first: bool, n_sampled: int) -> None:
        """Count a completion; the prompt only with the ``first`` of those that share it."""
        self.completion_tokens += n_sampled
        if first:
            self.prompt_tokens += len(ticket.request.ids)
            self.cached_tokens += completion.n_cached

    def told(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }
