"""What is listed, in which order, under which names."""

from __future__ import annotations

import os
import pickle
import socket

import pytest

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.formats import classify
from fledge.text.sources.read import read_unit
from fledge.text.sources.units import list_units
from fledge.types import FledgeError

SETTINGS = SourceSettings()


def ids(*sources):
    return [unit.id for unit in list_units([str(source) for source in sources], SETTINGS)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", ("txt", "")),
        ("A.MD", ("txt", "")),
        ("x/y.warc.wet.gz", ("warc", "gz")),
        ("a.b.c.jsonl.zst", ("jsonl", "zst")),
        ("a.tgz", ("tar", "gz")),
        ("a.tar.xz", ("tar", "xz")),
        ("a.zip", ("zip", "")),
        ("a.zip.gz", ("", "gz")),
        ("a.gz", ("", "gz")),
        ("txt", ("", "")),
        ("dir.txt/file", ("", "")),
    ],
)
def test_names_tell_formats(name, expected):
    assert classify(name) == expected


def test_a_folder_is_listed_sorted_and_without_hidden_files(put):
    for name in ("b.txt", "a/z.md", "a/b.jsonl", "B.txt", ".hidden.txt", ".git/x.txt", "a/.partial-1-x.txt", "c.xyz"):
        root = put(f"lib/{name}", b"x").parents[name.count("/")]
    assert ids(root) == ["lib/B.txt", "lib/a/b.jsonl", "lib/a/z.md", "lib/b.txt", "lib/c.xyz"]
    unknown = list_units([str(root)], SETTINGS)[-1]
    (reject,) = read_unit(unknown, SETTINGS)
    assert reject.rule == "unknown-format" and ".parquet" in reject.reason and unknown.n_bytes == 1


def test_ids_do_not_depend_on_where_a_folder_lies(put, tmp_path, monkeypatch):
    root = put("lib/a.txt", b"x").parent
    moved = put("elsewhere/lib/a.txt", b"x").parent
    monkeypatch.chdir(root)
    assert ids(root) == ids(moved) == ids(".") == ["lib/a.txt"]
    assert ids(root, moved) == ["data/lib/a.txt", "elsewhere/lib/a.txt"]


def test_a_file_that_is_named_twice_is_read_once(put):
    file = put("lib/a.txt", b"x")
    assert ids(file, file.parent, file) == ["a.txt"]
    put("lib/b.txt", b"y")
    assert ids(file, file.parent) == ["a.txt", "lib/b.txt"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_in_circles_and_files_that_are_none(put):
    root = put("lib/in/a.txt", b"x").parents[1]
    (root / "in" / "again").symlink_to(root)
    (root / "gone.txt").symlink_to(root / "nowhere.txt")
    os.mkfifo(root / "pipe.txt")
    units = list_units([str(root)], SETTINGS)
    assert [(u.id, u.problem.rule if u.problem else "") for u in units] == [
        ("lib/gone.txt", "unreadable"),
        ("lib/in/a.txt", ""),
        ("lib/pipe.txt", "unknown-format"),
    ]
    with pytest.raises(FledgeError, match="neither a file nor a folder"):
        ids(root / "pipe.txt")


def test_what_cannot_be_read_is_one_line(put, tmp_path):
    for source, words in [
        (tmp_path / "nowhere", "nowhere: is not there; check the path"),
        (put("a.docx", b"x"), "unknown format"),
    ]:
        with pytest.raises(FledgeError) as caught:
            ids(source)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(FledgeError, match=r"no sources"):
        ids()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FledgeError, match=r"holds no files; .*\.jsonl .*\.tar\.zst"):
        ids(put("fine.txt", b"x"), empty)
    (empty / "a.docx").write_bytes(b"x")
    with pytest.raises(FledgeError, match=r"1 of unknown format"):
        ids(empty)


def test_units_travel_between_processes(put):
    units = list_units([str(put("lib/a.txt", b"x").parent)], SETTINGS)
    assert pickle.loads(pickle.dumps(units)) == units
    records = list(read_unit(units[0], SETTINGS))
    assert pickle.loads(pickle.dumps(records)) == records


def test_remote_sources_need_a_place_for_downloads(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("the network was asked"))
    for source in ("http://site.example/a.txt", "hf:owner/name"):
        with pytest.raises(FledgeError, match="downloads"):
            ids(source)
