"""Evaluation texts are found in documents, whatever case and marks they have, and taken out."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import tarfile
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.tokens.decontaminate import build_index
from fledge.tokens.evaltexts import read_texts
from fledge.types import FledgeError

SECRET = "Which of these seven small animals, do you think, was the first to cross the frozen river at night?"


def _index(tmp_path, texts, ngram=13):
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps({"q": text}) + "\n" for text in texts), encoding="utf-8")
    return build_index([path], ngram)


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
    assert split.notes == ("eval.jsonl: 2 of 2 texts are shorter than 13 words",)


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "Ä", "ß", "don't", "漢", "x1", "_"]), max_size=14)


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


def test_kinds_of_evaluation_files(tmp_path):
    rows = [{"q": "one", "choices": ["two", {"deep": "three"}], "n": 4}]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    table = io.StringIO()
    csv.writer(table).writerows([["one", "two, with comma"], ["three\nlines", "4"]])
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, data in (("x/a.jsonl", lines), ("x/b.txt", b"plain"), ("x/c.bin", b"skipped")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as files:
        files.writestr("b/c.csv", table.getvalue())
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "a.tsv").write_text("x\ty\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("plain\ntext", encoding="utf-8")
    expected = {
        "a.tar.gz": ["one", "two", "three", "plain"],
        "a.zip": ["one", "two, with comma", "three\nlines", "4"],
        "a.json": ["one", "two", "three"],
        "a.jsonl.gz": ["one", "two", "three"],
        "a.tsv": ["x", "y"],
        "a.txt": ["plain\ntext"],
    }
    for name, texts in expected.items():
        assert list(read_texts(tmp_path / name)) == texts, name


def test_bad_evaluation_files_are_told_in_one_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": "b"}\n{broken\n', encoding="utf-8")
    (tmp_path / "b.zip").write_bytes(b"PK nothing")
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(b"x" * 100)[:20])
    (tmp_path / "d.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "e.json").write_text("[1, 2]", encoding="utf-8")
    for name, says in (
        ("a.jsonl", "line 2 is not JSON"),
        ("b.zip", "cannot be read"),
        ("c.tar.gz", "cannot be read"),
        ("d.csv.gz", "cannot be read"),
        ("e.json", "holds no text"),
        ("none.txt", "not there"),
    ):
        with pytest.raises(FledgeError, match=says) as told:
            build_index([tmp_path / name], 13)
        assert name in str(told.value) and "\n" not in str(told.value)


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
