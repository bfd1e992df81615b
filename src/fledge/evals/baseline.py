"""The n-gram baseline of a run: counted on its training shards, in its own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fledge.evals.ngram import NgramModel
from fledge.tokens.shards import ShardSet, open_shards
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError


def fit_baseline(shard_directories: Sequence[Path], tokenizer: Tokenizer, order: int, max_tokens: int) -> NgramModel:
    """Count whole documents, evenly spread over all shards, of about ``max_tokens`` tokens in all (0 = everything)."""
    sets = [open_shards(directory, verify=False) for directory in shard_directories]
    total = sum(shards.n_tokens for shards in sets)
    share = min(1.0, max_tokens / total) if max_tokens and total else 1.0
    pieces = [piece for shards in sets for piece in spread_documents(shards, share)]
    if not pieces:
        raise FledgeError("there are no training tokens to count", where="n-gram baseline")
    predictable = tokenizer.byte_lengths > 0
    predictable[tokenizer.eos] = True
    return NgramModel.fit(np.concatenate(pieces), tokenizer.vocab_size, tokenizer.border, order, predictable)


def spread_documents(shards: ShardSet, share: float) -> list[np.ndarray]:
    """Every 1/share-th document."""
    n = round(shards.n_documents * share)
    return [shards.document(int(number)) for number in np.linspace(0, shards.n_documents, n, endpoint=False)]
