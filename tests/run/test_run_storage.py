"""Directories on stores: whole or not there, whatever breaks halfway; on memory, on a disk, and on one that fails."""

from __future__ import annotations

import json

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.run.storage import MARKER, Store, is_url, localised
from fledge.types import FledgeError


class FailingFileSystem(MemoryFileSystem):
    """A store that breaks after ``left`` more writes: with an error, or by keeping half of a file unnoticed."""

    protocol = "failing"
    store: dict = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    left, silently = 10**9, False

    def _spend(self) -> bool:
        type(self).left -= 1
        return self.left < 0

    def put_file(self, lpath, rpath, **options):
        with open(lpath, "rb") as file:
            self.pipe_file(rpath, file.read())

    def pipe_file(self, path, value, **options):
        broken = self._spend()
        super().pipe_file(path, value[: len(value) // 2] if broken else value)
        if broken and not self.silently:
            raise TimeoutError("the line went dead\nand stayed so")


fsspec.register_implementation("failing", FailingFileSystem, clobber=True)


@pytest.fixture(autouse=True)
def empty_stores(monkeypatch, tmp_path):
    for kind in (MemoryFileSystem, FailingFileSystem):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]
    FailingFileSystem.left, FailingFileSystem.silently = 10**9, False
    monkeypatch.setenv("FLEDGE_CACHE", str(tmp_path / "cache"))


def folder(path, **files):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return {name: path / name for name in files}


@pytest.mark.parametrize("kind", ["memory://bucket/run", "file"])
def test_a_directory_goes_there_and_comes_back(tmp_path, kind):
    url = f"file://{(tmp_path / 'store').as_posix()}" if kind == "file" else kind
    store = Store(url + "/")
    assert store.names() == [] and store.committed("one") is None
    store.commit("one", {**folder(tmp_path / "here", a="first", b=""), "deep/c": b"\0\1"})
    store.commit("two", {"x": b"2"})
    assert store.names() == ["one", "two"] and Store(url).committed("one")["deep/c"].n_bytes == 2
    store.fetch("one", tmp_path / "there")
    found = {
        p.relative_to(tmp_path / "there").as_posix(): p.read_bytes()
        for p in (tmp_path / "there").rglob("*")
        if p.is_file()
    }
    assert found == {"a": b"first", "b": b"", "deep/c": b"\0\1"}
    store.commit("one", {"a": b"second"})
    assert store.sizes("one") == {"a": 6, MARKER: store.sizes("one")[MARKER]}
    store.remove("one")
    assert store.names() == ["two"] and store.sizes("one") == {}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 8), st.booleans(), st.integers(1, 3), st.integers(1, 3))
def test_broken_off_anywhere_readers_see_the_whole_old_or_nothing_or_the_whole_new(
    tmp_path_factory, at, silently, n, m
):
    tmp_path = tmp_path_factory.mktemp("broken")
    FailingFileSystem.store.clear()
    FailingFileSystem.left, FailingFileSystem.silently = 10**9, silently
    store = Store("failing://bucket")
    old = {f"f{k}": b"old %d" % k for k in range(n)}
    new = {f"f{k}": b"quite new %d" % k for k in range(m)}
    store.commit("d", old)
    FailingFileSystem.left = at
    broke = at < m + 1  # files, then the marker
    if broke:
        with pytest.raises(FledgeError, match=r"^failing://bucket/d") as told:
            store.commit("d", new)
        assert "\n" not in str(told.value)
    else:
        store.commit("d", new)
    FailingFileSystem.left = 10**9
    seen = store.committed("d")
    assert (seen is None) if broke else (set(seen) == set(new))
    store.commit("d", new)  # the same again mends it
    store.fetch("d", tmp_path / "got")
    assert {p.name: p.read_bytes() for p in (tmp_path / "got").iterdir()} == new


def test_bytes_that_changed_on_the_store_are_named_and_nothing_half_stays(tmp_path):
    store = Store("memory://bucket")
    store.commit("d", {"a": b"aaaa", "b": b"bbbb"})
    store._files.pipe_file("/bucket/d/b", b"bbXb")
    with pytest.raises(FledgeError, match=r"memory://bucket/d/b: does not match its checksum"):
        store.fetch("d", tmp_path / "got")
    assert list(tmp_path.iterdir()) == []
    store._files.pipe_file("/bucket/d/b", b"longer than it was")
    assert store.committed("d") is None and store.names() == ["d"]
    with pytest.raises(FledgeError, match="holds nothing that was wholly written"):
        store.fetch("d", tmp_path / "got")


@pytest.mark.parametrize(
    "marker", [b"", b"[]", b"{broken", b'{"version": 99, "files": {}}', b'{"version": 1, "files": 3}']
)
def test_a_marker_that_says_nothing_marks_nothing(marker):
    store = Store("memory://bucket")
    store.commit("d", {"a": b"1"})
    store._files.pipe_file(f"/bucket/d/{MARKER}", marker)
    assert store.committed("d") is None


def test_what_is_no_store_is_one_line(tmp_path):
    with pytest.raises(FledgeError, match="known are file, memory, s3"):
        Store("nowhere://bucket")
    for protocol in ("s3", "gs", "abfs"):
        try:
            Store(f"{protocol}://bucket/x")
        except FledgeError as error:
            assert r"pip install 'fledge[cloud]'" in str(error) and "\n" not in str(error)
    assert is_url("s3://x") and is_url("memory://x") and is_url("file:///x")
    assert not any(map(is_url, ("https://x", "hf:a/b", "/a/b", "C:\\x", "a://b"[1:], "")))


def test_a_folder_inside_a_committed_directory_is_downloaded_once(tmp_path):
    store = Store("memory://bucket/run")
    store.commit("tokens", {"train/text/index.json": b"{}", "train/text/x.bin": b"123", "other": b"no"})
    here = localised("memory://bucket/run/tokens/train/text")
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {"index.json": b"{}", "x.bin": b"123"}
    store._files.pipe_file("/bucket/run/tokens/train/text/x.bin", b"321")
    assert (localised("memory://bucket/run/tokens/train/text/") / "x.bin").read_bytes() == b"123"
    store.commit("tokens", {"train/text/x.bin": b"4567"})
    assert (localised("memory://bucket/run/tokens/train/text") / "x.bin").read_bytes() == b"4567"
    with pytest.raises(FledgeError, match="holds nothing that was wholly written"):
        localised("memory://bucket/absent/folder")


def test_the_marker_is_readable_json(tmp_path):
    store = Store("memory://bucket")
    store.commit("d", {"a": b"xyz"})
    body = json.loads(store._files.cat_file(f"/bucket/d/{MARKER}"))
    assert body["files"]["a"]["n_bytes"] == 3 and len(body["files"]["a"]["sha256"]) == 64
