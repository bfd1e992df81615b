"""Settings of the tokenizer and of the token shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.run.settings import setting
from fledge.types import FledgeError

N_SPECIAL = 16
MIN_VOCAB_SIZE = 256 + N_SPECIAL


@dataclass(frozen=True)
class TokenizerConfig:
    """How the tokenizer is trained."""

    vocab_size: int = setting(4096, "tokens in the vocabulary, the 256 bytes and the 16 special tokens included")
    sample_bytes: int = setting(100_000_000, "bytes of text that the merges are learned from, at most")

    def __post_init__(self) -> None:
        if self.vocab_size < MIN_VOCAB_SIZE:
            raise FledgeError(f"must be at least {MIN_VOCAB_SIZE}, got {self.vocab_size}", where="vocab_size")
        if self.sample_bytes < 1:
            raise FledgeError(f"must be at least 1, got {self.sample_bytes}", where="sample_bytes")


@dataclass(frozen=True)
class TokensConfig:
    """How documents become token shards, and in which shares the sources are drawn."""

    mixture: dict[str, float] = setting({}, "share of the training tokens by source; empty: by size")
    max_repetition: float = setting(4.0, "how many times a source is repeated at most, in epochs")
    decontaminate: tuple[str, ...] = setting((), "evaluation files whose texts are kept out of training")
    ngram: int = setting(13, "words in a row that count as shared with an evaluation text")
    contaminated: Literal["document", "passage"] = setting(
        "document", "what is left out where words are shared: the whole document, or only the shared passage"
    )
    workers: int = setting(0, "processes that tokenise; 0: one per core", affects_result=False)

    def __post_init__(self) -> None:
        for name, weight in self.mixture.items():
            if not 0 <= weight < float("inf"):
                raise FledgeError(f"must be a number from 0 on, got {weight}", where=f"mixture.{name}")
        if self.mixture and not any(self.mixture.values()):
            raise FledgeError("gives every source the weight 0", where="mixture")
        if not self.max_repetition > 0:
            raise FledgeError(f"must be above 0, got {self.max_repetition}", where="max_repetition")
        if self.ngram < 2:
            raise FledgeError(f"must be at least 2, got {self.ngram}", where="ngram")
        if self.workers < 0:
            raise FledgeError(f"must be 0 or more, got {self.workers}", where="workers")
