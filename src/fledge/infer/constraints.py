"""Constraints on the text of a completion, by llguidance (guidance-ai/llguidance): extra ``serve``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fledge.infer.request import Constraint
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

JSON_STYLE: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}  # as Python's json writes it
BITS = torch.arange(8, dtype=torch.uint8)


class GrammarMatcher:
    """A grammar under way; see :class:`fledge.infer.rules.Matcher`."""

    def __init__(self, matcher: Any, vocab_size: int) -> None:
        self._matcher, self._vocab_size = matcher, vocab_size

    def allowed(self) -> Tensor:
        packed = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        if self._matcher.is_error():
            return torch.ones(self._vocab_size, dtype=torch.bool)
        bits = ((packed[:, None] >> BITS) & 1).bool().flatten()[: self._vocab_size]
        allowed = torch.zeros(self._vocab_size, dtype=torch.bool)
        allowed[: len(bits)] = bits
        return allowed

    def take(self, token: int) -> None:
        if not self._matcher.is_error():
            self._matcher.consume_token(token)

    @property
    def fulfilled(self) -> bool:
        return bool(self._matcher.is_stopped())

    @property
    def fault(self) -> str:
        if not self._matcher.is_error():
            return ""
        return f"the constraint cannot be followed: {_in_a_line(self._matcher.get_error())}"


def matcher(tokenizer: Tokenizer, vocab_size: int, constraint: Constraint, ends: Sequence[int]) -> GrammarMatcher:
    """``constraint`` at its beginning; ``ends`` may come where it is fulfilled.

    Raises FledgeError for one that cannot be read or met, and where llguidance is not installed.
    """
    try:
        from llguidance import LLMatcher
    except ImportError:
        raise FledgeError("constraints need llguidance", fix="pip install 'fledge[serve]'") from None
    grammar = _grammar(constraint)
    made = LLMatcher(_vocabulary(tokenizer, tuple(ends)), grammar, log_level=0)
    if made.is_error():
        raise FledgeError(f"{constraint.kind} cannot be used: {_in_a_line(made.get_error())}", where="constraint")
    return GrammarMatcher(made, vocab_size)


def _grammar(constraint: Constraint) -> str:
    from llguidance import LLMatcher

    text = constraint.text
    try:
        if constraint.kind == "json_schema":
            return LLMatcher.grammar_from_json_schema(text, JSON_STYLE)
        if constraint.kind == "regex":
            return LLMatcher.grammar_from_regex(text)
        if constraint.kind == "choice":
            choices = json.loads(text)
            if (
                not isinstance(choices, list)
                or not choices
                or not all(isinstance(each, str) and each for each in choices)
            ):
                raise ValueError("a list of texts that are not empty was expected")
            text = "start: " + " | ".join(json.dumps(each, ensure_ascii=False) for each in choices)
        return LLMatcher.grammar_from_lark(text)
    except ValueError as error:
        raise FledgeError(f"{constraint.kind} cannot be read: {_in_a_line(str(error))}", where="constraint") from None


@lru_cache(maxsize=8)
def _vocabulary(tokenizer: Tokenizer, ends: tuple[int, ...]) -> Any:
    from llguidance import LLTokenizer, TokenizerWrapper

    return LLTokenizer(TokenizerWrapper(_Words(tokenizer)), eos_token=list(ends) or [tokenizer.border])


class _Words:
    """A tokenizer as llguidance reads it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokens = tokenizer.token_bytes
        self.special_token_ids = sorted(tokenizer.special_ids)
        self.bos_token_id = None
        self.eos_token_id = tokenizer.border
        self._encode = tokenizer.encode_bytes

    def __call__(self, data: bytes) -> list[int]:
        return self._encode(data)


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:300]
