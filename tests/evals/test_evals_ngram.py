from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.evals.ngram import FALLBACK_DISCOUNTS, NgramModel, discounts_of
from fledge.types import FledgeError

V, BOS = 7, 0


class Brute:
    """Interpolated modified Kneser–Ney over dictionaries, straight from the definition."""

    def __init__(self, documents: list[list[int]], order: int) -> None:
        raw = [Counter() for _ in range(order + 1)]
        for document in documents:
            for n in range(1, order + 1):
                raw[n].update(tuple(document[i : i + n]) for i in range(len(document) - n + 1))
        self.order, self.counts = order, {}
        for n in range(1, order + 1):
            if n == order:
                self.counts[n] = {g: c for g, c in raw[n].items() if g != (BOS,)}
                continue
            left = defaultdict(set)
            for gram in raw[n + 1]:
                left[gram[1:]].add(gram[0])
            self.counts[n] = {g: raw[n][g] if g[0] == BOS else len(left[g]) for g in raw[n] if g != (BOS,)}
        self.discounts = {n: self.discounts_of(list(c.values())) for n, c in self.counts.items()}

    @staticmethod
    def discounts_of(counts: list[int]) -> list[float]:
        n = [counts.count(k) for k in range(5)]
        if 0 in n[1:]:
            return [0.0, *FALLBACK_DISCOUNTS]
        y = n[1] / (n[1] + 2 * n[2])
        d = [0.0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        return [0.0] + [d[k] if 0 < d[k] <= k else FALLBACK_DISCOUNTS[k - 1] for k in (1, 2, 3)]

    def p(self, word: int, context: tuple[int, ...]) -> float:
        n = len(context) + 1
        lower = self.p(word, context[1:]) if n > 1 else (word != BOS) / (V - 1)
        followers = {g[-1]: c for g, c in self.counts[n].items() if g[:-1] == context}
        if not followers:
            return lower
        d, total = self.discounts[n], sum(followers.values())
        mass = sum(d[min(c, 3)] for c in followers.values()) / total
        count = followers.get(word, 0)
        return (count - d[min(count, 3)]) / total + mass * lower

    def logprobs(self, document: list[int]) -> list[float]:
        return [0.0] + [
            math.log(self.p(document[i], tuple(document[max(0, i - self.order + 1) : i])))
            for i in range(1, len(document))
        ]


def make_documents(seed: int, n: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    chain = rng.dirichlet(np.full(V - 1, 0.4), size=V)
    documents = []
    for _ in range(n):
        document = [BOS]
        for _ in range(int(rng.integers(1, 14))):
            document.append(1 + int(rng.choice(V - 1, p=chain[document[-1]])))
        documents.append(document)
    return documents


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("n_documents", [1, 4, 60])
def test_equals_the_definition(order: int, n_documents: int) -> None:
    train, unseen = make_documents(order, n_documents), make_documents(99, 20)
    model, brute = NgramModel.fit(np.concatenate(train), V, BOS, order), Brute(train, order)
    expected = np.concatenate([brute.logprobs(document) for document in unseen])
    np.testing.assert_allclose(model.logprobs(np.concatenate(unseen)), expected, rtol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, V - 1), max_size=12), min_size=1, max_size=12),
    st.lists(st.integers(1, V - 1), max_size=6),
    st.integers(1, 5),
)
def test_probabilities_sum_to_one(train: list[list[int]], context: list[int], order: int) -> None:
    model = NgramModel.fit(np.concatenate([[BOS, *document] for document in train]), V, BOS, order)
    total = sum(math.exp(model.logprobs(np.array([BOS, *context, word]))[-1]) for word in range(1, V))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_documents_do_not_leak_into_each_other() -> None:
    model = NgramModel.fit(np.concatenate(make_documents(1, 50)), V, BOS, 4)
    one, two = [BOS, 1, 2, 3], [BOS, 3, 2, 1, 4]
    together = model.logprobs(np.array(one + two))
    np.testing.assert_array_equal(
        together, np.concatenate([model.logprobs(np.array(one)), model.logprobs(np.array(two))])
    )


def test_unpredictable_tokens_get_nothing() -> None:
    predictable = np.ones(V, bool)
    predictable[[BOS, 6]] = False
    model = NgramModel.fit(np.array([BOS, 1, 2, 1]), V, BOS, 3, predictable)
    assert model.logprobs(np.array([BOS, 6]))[1] == -np.inf
    assert sum(math.exp(model.logprobs(np.array([BOS, 1, w]))[-1]) for w in range(1, 6)) == pytest.approx(1.0)


def test_higher_orders_help_on_structure_that_needs_them() -> None:
    train = np.tile([BOS, 1, 2, 3, 1, 4, 3, 5, 2], 50)
    bits = [-NgramModel.fit(train, V, BOS, order).logprobs(train).sum() for order in (1, 2, 3)]
    assert bits[0] > 2 * bits[1] > 2 * bits[2]


def test_discounts_grow_with_the_count() -> None:
    counts = np.repeat([1, 2, 3, 4, 5], [400, 150, 80, 50, 40])
    d = discounts_of(counts)
    assert d[0] == 0 < d[1] < d[2] < d[3] < 3


def test_nothing_to_count_is_told() -> None:
    with pytest.raises(FledgeError, match="no documents"):
        NgramModel.fit(np.array([], dtype=np.int64), V, BOS)
