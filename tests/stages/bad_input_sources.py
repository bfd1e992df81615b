"""Bad sources of text."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import random
import zipfile
from pathlib import Path

from bad_input_kit import GOOD, INSPECT, Box, Row, folder_of

LATIN_1_NAME = os.fsdecode(b"caf\xe9.txt")


def zip_bomb(box: Box) -> Path:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", bytes(30_000_000).replace(b"\0", b"x"))
    return folder_of(bomb_zip=file.getvalue())(box)


def symlinks(box: Box) -> Path:
    folder = folder_of()(box)
    (folder / "self").symlink_to(folder)
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "gone.txt").symlink_to("nowhere.txt")
    return folder


def own_output(box: Box) -> list[object]:
    box.copy()
    return ["text", "--out", box.out, "--sources", box.folder]


def latin_1_name(box: Box) -> list[object]:
    (folder_of()(box) / LATIN_1_NAME).write_bytes(b"A text whose file is named by another disk.")
    return box.text(box.folder / "mixed")


ROWS = [
    # sources
    Row(
        "broken UTF-8 by itself",
        lambda b: b.text(b.put("a.txt", "Это текст".encode("cp1251") * 50)),
        ("a.txt: is neither UTF-8 nor Windows-1252", INSPECT),
    ),
    Row(
        "broken UTF-8 beside good text",
        lambda b: b.text(folder_of(a_txt=bytes(range(128, 160)) * 50, b_txt=GOOD + b"\xff\xfe")(b)),
        code=0,
        prints=("encoding 1",),
        rejects={"encoding": 1, "exact-duplicate": 5},
    ),
    Row(
        "truncated gzip",
        lambda b: b.text(folder_of(a_txt_gz=gzip.compress(random.Random(0).randbytes(9000).hex().encode())[:-900])(b)),
        code=0,
        prints=("truncated-archive 1",),
        rejects={"truncated-archive": 1},
    ),
    Row(
        "something else named .bz2",
        lambda b: b.text(b.put("a.txt.bz2", bz2.compress(GOOD)[4:])),
        ("a.txt.bz2: the file is not .bz2 data", INSPECT),
    ),
    Row("zip bomb", lambda b: b.text(zip_bomb(b)), code=0, prints=("archive-bomb 1",), rejects={"archive-bomb": 1}),
    Row(
        "a PDF that is not one",
        lambda b: b.text(b.put("a.pdf", b"<html>please log in</html>")),
        ("a.pdf: does not begin like a PDF", INSPECT),
    ),
    Row(
        "endless HTML",
        lambda b: b.text(folder_of(a_html=b"<p>" * 400_000)(b), **{"source.html-timeout-seconds": 0.2}),
        code=0,
        prints=("html-timeout 1",),
        rejects={"html-timeout": 1},
    ),
    Row(
        "JSONL with a bad row",
        lambda b: b.text(b.put("a.jsonl", '{"text": "one cat"}\n{"text": oops\n{"text": 3}\n{"text": "two cats"}\n')),
        code=0,
        prints=("bad-row 2",),
        rejects={"bad-row": 2},
    ),
    Row(
        "a missing column",
        lambda b: b.text(b.put("a.jsonl", '{"body": "one cat"}\n')),
        ("a.jsonl: ", 'no column "text"', "its columns: body", "text_column"),
    ),
    Row(
        "NUL bytes",
        lambda b: b.text(folder_of(a_txt=b"a\0b")(b)),
        code=0,
        prints=("binary 1",),
        rejects={"binary": 1},
    ),
    Row(
        "an empty folder",
        lambda b: b.text(b.put("e/.hidden", b"").parent),
        ("/e: holds no files", "put files of these kinds there: .txt"),
    ),
    Row("an empty file", lambda b: b.text(b.put("a.txt", b" \n")), ("a.txt: ", "empty", INSPECT)),
    Row("no sources", lambda b: ["text", "--out", b.out], ("text.sources: no sources are named", "--text.sources")),
    Row(
        "a source that is not there",
        lambda b: b.text(b.folder / "no.txt"),
        ("no.txt: no such file or directory; check the path",),
    ),
    Row(
        "an unreachable URL",
        lambda b: b.text("http://nowhere.invalid/a.txt", **{"source.url-tries": 1}),
        ("http://nowhere.invalid/a.txt: ", "name a source that can be read"),
    ),
    Row("a private URL", lambda b: b.text("http://127.0.0.1:9/a.txt"), ("not a public address",)),
    Row("a scheme that is none", lambda b: b.text("ftp://x/y.txt"), ("ftp://x/y.txt: is no address that",)),
    Row("a data set without a name", lambda b: b.text("hf:"), ("is not the name of a data set; write hf:owner/name",)),
    Row(
        "links that go round",
        lambda b: b.text(symlinks(b)),
        code=0,
        prints=("unreadable 2",),
        rejects={"unreadable": 2},
    ),
    Row(
        "its own output",
        own_output,
        ("holds what this run writes", "name other sources, or another --out"),
        undone=(),
    ),
    Row(
        "the same source twice",
        lambda b: b.text(*[b.put("a.txt", GOOD)] * 2),
        code=0,
        prints=("5 documents kept, 1 held out, 0 set aside",),
        rejects={},
    ),
    Row(
        "names with spaces and of other scripts",
        lambda b: b.text(b.put("ein Ordner ü/語 文.txt", GOOD)),
        code=0,
        prints=("5 documents kept",),
        rejects={},
    ),
    Row(
        "a name that is not UTF-8",
        latin_1_name,
        code=0,
        prints=("6 documents kept, 1 held out",),
        rejects={},
        needs="linux",
    ),
    Row("a path too long", lambda b: b.text(b.folder / ("x" * 300)), ("file name too long; check the path",)),
    Row(
        "an output path too long",
        lambda b: ["text", "--sources", b.put("a.txt", GOOD), "--out", b.folder / ("x" * 300)],
        ("file name too long; choose a shorter name",),
    ),
    Row(
        "everything filtered out",
        lambda b: ["text", "--sources", b.put("a.txt", "A short text of one cat."), "--workers", 1, "--out", b.out],
        ("no document is left", "length 1", "a.txt: fewer than 100 characters", INSPECT),
    ),
]
