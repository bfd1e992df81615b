"""N-gram baseline: interpolated modified Kneser–Ney (Chen & Goodman 1999; Heafield et al. 2013) in sorted arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fledge.types import FledgeError

Array = np.ndarray[Any, Any]
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # where the counts of counts are too few for the closed form


@dataclass(frozen=True)
class Order:
    """One order: its n-grams as sorted keys, and what each of its contexts adds up to.

    An n-gram's id is its rank in ``keys`` (N,), where a key is ``id of its first n-1 tokens · vocabulary + last
    token``; ``counts`` (N,) are raw at the highest order, else the number of different tokens seen before it.
    ``total`` and ``backoff`` are indexed by the context's id in the order below; ``discounts[min(count, 3)]``.
    """

    keys: Array
    counts: Array
    discounts: Array
    total: Array
    backoff: Array

    def find(self, keys: Array) -> Array:
        """Ids of ``keys``, -1 where absent."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)


def discounts_of(counts: Array) -> Array:
    """Discounts D(0), D(1), D(2), D(3+) of one order from its counts of counts (Chen & Goodman, equation 26)."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == k)) for k in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) == 0:
        return np.array([0.0, *FALLBACK_DISCOUNTS])
    y = n1 / (n1 + 2 * n2)
    closed = [k - (k + 1) * y * after / here for k, here, after in ((1, n1, n2), (2, n2, n3), (3, n3, n4))]
    kept = [d if 0 < d <= k else f for k, (d, f) in enumerate(zip(closed, FALLBACK_DISCOUNTS, strict=True), 1)]
    return np.array([0.0, *kept])


class NgramModel:
    """Probabilities of a token given up to ``order - 1`` tokens of the same document."""

    def __init__(self, unigram: Array, orders: list[Order], vocab_size: int, bos: int) -> None:
        self.unigram, self.orders, self.vocab_size, self.bos = unigram, orders, vocab_size, bos

    @property
    def order(self) -> int:
        return 1 + len(self.orders)

    @property
    def n_ngrams(self) -> int:
        return len(self.unigram) + sum(len(order.keys) for order in self.orders)

    @classmethod
    def fit(
        cls, tokens: Array, vocab_size: int, bos: int, order: int = 5, predictable: Array | None = None
    ) -> NgramModel:
        """Count ``tokens`` (N,), documents end to end, each beginning with ``bos``.

        ``predictable`` (V,) says which tokens may follow anything: the uniform distribution under the unigrams goes
        to them (default: all but ``bos``). Peak memory is about 60 bytes a token plus 24 a distinct n-gram.
        """
        tokens = np.ascontiguousarray(tokens, dtype=np.int64)
        if order < 1:
            raise FledgeError(f"an n-gram order of at least 1 is needed, got {order}", where="ngram_order")
        if not len(tokens) or tokens[0] != bos:
            raise FledgeError("no documents to count n-grams in", where="n-gram baseline")
        if predictable is None:
            predictable = np.arange(vocab_size) != bos
        raw = np.bincount(tokens, minlength=vocab_size)
        starts_at_bos = np.arange(vocab_size) == bos
        ids, keys, n_contexts = tokens, np.arange(vocab_size), 1
        unigram_counts, orders = raw, []
        for n in range(2, order + 1):
            at = np.flatnonzero((ids[: 1 - n] >= 0) & (tokens[n - 1 :] != bos))
            longer = ids[at] * vocab_size + tokens[at + n - 1]
            sequence = np.argsort(longer)
            ranked = longer[sequence]
            first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(at) else at
            longer_raw = np.diff(np.append(first, len(at)))
            examples = at[sequence[first]]
            # The order below counts left neighbours; nothing stands before a document, so its start keeps raw counts.
            continuations = np.bincount(ids[examples + 1], minlength=len(keys))
            counts = np.where(starts_at_bos, raw, continuations)
            if n == 2:
                unigram_counts = counts
            else:
                orders.append(_order(keys, counts, n_contexts, vocab_size))
            n_contexts = len(keys)
            longer_ids = np.full(len(tokens), -1, dtype=np.int64)
            longer_ids[at[sequence]] = np.repeat(np.arange(len(first)), longer_raw)
            ids, keys, raw, starts_at_bos = longer_ids, ranked[first], longer_raw, tokens[examples] == bos
        if order > 1:
            orders.append(_order(keys, raw, n_contexts, vocab_size))
        return cls(_unigram(unigram_counts, bos, predictable), orders, vocab_size, bos)

    def logprobs(self, tokens: Array) -> Array:
        """log p (nats) of each of ``tokens`` (N,), documents end to end, given what precedes it; 0 at each ``bos``."""
        tokens = np.asarray(tokens, dtype=np.int64)
        if not len(tokens):
            return np.zeros(0)
        probability = self.unigram[tokens]
        ids = tokens
        for n, order in enumerate(self.orders, 2):
            # ids[i] is the (n-1)-gram that starts at i: the context of the token at i + n - 1
            inside = tokens[n - 1 :] != self.bos
            context = np.where(inside, ids[: len(inside)], -1)
            found = order.find(np.where(context >= 0, context * self.vocab_size + tokens[n - 1 :], -1))
            seen = context >= 0
            seen[seen] = order.total[context[seen]] > 0
            known, at = np.flatnonzero(found >= 0), np.flatnonzero(seen)
            probability[n - 1 + at] *= order.backoff[context[at]]
            counts = order.counts[found[known]]
            kept = counts - order.discounts[np.minimum(counts, 3)]
            probability[n - 1 + known] += kept / order.total[context[known]]
            ids = np.full(len(tokens), -1, dtype=np.int64)
            ids[: len(found)] = found
        logprobs = np.zeros(len(tokens))
        predicted = tokens != self.bos
        with np.errstate(divide="ignore"):
            logprobs[predicted] = np.log(probability[predicted])
        return logprobs


def _unigram(counts: Array, bos: int, predictable: Array) -> Array:
    counts = np.where(np.arange(len(counts)) == bos, 0, counts)
    discounts = discounts_of(counts)[np.minimum(counts, 3)]
    total = max(int(counts.sum()), 1)
    spread = discounts.sum() / total if counts.any() else 1.0
    uniform = predictable / max(int(np.count_nonzero(predictable)), 1)
    return (counts - discounts) / total + spread * uniform


def _order(keys: Array, counts: Array, n_contexts: int, vocab_size: int) -> Order:
    discounts = discounts_of(counts)
    context = keys // vocab_size
    total = np.bincount(context, weights=counts, minlength=n_contexts)
    taken = np.bincount(context, weights=discounts[np.minimum(counts, 3)], minlength=n_contexts)
    backoff = np.divide(taken, total, out=np.ones(n_contexts), where=total > 0)
    return Order(keys, counts.astype(np.int32), discounts, total, backoff)
