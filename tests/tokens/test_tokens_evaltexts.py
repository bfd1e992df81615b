"""Evaluation files in every form are read, or refused in one line: none is passed over in silence."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fledge.evals.blimp import Blimp
from fledge.tokens.decontaminate import build_index
from fledge.tokens.evaltexts import read_texts
from fledge.types import FledgeError

SECRET = "Which of these seven small animals, do you think, was the first to cross the frozen river at night?"


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
    (tmp_path / "a.jsonl").write_text('{"a": b}\n{broken\n', encoding="utf-8")
    (tmp_path / "b.zip").write_bytes(b"PK nothing")
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(b"x" * 100)[:20])
    (tmp_path / "d.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "e.json").write_text("[1, 2]", encoding="utf-8")
    for name, says in (
        ("a.jsonl", "line 1 is not JSON"),
        ("b.zip", "cannot be read"),
        ("c.tar.gz", "cannot be read"),
        ("d.csv.gz", "cannot be read"),
        ("e.json", "holds no text"),
        ("none.txt", "not there"),
    ):
        with pytest.raises(FledgeError, match=says) as told:
            build_index([tmp_path / name], 13)
        assert name in str(told.value) and "\n" not in str(told.value)


def test_a_bad_row_is_told_and_taken_as_text(tmp_path):
    row = json.dumps({"a": f"{SECRET}\u2028"}, ensure_ascii=False)
    (tmp_path / "a.jsonl").write_bytes(f"\ufeff{row}\n\n{{broken {SECRET.lower().replace('seven', 'nine')}\n".encode())
    index = build_index([tmp_path / "a.jsonl"], 13)
    assert index.notes == ("a.jsonl: line 3 of a.jsonl is no JSON and taken as plain text",)
    assert len(index.hits([SECRET, SECRET.replace("seven", "nine"), SECRET.replace("first", "last")])) == 2


@pytest.mark.parametrize("form", ["folder", "pairs.tar.bz2", "pairs.tar.xz", "pairs"])
def test_minimal_pairs_are_read_in_every_form_that_eval_takes(tmp_path, form):
    good = "No cat that the old man saw was grey."
    rows = json.dumps({"sentence_good": good, "sentence_bad": "No cats that", "UID": "x"}).encode()
    path = tmp_path / form
    if form == "folder":
        path.mkdir()
        (path / "x.jsonl").write_bytes(rows)
        (path / "README").write_text("of no kind", encoding="utf-8")
    else:
        with tarfile.open(path, "w:" + (Path(form).suffix[1:] or "gz")) as archive:
            entry = tarfile.TarInfo("data/x.jsonl")
            entry.size = len(rows)
            archive.addfile(entry, io.BytesIO(rows))
    assert next(Blimp(path).examples()).gold == good
    notes = []
    assert list(read_texts(path, notes)) == [good, "No cats that", "x"]
    assert notes == (["folder: readme is of another kind and not looked into"] if form == "folder" else [])


@pytest.mark.parametrize("codec", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_every_form_of_a_text_keeps_it_out_of_training(tmp_path, codec):
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": _zst}[codec]
    tar, table = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("x/a.txt.bz2")
        packed = bz2.compress(SECRET.encode())
        entry.size = len(packed)
        archive.addfile(entry, io.BytesIO(packed))
    pq.write_table(pa.table({"n": [1], "rows": [[{"q": SECRET, "left": None}]]}), table)
    for name, data in (
        ("a.txt", SECRET.encode("utf-16")),
        ("a.jsonl", json.dumps({"q": SECRET}).encode("utf-8-sig")),
        ("a.csv", f"n,q\n1,{SECRET}\n".replace("small animals, do you think,", "small animals do you think").encode()),
        ("a.parquet", table.getvalue()),
        ("a.tar", tar.getvalue()),
        ("a", SECRET.encode()),
        ("a.poem", f"Caf\xe9. {SECRET}".encode("cp1252")),
    ):
        (tmp_path / f"{name}{codec}").write_bytes(pack(data))
        index = build_index([tmp_path / f"{name}{codec}"], 13)
        assert [hit.document for hit in index.hits(["another text", SECRET])] == [1], name


def _zst(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", SECRET.encode("utf-16-le"), "a.txt holds null bytes"),
        ("a.docx", b"PK\3\4" + bytes(100), "a.docx holds null bytes"),
        ("a.jsonl", b'{"q": "' + bytes(range(0x80, 0x100)) * 2 + b'"}', "a.jsonl is neither UTF-8 nor Windows-1252"),
        ("a.parquet", b"PAR1 and no more", "not readable as Parquet"),
        ("a.txt.zst", b"no zstd", "cannot be read"),
        ("a.jsonl", b"[" * 200_000, "line 1 is not JSON"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FledgeError, match=says) as told:
        build_index([tmp_path / name], 13)
    assert str(told.value).startswith(str(tmp_path / name)) and "\n" not in str(told.value)


def test_a_row_that_is_nested_without_end_is_taken_as_text(tmp_path):
    rows = [json.dumps({"q": SECRET}), "[" * 200_000, '{"q": ' + "[" * 900 + json.dumps(SECRET[::-1]) + "]" * 900 + "}"]
    (tmp_path / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    index = build_index([tmp_path / "a.jsonl"], 13)
    assert index.notes[0] == "a.jsonl: line 2 of a.jsonl is no JSON and taken as plain text"
    assert len(index.hits([SECRET, SECRET[::-1]])) == 2


def test_hidden_files_are_passed_over(tmp_path):
    (tmp_path / "of" / ".cache").mkdir(parents=True)
    (tmp_path / "of" / ".cache" / "a.txt").write_bytes(bytes(9))
    (tmp_path / "of" / "._b.jsonl").write_bytes(bytes(9))
    (tmp_path / "of" / "b.jsonl").write_text(json.dumps({"q": SECRET}), encoding="utf-8")
    assert list(read_texts(tmp_path / "of")) == [SECRET]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_folders_behind_links_are_read_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text(SECRET, encoding="utf-8")
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "of" / "loop").symlink_to(tmp_path / "of")
    assert list(read_texts(tmp_path / "of")) == [SECRET]
