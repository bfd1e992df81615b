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
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.read import read_unit
from fledge.text.sources.records import RawRecord
from fledge.text.sources.units import list_units
from fledge.types import Reject


def _zst(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".zst": _zst,
}


def _table(texts: list[str], delimiter: str) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerows([["n", "text"], *([n, text] for n, text in enumerate(texts))])
    return file.getvalue().encode()


def _parquet(texts: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(len(texts))), "text": texts}), file)
    return file.getvalue()


def warc_record(kind: str, block: bytes, url: str = "http://site.example/", content_type: str = "") -> bytes:
    content_type = content_type or ("text/plain" if kind == "conversion" else "application/http; msgtype=response")
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def http_block(body: bytes, content_type: str = "text/html; charset=utf-8", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


FILES: dict[str, Callable[[list[str]], bytes]] = {
    ".jsonl": lambda texts: "".join(json.dumps({"n": n, "text": t}) + "\n" for n, t in enumerate(texts)).encode(),
    ".json": lambda texts: json.dumps([{"n": n, "text": t} for n, t in enumerate(texts)], indent=1).encode(),
    ".csv": lambda texts: _table(texts, ","),
    ".tsv": lambda texts: _table(texts, "\t"),
    ".parquet": _parquet,
    ".warc": lambda texts: b"".join(warc_record("response", http_block(t.encode())) for t in texts),
    ".wet": lambda texts: b"".join(warc_record("conversion", t.encode()) for t in texts),
}


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def read_all(source: Path | str, **settings: Any) -> tuple[list[RawRecord], list[Reject]]:
    chosen = SourceSettings(**settings)
    found = [item for unit in list_units([str(source)], chosen) for item in read_unit(unit, chosen)]
    return [item for item in found if isinstance(item, RawRecord)], [i for i in found if isinstance(i, Reject)]


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """Builders of small files, and ``read(source, **settings)`` → (records, rejects)."""
    return SimpleNamespace(
        codecs=CODECS,
        files=FILES,
        zip=zip_of,
        tar=tar_of,
        read=read_all,
        warc_record=warc_record,
        http_block=http_block,
    )


@pytest.fixture
def put(tmp_path: Path) -> Iterator[Callable[[str, bytes], Path]]:
    """Write a file below the test's own folder."""

    def write(name: str, data: bytes) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    yield write
