"""Evaluation texts are found in documents, whatever case and marks they have, and taken out."""

from __future__ import annotations

import json
import random
import re
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.tokens.decontaminate import build_index, load_index
from fledge.types import FledgeError

SECRET = "Which of these seven small animals, do you think, was the first to cross the frozen river at night?"


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "Ä", "ß", "don't", "漢", "x1", "_"]), max_size=14)


def _index(tmp_path, texts, ngram=13, shortest=None):
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps({"q": text}) + "\n" for text in texts), encoding="utf-8")
    return build_index([path], ngram, shortest)


def test_shared_runs_are_found_and_named(tmp_path):
    index = _index(tmp_path, [SECRET])
    loud = "Before. WHICH of these -- seven small animals do you\nthink was the first to cross the 'frozen' river"
    clean = "which of these seven small animals do you think was the second to cross the frozen river at night"
    hits = index.hits(["nothing here", loud, clean, "", SECRET])
    assert [(hit.document, hit.file) for hit in hits] == [(1, str(tmp_path / "eval.jsonl")), (4, hits[0].file)]
    assert hits[1].n_runs == len(SECRET.split()) - 12


def test_runs_do_not_cross_documents_or_texts(tmp_path):
    words = SECRET.split()
    half = len(words) // 2
    index = _index(tmp_path, [SECRET])
    assert not index.hits([" ".join(words[:half]), " ".join(words[half:])])
    split = _index(tmp_path, [" ".join(words[:half]), " ".join(words[half:])])
    assert not split.hits([SECRET])
    assert split.notes == ("eval.jsonl: 2 of 2 different texts have fewer than 13 words and are not looked for",)


def test_short_texts_are_looked_for_whole(tmp_path):
    short = ["No cat that the old man saw was grey.", "All of these dogs are", SECRET]
    index = _index(tmp_path, short, shortest=8)
    assert index.lengths == (9, 13)
    assert index.notes == ("eval.jsonl: 1 of 3 different texts have fewer than 8 words and are not looked for",)
    within = "He said: no cat, that the old man saw, was grey! And left."
    beside = "All of these dogs are here, no cat that the old man saw was green, and all of these dogs are there"
    assert [hit.document for hit in index.hits([beside, within, SECRET])] == [1, 2]
    assert index.without_passages(f"{within} {SECRET}") == ["He said:", "! And left."]
    part = " ".join(SECRET.split()[2:11])
    assert not index.hits([part])


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=5))
def test_short_ones_equal_a_plain_comparison(tmp_path_factory, evals, documents):
    def runs(words, n):
        flat = re.findall(r"[^\W_]+", " ".join(words).casefold())
        return {tuple(flat[k : k + n]) for k in range(len(flat) - n + 1)}

    index = _index(tmp_path_factory.mktemp("e"), [" ".join(words) or "-" for words in evals], ngram=4, shortest=2)
    known = set()
    for words in evals:
        n_words = len(re.findall(r"[^\W_]+", " ".join(words)))
        if n_words >= 2:
            known |= runs(words, min(4, n_words))
    expected = [k for k, words in enumerate(documents) if any(runs(words, n) & known for n in (2, 3, 4))]
    assert [hit.document for hit in index.hits([" ".join(words) for words in documents])] == expected


def test_a_kept_index_finds_the_same(tmp_path):
    index = _index(tmp_path, [SECRET, "No cat that the old man saw was grey."], shortest=8)
    assert load_index(tmp_path / "kept") is None
    index.save(tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    index.save(tmp_path / "kept")
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    again = load_index(tmp_path / "kept")
    assert again.fingerprint == index.fingerprint and again.notes == index.notes
    texts = ["clean", SECRET, "no cat that the old man saw was grey"]
    assert again.hits(texts) == index.hits(texts) and len(again.hits(texts)) == 2
    (tmp_path / "kept" / "runs.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(FledgeError, match="is damaged"):
        load_index(tmp_path / "kept")


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=5))
def test_equals_a_plain_comparison(tmp_path_factory, evals, documents):
    def runs(words):
        flat = re.findall(r"[^\W_]+", " ".join(words).casefold())
        return {tuple(flat[k : k + 3]) for k in range(len(flat) - 2)}

    index = _index(tmp_path_factory.mktemp("e"), [" ".join(words) or "-" for words in evals], ngram=3)
    known = set().union(*(runs(words) for words in evals))
    expected = [number for number, words in enumerate(documents) if runs(words) & known]
    assert [hit.document for hit in index.hits([" ".join(words) for words in documents])] == expected


def test_passages_are_cut_out(tmp_path):
    index = _index(tmp_path, [SECRET])
    assert index.without_passages(f"Ein schöner Anfang. {SECRET} And an end. {SECRET}") == [
        "Ein schöner Anfang.",
        "? And an end.",
    ]
    assert index.without_passages(SECRET) == []
    assert index.without_passages("all of this stays") == ["all of this stays"]
    for rest in index.without_passages(f"Before {SECRET} after"):
        assert not index.hits([rest])


def test_the_fingerprint_tells_indexes_apart(tmp_path):
    prints = {_index(tmp_path, [SECRET], n).fingerprint for n in (5, 6)}
    prints.add(_index(tmp_path, [SECRET + " and more words here"], 5).fingerprint)
    assert len(prints) == 3
    assert _index(tmp_path, [SECRET], 5).fingerprint == _index(tmp_path, [SECRET], 5).fingerprint


def test_it_is_fast_enough_for_a_corpus(tmp_path):
    rng = random.Random(0)
    lexicon = ["".join(rng.choices("abcdefghij", k=rng.randrange(2, 9))) for _ in range(5000)]
    index = _index(tmp_path, [" ".join(rng.choices(lexicon, k=60)) for _ in range(2000)])
    documents = [" ".join(rng.choices(lexicon, k=300)) for _ in range(2000)]
    began = time.process_time()
    assert index.hits(documents) == []
    assert sum(map(len, documents)) / (time.process_time() - began) > 2e6
    assert np.all(np.diff(index.hashes.astype(object)) > 0)
