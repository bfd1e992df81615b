"""Row plans, mixtures and batches: nothing lost, nothing repeated, nothing across documents, any step at once."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.tokens.conversations import write_conversation_shards
from fledge.tokens.mixture import capped_shares, deal, permuted
from fledge.tokens.packing import pack
from fledge.tokens.plan import plan_rows
from fledge.tokens.shards import Tokenised, open_shards, write_sequences, write_shards
from fledge.tokens.source import RowSource
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Document, FledgeError, Message

LENGTHS = st.lists(st.integers(0, 70), max_size=40)


def _offsets(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@given(LENGTHS, st.integers(1, 20), st.booleans())
def test_every_pair_lands_in_exactly_one_row(lengths, context, fill):
    offsets = _offsets(lengths)
    rows = pack(offsets, context, fill=fill)
    seen = Counter()
    for start, length in zip(rows.start.tolist(), rows.length.tolist(), strict=True):
        assert length >= 1
        seen.update(range(start, start + length))
        document = int(np.searchsorted(offsets, start, side="right")) - 1
        assert start + length < offsets[document + 1]
    wanted = Counter(
        k for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True) for k in range(a, b - 1)
    )
    assert seen == wanted
    assert rows.first[0] == 0 and rows.first[-1] == len(rows.start)
    used = np.add.reduceat(rows.length, rows.first[:-1]) if rows.n_rows else np.zeros(0)
    assert (used <= context).all() and (used > 0).all()
    if fill and rows.n_rows:
        assert context * rows.n_rows - used.sum() < context


@given(LENGTHS, st.integers(1, 20))
def test_without_filling_what_fits_stays_whole(lengths, context):
    offsets = _offsets(lengths)
    rows = pack(offsets, context, fill=False)
    pieces = set(zip(rows.start.tolist(), rows.length.tolist(), strict=True))
    for start, length in zip(offsets[:-1].tolist(), lengths, strict=True):
        if 2 <= length <= context + 1:
            assert (start, length - 1) in pieces


@pytest.mark.parametrize("kind", ["lognormal", "between", "equal", "tiny"])
def test_padding_is_tiny(kind):
    rng = np.random.default_rng(0)
    lengths = {
        "lognormal": np.maximum(rng.lognormal(5, 1, 5000).astype(int), 2),
        "between": rng.integers(100, 200, 5000),
        "equal": np.full(5000, 150),
        "tiny": rng.integers(2, 20, 30_000),
    }[kind]
    rows = pack(_offsets(lengths), 256)
    assert 1 - rows.length.sum() / (rows.n_rows * 256) < 0.001


def _shards(tokenizer, out, lengths, seed=0, shard_tokens=400):
    rng = np.random.default_rng(seed)
    sequences = [Tokenised(rng.integers(0, 1000, n).astype(np.uint16), n) for n in lengths]
    write_sequences(sequences, tokenizer, out, shard_tokens=shard_tokens)
    return open_shards(out)


@pytest.fixture(scope="module")
def shards(tokenizer, tmp_path_factory):
    rng = np.random.default_rng(3)
    return _shards(tokenizer, tmp_path_factory.mktemp("a") / "s", rng.integers(2, 90, 200).tolist())


def test_rows_hold_what_the_documents_say(shards):
    plan = plan_rows(shards, 32)
    batch = plan.read(np.arange(plan.n_rows))
    assert batch.tokens.shape == (plan.n_rows, 32) and batch.tokens.dtype == np.int32
    assert plan.n_targets == shards.n_tokens - len(shards) == int(batch.weight.sum())
    assert plan.padding == pytest.approx(1 - plan.n_targets / batch.weight.size)
    padding = batch.document == -1
    assert (batch.weight[padding] == 0).all() and (batch.weight[~padding] == 1).all()
    texts = [shards.document(number).tolist() for number in range(len(shards))]
    pairs = Counter((a, b) for text in texts for a, b in pairwise(text))
    made = Counter(zip(batch.tokens[~padding].tolist(), batch.targets[~padding].tolist(), strict=True))
    assert made == pairs
    joined = ["," + ",".join(map(str, text)) + "," for text in texts]
    for row in range(plan.n_rows):
        for number in set(batch.document[row].tolist()) - {-1}:
            here = batch.document[row] == number
            assert batch.position[row][here].tolist() == list(range(int(here.sum())))
            piece = [*batch.tokens[row][here].tolist(), int(batch.targets[row][here][-1])]
            assert batch.targets[row][here][:-1].tolist() == piece[1:-1]
            assert any("," + ",".join(map(str, piece)) + "," in text for text in joined)


def test_weights_follow_their_targets(tokenizer, tmp_path):
    talks = [Conversation((Message("user", f"ask {k}"), Message("assistant", f"answer {k}"))) for k in range(20)]
    write_conversation_shards(talks, tokenizer, tmp_path)
    shards = open_shards(tmp_path)
    source = RowSource({"talks": shards}, context=64, batch_rows=2, fill=False)
    assert source.n_learned == sum(sum(tokenizer.render(talk).weight) for talk in talks)
    rows = source.rows("talks", 0, 1000)
    assert rows.weight.sum() == source.n_learned
    assert not rows.weight[rows.targets == tokenizer.special["<|assistant|>"]].any()
    for row in range(rows.tokens.shape[0]):
        learned = tokenizer.decode(rows.targets[row][rows.weight[row] > 0].tolist())
        assert learned.replace("<|end|>", "").startswith("answer") and "ask" not in learned


def test_plan_hash_names_data_context_and_filling(tokenizer, shards, tmp_path):
    base = plan_rows(shards, 32).hash
    assert plan_rows(open_shards(shards.directory), 32).hash == base
    other = _shards(tokenizer, tmp_path, [5, 9])
    assert (
        len({base, plan_rows(shards, 33).hash, plan_rows(shards, 32, fill=False).hash, plan_rows(other, 32).hash}) == 4
    )


@given(st.integers(1, 3000), st.text(max_size=5))
def test_permuted_is_a_permutation(size, key):
    assert sorted(permuted(np.arange(size), size, key).tolist()) == list(range(size))


def test_permuted_looks_random_and_depends_on_the_key():
    first, second = (permuted(np.arange(4096), 4096, key) for key in ("a", "b"))
    assert (first == second).sum() < 20
    assert abs(np.corrcoef(first, np.arange(4096))[0, 1]) < 0.06
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.06


@settings(max_examples=40)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(1, 3000))
def test_deal_keeps_shares_at_every_point(weights, total):
    shares = [weight / sum(weights) for weight in weights]
    source, count = deal(np.arange(total), shares)
    for index, share in enumerate(shares):
        mine = count[source == index]
        assert mine.tolist() == list(range(len(mine)))
        drawn = np.cumsum(source == index)
        assert np.abs(drawn - share * np.arange(1, total + 1)).max() < len(shares) + 0.01
    some = np.arange(total)[::7]
    again = deal(some, shares)
    assert (again[0] == source[::7]).all() and (again[1] == count[::7]).all()


def test_shares_are_capped_and_told():
    sizes = {"big": 1000.0, "small": 10.0}
    assert capped_shares(sizes, {"big": 1, "small": 1}, None, 4) == ({"big": 0.5, "small": 0.5}, [])
    shares, notes = capped_shares(sizes, {"big": 1, "small": 1}, 1000, 4)
    assert shares["small"] == pytest.approx(0.04) and shares["big"] == pytest.approx(0.96)
    assert len(notes) == 1 and notes[0].startswith("small: 50.0%") and "50.0 times" in notes[0] and "4.0%" in notes[0]
    assert capped_shares(sizes, {}, 100, 4)[0] == pytest.approx({"big": 1000 / 1010, "small": 10 / 1010})
    assert capped_shares(sizes, {"big": 2}, 100, 4)[0] == {"big": 1.0}
    three, _ = capped_shares({"a": 10, "b": 10, "c": 1000}, {"a": 5, "b": 1, "c": 1}, 100, 2)
    assert three == pytest.approx({"a": 0.2, "b": 0.2, "c": 0.6})
    with pytest.raises(FledgeError, match="5000 tokens are wanted of sources that hold 1010"):
        capped_shares(sizes, {}, 5000, 4)
    with pytest.raises(FledgeError, match="no source 'none'"):
        capped_shares(sizes, {"none": 1}, None, 4)
    with pytest.raises(FledgeError, match="'empty' holds no tokens"):
        capped_shares({"empty": 0.0}, {"empty": 1}, None, 4)


@pytest.fixture(scope="module")
def second(tokenizer, tmp_path_factory):
    return _shards(tokenizer, tmp_path_factory.mktemp("b") / "s", [17] * 30, seed=5)


def _rows(batch):
    return [tuple(row) for row in np.concatenate([batch.tokens, batch.targets, batch.document], axis=1).tolist()]


def test_one_epoch_gives_every_row_once(shards):
    source = RowSource({"a": shards}, context=32, batch_rows=1, seed=7)
    epochs = [
        [_rows(source.batch(step))[0] for step in range(epoch * source.n_rows, (epoch + 1) * source.n_rows)]
        for epoch in range(2)
    ]
    everything = sorted(_rows(source.rows("a", 0, source.n_rows)))
    assert sorted(epochs[0]) == sorted(epochs[1]) == everything
    assert epochs[0] != epochs[1] and epochs[0] != everything
    assert source.epochs(2 * source.n_rows) == {"a": 2.0}


def test_a_batch_is_a_pure_function_of_its_step(shards, second):
    def make(**changed):
        settings = {"context": 32, "batch_rows": 8, "seed": 1, "mixture": {"a": 0.75, "b": 0.25}, **changed}
        return RowSource({"a": shards, "b": second}, **settings)

    one, two = make(), make()
    forward = [_rows(one.batch(step)) for step in range(30)]
    for step in reversed(range(30)):
        assert _rows(two.batch(step)) == forward[step]
    halves = make(batch_rows=4)
    assert _rows(halves.batch(4)) + _rows(halves.batch(5)) == forward[2]
    assert _rows(make(seed=2).batch(0)) != forward[0]
    two.load_state_dict(one.state_dict())
    with pytest.raises(FledgeError, match="data seed"):
        two.load_state_dict(make(seed=2).state_dict())
    for other in (make(context=31), make(batch_rows=4), make(mixture={"a": 0.5, "b": 0.5})):
        with pytest.raises(FledgeError, match="changed since the checkpoint"):
            two.load_state_dict(other.state_dict())


def test_the_mixture_is_drawn_by_its_weights(shards, second):
    source = RowSource({"a": shards, "b": second}, context=16, batch_rows=10, mixture={"a": 3, "b": 7})
    only_b = set(_rows(source.rows("b", 0, 10_000)))
    drawn = [row in only_b for step in range(40) for row in _rows(source.batch(step))]
    assert sum(drawn) == pytest.approx(280, abs=2)


def test_repetition_is_capped_over_the_horizon(shards, second):
    source = RowSource(
        {"a": shards, "b": second}, context=16, batch_rows=10, mixture={"a": 1, "b": 1}, n_steps=60, max_repetition=2
    )
    assert source.epochs(60)["b"] == pytest.approx(2)
    assert [note.split(":")[0] for note in source.notes] == ["b"]


def test_different_tokenizers_do_not_mix(tokenizer, shards, tmp_path):
    write_shards([Document("x", "hello there", "s")], Tokenizer.train(["hello"], 280), tmp_path)
    with pytest.raises(FledgeError, match="different tokenizers"):
        RowSource({"a": shards, "b": open_shards(tmp_path)}, context=8, batch_rows=1)


def test_a_batch_takes_under_two_milliseconds(tokenizer, tmp_path):
    rng = np.random.default_rng(0)
    shards = _shards(tokenizer, tmp_path, rng.integers(20, 400, 3000).tolist(), shard_tokens=10**9)
    source = RowSource({"a": shards}, context=256, batch_rows=32)
    source.batch(0)
    times = []
    for step in range(50):
        began = time.perf_counter()
        source.batch(step)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.002
