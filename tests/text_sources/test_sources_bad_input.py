"""Bad input: what is good is kept, what is bad is named with its place."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tracemalloc
import zipfile

import pytest

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.encoding import BadText, decode, mend
from fledge.types import FledgeError


def rules(rejects):
    return [(reject.rule, reject.id) for reject in rejects]


def rows(n, words=200):
    return [f"row {k} " + f"word{k * 7919 % 1009} " * words for k in range(n)]


@pytest.mark.parametrize("codec", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".warc", ".txt"])
def test_a_cut_file_keeps_what_came_before(kit, put, suffix, codec):
    texts = [os.urandom(3000).hex() for _ in range(200)]  # does not compress, so that a cut leaves whole rows
    data = "\n\n".join(texts).encode() if suffix == ".txt" else kit.files[suffix](texts)
    packed = kit.codecs[codec](data)
    path = put(f"cut{suffix}{codec}", packed[: len(packed) * 3 // 4])
    records, rejects = kit.read(path, max_document_bytes=20_000)
    found = [r.text if r.text is not None else r.html.decode() for r in records]
    if suffix == ".txt":
        assert found and "".join(found) == "\n\n".join(texts)[: len("".join(found))]
    else:
        assert 0 < len(found) < 200 and found == texts[: len(found)]
        if codec == ".gz":
            assert len(found) > 100
    assert rules(rejects) == [("truncated-archive", path.name)]
    assert path.name in rejects[0].reason and f"byte {path.stat().st_size}" in rejects[0].reason


def test_a_cut_tar_keeps_its_whole_members(kit, put):
    members = {f"{n}.txt": os.urandom(3000).hex().encode() for n in range(50)}
    data = kit.tar(members)
    for path in (put("a.tar", data[:100_000]), put("b.tar.gz", gzip.compress(data)[:60_000])):
        records, rejects = kit.read(path)
        assert 5 < len(records) < 40
        assert [r.text.encode() for r in records] == list(members.values())[: len(records)]
        assert rules(rejects) == [("truncated-archive", path.name)]


def test_a_tar_with_a_broken_header_does_not_end_in_silence(kit, put):
    data = bytearray(kit.tar({"a.txt": b"a", "b.txt": b"b", "c.txt": b"c"}))
    data[1024:1100] = b"\xff" * 76
    records, rejects = kit.read(put("a.tar", bytes(data)))
    assert [r.text for r in records] == ["a"]
    assert rules(rejects) == [("damaged-archive", "a.tar")]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_file_that_is_not_compressed_as_it_says(kit, put, suffix):
    records, rejects = kit.read(put(f"a.txt{suffix}", b"plain words, never compressed"))
    assert records == [] and rules(rejects) == [("damaged-archive", f"a.txt{suffix}")]


def test_several_gzip_members_and_zeros_after_them_are_one_file_but_garbage_is_told(kit, put):
    two = gzip.compress(b"one ") + gzip.compress(b"two")
    assert [r.text for r in kit.read(put("a.txt.gz", two + bytes(3000)))[0]] == ["one two"]
    _, rejects = kit.read(put("b.txt.gz", two + b"garbage!"))
    assert rules(rejects) == [("damaged-archive", "b.txt.gz")]


def test_a_zip_bomb_is_known_before_it_is_read(kit, put):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.txt", "w") as member:
        for _ in range(64):
            member.write(b"x" * 1_000_000)
    path = put("bomb.zip", file.getvalue())
    tracemalloc.start()
    records, rejects = kit.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert records == [] and rules(rejects) == [("archive-bomb", "bomb.zip")]
    assert peak < 5_000_000


@pytest.mark.parametrize("name", ["bomb.txt", "bomb.jsonl", "bomb.csv", "bomb.html", "bomb.tar"])
@pytest.mark.parametrize("codec", [".gz", ".bz2", ".xz", ".zst"])
def test_a_compressed_bomb_is_stopped_in_bounded_memory(kit, put, name, codec):
    body = b"x" * 40_000_000
    body = kit.tar({"a.txt": body}) if name == "bomb.tar" else body
    path = put(name + codec, kit.codecs[codec](body))
    del body
    tracemalloc.start()
    records, rejects = kit.read(path, max_document_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "archive-bomb" in {r.rule for r in rejects}
    assert sum(r.n_bytes for r in records) <= 17_000_000
    assert peak < 60_000_000  # 17 MB of kept text, buffers, and one doubling for a line


def test_a_zip_whose_members_share_their_bytes(kit, put):
    data = kit.zip({"a.txt": os.urandom(20_000_000)})
    start = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    tail[8:12] = (3).to_bytes(2, "little") * 2
    tail[12:16] = (3 * len(entry)).to_bytes(4, "little")
    _, rejects = kit.read(put("shared.zip", data[:start] + entry * 3 + bytes(tail)))
    assert rules(rejects) == [("archive-bomb", "shared.zip")]


def test_a_damaged_member_costs_only_itself(kit, put):
    bodies = {f"{n}.txt": os.urandom(3000).hex().encode() for n in range(3)}
    data = bytearray(kit.zip(bodies))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        at = archive.getinfo("1.txt").header_offset + 200
    data[at : at + 50] = bytes(50)
    records, rejects = kit.read(put("a.zip", bytes(data)))
    assert [r.id for r in records] == ["a.zip!0.txt", "a.zip!2.txt"]
    assert rules(rejects) == [("damaged-archive", "a.zip!1.txt")]
    _, rejects = kit.read(put("cut.zip", kit.zip(bodies)[:-100]))
    assert rules(rejects) == [("damaged-archive", "cut.zip")]


def test_a_bad_row_is_named_and_the_others_are_kept(kit, put):
    lines = [b'{"text": "one"}', b'{"text": "broken', b"", b'{"text": 3}', b'{"other": 1}', b"[1]", b'{"text": "six"}']
    records, rejects = kit.read(put("a.jsonl", b"\n".join(lines)))
    assert [(r.id, r.text) for r in records] == [("a.jsonl#1", "one"), ("a.jsonl#7", "six")]
    assert rules(rejects) == [("bad-row", f"a.jsonl#{n}") for n in (2, 4, 5, 6)]
    assert rejects[0].reason.startswith("a.jsonl:2: is not valid JSON") and "broken" in rejects[0].text
    assert "a number" in rejects[1].reason and 'has no "text"' in rejects[2].reason


def test_broken_json_keeps_what_came_before(kit, put):
    records, rejects = kit.read(put("a.json", b'[{"text": "one"}, {"text": "two"}, {"text": oops}, {"text": "four"}]'))
    assert [r.text for r in records] == ["one", "two"]
    assert rules(rejects) == [("bad-row", "a.json#3")]


def test_an_endless_line_is_passed_over_in_bounded_memory(kit, put):
    body = b'{"text": "one"}\n{"text": "' + b"y" * 30_000_000 + b'"}\n{"text": "three"}\n'
    path = put("a.jsonl", body)
    del body
    tracemalloc.start()
    records, rejects = kit.read(path, max_item_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r.id for r in records] == ["a.jsonl#1", "a.jsonl#3"]
    assert rules(rejects) == [("too-large", "a.jsonl#2")] and peak < 5_000_000


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_a_missing_column_names_file_columns_and_setting(kit, put, suffix):
    path = put(f"named/a{suffix}", kit.files[suffix](["one"]))
    with pytest.raises(FledgeError) as caught:
        kit.read(path, text_column="body")
    line = str(caught.value)
    assert line.startswith(f"a{suffix}: ") and '"body"' in line and "n, text" in line and "text_column" in line
    put("named/b.txt", b"others are read")
    records, rejects = kit.read(path.parent, text_column="body")
    assert [r.text for r in records] == ["others are read"]
    assert rules(rejects) == [("missing-column", f"named/a{suffix}")] and "n, text" in rejects[0].reason


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_a_file_that_is_refused_counts_with_its_size(kit, put, suffix):
    data = kit.files[suffix](["one", "two"] * 50)
    packed = {name: kit.codecs[name](data) for name in kit.codecs if name}
    for name, stored in packed.items():
        put(f"all/a{suffix}{name}", stored)
    put("all/b.zip", kit.zip({f"in{suffix}": data}))
    put("all/c.tar", kit.tar({f"in{suffix}": data, f"in{suffix}.gz": packed[".gz"]}))
    put("all/d.txt", b"others are read")
    _, rejects = kit.read(put(f"all/e{suffix}", data).parent, text_column="body")
    assert {r.rule for r in rejects} == {"missing-column"}
    assert {r.id.removeprefix("all/"): r.n_bytes for r in rejects} == {
        **{f"a{suffix}{name}": len(stored) for name, stored in packed.items()},
        f"b.zip!in{suffix}": len(data),
        f"c.tar!in{suffix}": len(data),
        f"c.tar!in{suffix}.gz": len(packed[".gz"]),
        f"e{suffix}": len(data),
    }


def test_what_is_lost_from_a_place_on_counts_with_its_bytes(kit, put):
    rows, broken = b'[{"text": "caf\xc3\xa9"}, {"text": "two"}, ', b'{"text": oh no}, {"text": "four"}]' * 9_000
    records, rejects = kit.read(put("a.json", rows + broken))
    assert [r.text for r in records] == ["café", "two"] and [r.n_bytes for r in rejects] == [len(broken)]
    _, rejects = kit.read(put("b.json", b"  [" + broken))
    assert [r.n_bytes for r in rejects] == [3 + len(broken)]
    data = b"GIF89a\0\1" * 100_000
    assert [r.n_bytes for r in kit.read(put("c.txt", data))[1]] == [len(data)]
    data = kit.warc_record("metadata", b"12345") + kit.warc_record("metadata", b"678")
    assert [(r.rule, r.n_bytes) for r in kit.read(put("d.warc", data))[1]] == [("warc-no-content", 8)]
    assert [r.n_bytes for r in kit.read(put("e.html", b"<p>" * 1000), max_item_bytes=100)[1]] == [3000]


def test_a_parquet_column_of_numbers_and_a_file_that_is_none(kit, put):
    with pytest.raises(FledgeError, match=r"holds int64, not text"):
        kit.read(put("a.parquet", kit.files[".parquet"](["one"])), text_column="n")
    _, rejects = kit.read(put("b.parquet", b"PAR1 but no more"))
    assert rules(rejects) == [("damaged-file", "b.parquet")]


def test_what_is_no_pdf_page_or_text(kit, put):
    for name, data, rule in [
        ("a.pdf", b"<html>login first</html>", "not-a-pdf"),
        ("a.txt", b"GIF89a\x00\x01\x02" * 100, "binary"),
        ("b.txt", bytes(range(1, 32)) * 50, "binary"),
        ("c.txt", "Это текст".encode("cp1251") * 50, "encoding"),
        ("d.txt", b"", "empty"),
        ("e.txt", b" \n\n ", "empty"),
        ("f.html", b"", "empty"),
        ("g.json", b"[]", "empty"),
        ("h.csv", b"", "empty"),
        ("i.warc", b"this is no warc", "damaged-file"),
    ]:
        records, rejects = kit.read(put(name, data))
        assert (records, rules(rejects)) == ([], [(rule, name)])
    _, rejects = kit.read(put("big.html", b"<p>" * 1000), max_item_bytes=100)
    assert rules(rejects) == [("too-large", "big.html")]


@pytest.mark.parametrize(
    ("data", "text", "meta"),
    [
        ("naïve — 語".encode("utf-8-sig"), "naïve — 語", {}),
        ("naïve — 語".encode("utf-16"), "naïve — 語", {"encoding": "utf-16"}),
        (b"\xfe\xff" + "naïve — 語".encode("utf-16-be"), "naïve — 語", {"encoding": "utf-16"}),
        ("naïve — 語".encode("utf-32"), "naïve — 語", {"encoding": "utf-32"}),
        ("It’s a “naïve” café".encode("cp1252"), "It’s a “naïve” café", {"encoding": "cp1252"}),
        ("语文 is broken".encode() + b" he\xffre", "语文 is broken he�re", {"replaced_characters": 1}),
    ],
)
def test_encodings(kit, put, data, text, meta):
    (record,), rejects = kit.read(put("a.txt", data))
    assert (record.text, dict(record.meta), rejects) == (text, meta, [])


def test_encodings_of_rows(kit, put):
    table = "n,text\n1,naïve café\n".encode("utf-16")
    assert [(r.text, r.meta) for r in kit.read(put("a.csv", table))[0]] == [("naïve café", {"encoding": "utf-16"})]
    lines = b'{"text": "caf\xe9 noir"}\n{"text": "\\ud83d\\ude00 and \\ud800"}\n{"text": "fine \xc3\xa9"}'
    records, _ = kit.read(put("a.jsonl", b"\xef\xbb\xbf" + lines))
    assert [(r.text, dict(r.meta)) for r in records] == [
        ("café noir", {"encoding": "cp1252"}),
        ("😀 and �", {"replaced_characters": 1}),
        ("fine é", {}),
    ]


def test_decode_and_mend_agree_on_bytes():
    for data in (b"caf\xe9 au lait", "héllo".encode(), b"\xff\xfe\xfa words " * 3 + "语".encode() * 99):
        assert mend(data.decode("utf-8", "surrogateescape")) == decode(data)
    with pytest.raises(BadText):
        decode(b"\x80\x81\x82\x83" * 10)


def test_an_extra_that_is_not_installed_is_named(kit, put, monkeypatch):
    for module, name, data in [("fastwarc", "a.warc", b"WARC/1.0"), ("pypdf", "a.pdf", b"%PDF-")]:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(
            FledgeError, match=rf"reading \.\w+ needs {module}; install with: .*python\S* -m pip install {module}$"
        ):
            kit.read(put(name, data))


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", lambda: 0)() == 0, reason="permissions do not hold here")
def test_a_file_without_permission(kit, put):
    path = put("d/a.txt", b"secret")
    put("d/b.txt", b"open")
    path.chmod(0)
    records, rejects = kit.read(path.parent)
    assert [r.text for r in records] == ["open"] and rules(rejects) == [("unreadable", "d/a.txt")]


def test_settings_refuse_nonsense():
    for wrong in ({"text_column": ""}, {"max_document_bytes": 0}, {"url_delay_seconds": -1}, {"user_agent": "a\nb"}):
        with pytest.raises(FledgeError):
            SourceSettings(**wrong)
