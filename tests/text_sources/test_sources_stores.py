"""Documents on a store: read through a copy, named by their address, half-written directories not at all."""

from __future__ import annotations

import gzip

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from fledge.cli.main import main
from fledge.run.storage import MARKER, Store
from fledge.text.shards import read_documents, write_documents
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.read import read_unit
from fledge.text.sources.units import list_units
from fledge.types import Document, FledgeError

SETTINGS = SourceSettings()
BUCKET = "memory://bucket/corpus"


@pytest.fixture(autouse=True)
def store():
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    store = Store("memory://bucket")
    for name, data in {
        "corpus/b.txt": b"second",
        "corpus/a/x.txt.gz": gzip.compress(b"first"),
        "corpus/.hidden.txt": b"no",
        "corpus/data.xyz": b"?",
    }.items():
        store._files.pipe_file(f"/bucket/{name}", data)
    return store


def read(tmp_path, *sources):
    units = list_units(sources, SETTINGS, cache=tmp_path / "cache")
    return [(record.id, getattr(record, "text", None)) for unit in units for record in read_unit(unit, SETTINGS)]


def test_a_folder_and_a_file(tmp_path, store):
    wanted = [(f"{BUCKET}/a/x.txt.gz", "first"), (f"{BUCKET}/b.txt", "second")]
    found = read(tmp_path, BUCKET)
    assert found[:2] == wanted and found[2][0] == f"{BUCKET}/data.xyz"  # set aside with its reason
    assert read(tmp_path, f"{BUCKET}/", f"{BUCKET}/b.txt")[:2] == [(f"{BUCKET}/a/x.txt.gz", "first"), wanted[1]]
    assert read(tmp_path, f"{BUCKET}/b.txt") == wanted[1:]
    store.remove("corpus")  # the copy serves a resumed run only while the address says what there is
    with pytest.raises(FledgeError, match=rf"{BUCKET}: holds no files; check the address"):
        read(tmp_path, BUCKET)


def test_a_file_that_changed_is_copied_again(tmp_path, store):
    read(tmp_path, BUCKET)
    store._files.pipe_file("/bucket/corpus/b.txt", b"quite another")
    assert read(tmp_path, BUCKET)[1] == (f"{BUCKET}/b.txt", "quite another")


def test_shards_of_fledge_count_only_when_they_are_whole(tmp_path, store):
    documents = [Document(f"d{k}", f"text {k}", "here") for k in range(3)]
    (shard,) = write_documents(documents, tmp_path / "train")
    store.commit("run/text", {"train/part-00000.parquet": shard, "funnel.json": b"{}"})
    store._files.pipe_file("/bucket/run/text/train/part-00001.parquet", b"of a later writing that broke off")
    assert [text for _, text in read(tmp_path, "memory://bucket/run/text/train")] == ["text 0", "text 1", "text 2"]
    store._files.pipe_file("/bucket/run/text/train/part-00000.parquet", shard.read_bytes()[:-1] + b"X")
    with pytest.raises(FledgeError, match="does not match its checksum"):
        read(tmp_path / "other", "memory://bucket/run/text/train")
    assert f"bucket/run/text/{MARKER}" in str(store._files.find("/bucket/run"))


def test_a_run_reads_its_text_from_there(tmp_path, store, capsys):
    for k in range(8):
        text = f"Number {k} is the one that this very text of the corpus is about, and nothing else is told."
        store._files.pipe_file(f"/bucket/corpus/n{k}.txt", text.encode())
    words = [
        "text",
        "--sources",
        BUCKET,
        "--out",
        str(tmp_path / "run"),
        "--workers",
        "1",
        "--filters=",
        "--near-dedup",
        "off",
    ]
    assert main(words) == 0
    found = [each.id for part in ("train", "heldout") for each in read_documents(tmp_path / "run" / "text" / part)]
    assert f"{BUCKET}/n3.txt" in found and len(found) == 10
    assert main(["text", "--sources", "nowhere://x", "--out", str(tmp_path / "other")]) == 2
    err = capsys.readouterr().err
    assert "known are file, memory, s3" in err and not (tmp_path / "other").exists()
