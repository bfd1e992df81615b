from __future__ import annotations

import errno
import hashlib
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.text.shards import read_documents, write_documents
from fledge.tokens.sample import sample_texts
from fledge.types import Document, FledgeError

texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.builds(Document, texts, texts, texts, st.dictionaries(texts, texts, max_size=2)), max_size=8))
def test_documents_come_back_as_written(tmp_path_factory, documents):
    directory = tmp_path_factory.mktemp("shards")
    paths = write_documents(documents, directory, shard_bytes=64)
    assert list(read_documents(paths)) == documents


@pytest.mark.parametrize("name", ["~", b"\xffne".decode("utf-8", "surrogateescape")])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_a_directory_is_where_its_name_says(tmp_path, monkeypatch, name):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    documents = [Document("1", "one text", "s")]
    paths = write_documents(documents, name)
    assert paths == [Path(name) / "part-00000.parquet"] == list(Path(name).iterdir())
    assert list(read_documents(name)) == documents
    assert list(sample_texts(paths, 1000)) == ["one text"]
    assert list((tmp_path / "home").iterdir()) == []


def test_shards_hold_at_most_their_size_and_order_is_kept(tmp_path):
    documents = [Document(str(i), "x" * 40, "s") for i in range(10)]
    paths = write_documents(documents, tmp_path, shard_bytes=100)
    assert len(paths) == 5
    assert [d.id for d in read_documents(tmp_path)] == [str(i) for i in range(10)]


def test_same_documents_same_bytes_and_longer_leftovers_go(tmp_path):
    documents = [Document(str(i), f"text {i} " * 50, "s", {"b": 1, "a": 2}) for i in range(50)]
    first = write_documents(documents, tmp_path / "a", shard_bytes=5_000)
    second = write_documents(iter(documents), tmp_path / "b", shard_bytes=5_000)
    digests = [[hashlib.sha256(p.read_bytes()).hexdigest() for p in paths] for paths in (first, second)]
    assert digests[0] == digests[1]
    write_documents(documents[:5], tmp_path / "a", shard_bytes=5_000)
    assert len(list(read_documents(tmp_path / "a"))) == 5


def test_a_failing_source_leaves_no_partial_shard(tmp_path):
    def documents():
        yield Document("1", "x" * 5_000_000, "s")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_documents(documents(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_empty_and_damaged_are_one_line(tmp_path):
    with pytest.raises(FledgeError, match="no parquet shards"):
        next(read_documents(tmp_path))
    with pytest.raises(FledgeError, match=r"gone\.parquet: is not there"):
        next(read_documents(tmp_path / "gone.parquet"))
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(FledgeError, match=r"bad\.parquet: is not a readable"):
        next(read_documents(tmp_path))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", refuse)
    with pytest.raises(FledgeError, match="no space left on device; free some space"):
        write_documents([Document("1", "x", "s")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_not_read(tmp_path):
    write_documents([Document("1", "x", "s")], tmp_path)
    (tmp_path / ".partial-7-part-00000.parquet").write_bytes(b"half")
    assert [d.id for d in read_documents(tmp_path)] == ["1"]
