"""What a tokenizer does to text, for the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fledge.tokens.shards import ShardSet

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

_WORD = re.compile(r"\S+")


def token_counts(shards: Iterable[ShardSet], vocab_size: int) -> np.ndarray:
    """(V,) int64: how often each token occurs."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    for part in shards:
        for shard in part.shards:
            counts += np.bincount(shard.tokens, minlength=vocab_size)
    return counts


def tokenizer_facts(tokenizer: Tokenizer, shards: Mapping[str, ShardSet], *, n_longest: int = 20) -> dict[str, Any]:
    """Bytes per token by source, the longest tokens, and the tokens that never occur in ``shards``.

    Specials count neither as tokens of the text nor as unused.
    """
    counts = {name: token_counts([part], tokenizer.vocab_size) for name, part in shards.items()}
    lengths = tokenizer.byte_lengths.astype(np.int64)
    ordinary = lengths > 0
    total = sum(counts.values(), np.zeros(tokenizer.vocab_size, np.int64))
    longest = np.lexsort((np.arange(len(lengths)), -lengths))[:n_longest]
    unused = np.flatnonzero(ordinary & (total == 0))
    return {
        "vocab_size": tokenizer.vocab_size,
        "bytes_per_token": {
            name: round(float(lengths @ count) / max(1, int(count[ordinary].sum())), 4)
            for name, count in counts.items()
        },
        "longest_tokens": [tokenizer.decode([int(index)]) for index in longest],
        "n_unused_tokens": len(unused),
        "unused_tokens": [tokenizer.decode([int(index)]) for index in unused[:n_longest]],
    }


def fertility(tokenizer: Tokenizer, texts: Iterable[str]) -> float:
    """Tokens for each word, words being what stands between spaces."""
    n_tokens = n_words = 0
    for text in texts:
        n_tokens += len(tokenizer.encode(text))
        n_words += len(_WORD.findall(text))
    return n_tokens / max(1, n_words)
