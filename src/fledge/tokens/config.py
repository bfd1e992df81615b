"""Settings of the tokenizer and of the token shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.run.settings import setting
from fledge.types import FledgeError

N_SPECIAL = 16
MIN_VOCAB_SIZE = 256 + N_SPECIAL
MAX_VOCAB_SIZE = 2**20
SOURCES = ("world", "text")


@dataclass(frozen=True)
class TokenizerConfig:
    """How the tokenizer is trained, or which one is taken as it is."""

    path: str = setting("", "a folder with tokenizer.json that is taken as it is: an imported model's; empty: trained")
    vocab_size: int = setting(4096, "tokens in the vocabulary, the 256 bytes and the 16 special tokens included")
    sample_bytes: int = setting(100_000_000, "bytes of text that the merges are learned from, at most")

    def __post_init__(self) -> None:
        if not MIN_VOCAB_SIZE <= self.vocab_size <= MAX_VOCAB_SIZE:
            few = self.vocab_size < MIN_VOCAB_SIZE
            bound = f"at least {MIN_VOCAB_SIZE}" if few else f"at most {MAX_VOCAB_SIZE}"
            raise FledgeError(f"must be {bound}, got {self.vocab_size}", where="vocab_size")
        if self.sample_bytes < 1:
            raise FledgeError(f"must be at least 1, got {self.sample_bytes}", where="sample_bytes")


@dataclass(frozen=True)
class TokensConfig:
    """How documents become token shards, and in which shares the sources are drawn."""

    mixture: dict[str, float] = setting(
        {},
        "share of the training tokens by source: world, text, or a pattern over the sources of the text's documents "
        "(*wiki*), text being the rest then; empty: by size",
    )
    precedence: tuple[str, ...] = setting(
        (), "keys of the mixture that are matched first, where a source fits several; empty: as they are written"
    )
    max_repetition: float = setting(4.0, "how many times a source is repeated at most, in epochs")
    decontaminate: tuple[str, ...] = setting((), "evaluation files whose texts are kept out of training")
    decontaminate_eval: bool = setting(True, "the same for the files that [eval] of the recipe names")
    ngram: int = setting(13, "words in a row that count as shared with an evaluation text")
    shortest: int = setting(8, "evaluation texts of fewer words than ngram are looked for whole, down to this many")
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
        for name in self.precedence:
            if name not in self.mixture:
                raise FledgeError(f'the mixture has no "{name}"', where="precedence", fix="name keys of the mixture")
        if not self.max_repetition > 0:
            raise FledgeError(f"must be above 0, got {self.max_repetition}", where="max_repetition")
        if self.ngram < 2:
            raise FledgeError(f"must be at least 2, got {self.ngram}", where="ngram")
        if self.shortest < 2:
            raise FledgeError(f"must be at least 2, got {self.shortest}", where="shortest")
        if self.workers < 0:
            raise FledgeError(f"must be 0 or more, got {self.workers}", where="workers")

    @property
    def matched(self) -> tuple[str, ...]:
        """The keys of the mixture in the order in which they are matched."""
        return tuple(dict.fromkeys((*self.precedence, *self.mixture)))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The keys of the mixture that are patterns, in that order."""
        return tuple(name for name in self.matched if name not in SOURCES)
