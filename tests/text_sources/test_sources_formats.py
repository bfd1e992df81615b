"""The same documents come out of every format in every wrapping."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXTS = ["One line.", 'Two lines, "quoted",\nand ünïcödé — 語.', "Three;\ttabs | and\n\nparagraphs.", "Last."]
FORMATS = [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".warc", ".wet"]
WRAPPED = ["", ".gz", ".bz2", ".xz", ".zst"]


def bodies(records):
    return [r.text if r.text is not None else r.html.decode() for r in records]


@pytest.mark.parametrize("codec", WRAPPED)
@pytest.mark.parametrize("suffix", FORMATS)
def test_many_documents_in_a_file(kit, put, suffix, codec):
    path = put(f"docs{suffix}{codec}", kit.codecs[codec](kit.files[suffix](TEXTS)))
    records, rejects = kit.read(path)
    assert bodies(records) == TEXTS
    assert rejects == []
    assert len({r.id for r in records}) == len(TEXTS)
    assert all(r.id.startswith(path.name + "#") and r.source == path.name for r in records)


@pytest.mark.parametrize("codec", WRAPPED)
@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".htm", ".pdf"])
def test_one_document_in_a_file(kit, put, suffix, codec):
    body = b"%PDF-1.4 not looked into here" if suffix == ".pdf" else TEXTS[1].encode()
    path = put(f"doc{suffix}{codec}", kit.codecs[codec](body))
    (record,), rejects = kit.read(path)
    assert rejects == []
    assert record.id == record.source == path.name
    kind = {".pdf": "pdf", ".html": "html", ".htm": "html"}.get(suffix, "text")
    value = getattr(record, kind)
    assert (value.encode() if kind == "text" else value) == body
    assert [name for name in ("text", "html", "pdf") if getattr(record, name) is not None] == [kind]


@pytest.mark.parametrize("archive", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_archives_hold_every_format_and_compression(kit, put, archive):
    members, expected = {}, {}
    for suffix in FORMATS:
        for codec in WRAPPED:
            members[f"in/docs{suffix}{codec}"] = kit.codecs[codec](kit.files[suffix](TEXTS))
            expected[f"in/docs{suffix}{codec}"] = TEXTS
    members["plain.txt"], expected["plain.txt"] = TEXTS[0].encode(), TEXTS[:1]
    data = kit.zip(members) if archive == ".zip" else kit.tar(members)
    codec = {".tgz": ".gz"}.get(archive, archive.removeprefix(".zip").removeprefix(".tar"))
    path = put(f"all{archive}", kit.codecs[codec](data))
    records, rejects = kit.read(path)
    assert rejects == []
    found: dict[str, list[str]] = {}
    for record in records:
        found.setdefault(record.source.removeprefix(f"all{archive}!"), []).extend(bodies([record]))
    assert found == expected
    assert len({r.id for r in records}) == len(records)


def test_hidden_members_are_passed_over_and_archives_in_archives_set_aside(kit, put):
    members = {
        "a.txt": b"a",
        ".hidden.txt": b"h",
        "__MACOSX/a.txt": b"m",
        "in.zip": kit.zip({"b.txt": b"b"}),
        "c.xyz": b"c",
    }
    for path in (put("m.zip", kit.zip(members)), put("m.tar", kit.tar(members))):
        records, rejects = kit.read(path)
        assert [r.text for r in records] == ["a"]
        assert [(r.rule, r.id) for r in rejects] == [
            ("nested-archive", f"{path.name}!in.zip"),
            ("unknown-format", f"{path.name}!c.xyz"),
        ]


def test_members_of_one_name_keep_ids_apart(kit, put):
    import io
    import tarfile

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for body in (b"first", b"second"):
            info = tarfile.TarInfo("a.txt")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    records, _ = kit.read(put("twice.tar", file.getvalue()))
    assert [(r.id, r.text) for r in records] == [("twice.tar!a.txt", "first"), ("twice.tar!a.txt~2", "second")]


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1), min_size=1)
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_survive_any_row_format(kit, tmp_path, texts):
    texts = [text for text in texts if text.strip()] or ["x"]
    for suffix in (".jsonl", ".json", ".parquet", ".csv", ".tsv"):
        path = tmp_path / f"any{suffix}"
        path.write_bytes(kit.files[suffix](texts))
        records, rejects = kit.read(path)
        assert [r.text for r in records] == texts
        assert rejects == []


def test_json_values_of_any_size_across_read_borders(kit, put):
    texts = ["x" * n for n in (1, 65_000, 65_536, 200_000, 3, 131_072)]
    records, _ = kit.read(put("big.json", kit.files[".json"](texts)))
    assert [r.text for r in records] == texts
    lines = put("lines.json", kit.files[".jsonl"](texts))  # several objects without a list
    assert [r.text for r in kit.read(lines)[0]] == texts


def test_a_csv_field_beyond_the_module_s_own_limit(kit, put):
    long = "word " * 100_000
    assert [r.text for r in kit.read(put("long.csv", kit.files[".csv"]([long, "b"])))[0]] == [long, "b"]


def test_a_csv_may_be_parted_by_semicolons(kit, put):
    records, _ = kit.read(put("a.csv", b'id;text\n1;"one; two"\n2;three\n'))
    assert [r.text for r in records] == ["one; two", "three"]


def test_a_long_text_is_cut_at_paragraphs_and_nothing_is_lost(kit, put):
    text = "\n\n".join(f"Paragraph {n} " + "is here. " * (n % 7 + 1) for n in range(300))
    (whole,), _ = kit.read(put("whole.txt", text.encode()))
    assert whole.id == "whole.txt" and "part" not in whole.meta
    parts, _ = kit.read(put("long.txt", text.encode()), max_document_bytes=1000)
    assert len(parts) > 10 and "".join(r.text for r in parts) == text
    assert all(len(r.text.encode()) <= 1000 for r in parts)
    assert all(r.text.endswith("\n\n") for r in parts[:-1])
    assert [(r.id, r.meta["part"]) for r in parts] == [(f"long.txt#{n}", n) for n in range(1, len(parts) + 1)]


@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), most=st.integers(4, 40)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cutting_never_splits_a_character(kit, tmp_path, text, most):
    path = tmp_path / "any.txt"
    path.write_bytes(("x" + text).encode())
    records, rejects = kit.read(path, max_document_bytes=most)
    kept = "".join(r.text for r in records)
    assert all(r.rule in ("empty", "binary") for r in rejects)
    assert "�" not in kept or "�" in text
    if not rejects:
        assert kept == "x" + text


def test_warc_sets_the_rest_aside(kit, put):
    data = kit.warc_record("warcinfo", b"software: x", content_type="application/warc-fields")
    data += kit.warc_record("request", b"GET / HTTP/1.1\r\n\r\n")
    data += kit.warc_record(
        "response", kit.http_block(b"<p>page</p>", "text/html; charset=iso-8859-2"), "http://a.example/p"
    )
    data += kit.warc_record("response", kit.http_block(b"\x89PNG", "image/png"))
    data += kit.warc_record("response", kit.http_block(b"gone", status="404 Not Found"))
    data += kit.warc_record("response", kit.http_block(b"plain words", "text/plain"))
    data += kit.warc_record("response", kit.http_block(b"%PDF-1.4", "application/pdf"))
    records, rejects = kit.read(put("c.warc", data))
    assert [(r.id, r.html, r.text, r.pdf) for r in records] == [
        ("c.warc#3", b"<p>page</p>", None, None),
        ("c.warc#6", None, "plain words", None),
        ("c.warc#7", None, None, b"%PDF-1.4"),
    ]
    assert records[0].url == "http://a.example/p" and records[0].encoding == "iso-8859-2"
    assert [(r.id, r.rule) for r in rejects] == [
        ("c.warc#4", "not-a-page"),
        ("c.warc#5", "http-status"),
        ("c.warc", "warc-no-content"),
    ]
    assert rejects[2].reason.endswith("1 request, 1 warcinfo")


def test_reading_twice_gives_the_same(kit, put):
    path = put("all.tar.gz", kit.codecs[".gz"](kit.tar({f"d{s}": kit.files[s](TEXTS) for s in FORMATS})))
    assert kit.read(path) == kit.read(path)
