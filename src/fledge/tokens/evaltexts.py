"""The texts of evaluation files: txt, json, jsonl, csv and tsv, also gzipped or inside tar and zip archives."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fledge.types import FledgeError

_JSON = (".json", ".jsonl", ".ndjson")
_TABLES = {".csv": ",", ".tsv": "\t"}
_PLAIN = (".txt", ".md", ".text")


def read_texts(path: Path) -> Iterator[str]:
    """Yield every text in the file: each field of its rows by itself, or a plain file whole.

    Members of archives that are none of these kinds are passed over. Raises FledgeError for a file that is
    missing, damaged, or holds no text.
    """
    found = False
    try:
        for text in _texts(path.name.lower(), path.read_bytes(), top=True):
            found = True
            yield text
    except FileNotFoundError:
        raise FledgeError("is not there", where=str(path), fix="check tokens.decontaminate") from None
    except (OSError, EOFError, ValueError, csv.Error, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise FledgeError(f"cannot be read ({error})", where=str(path), fix="replace the file") from None
    if not found:
        raise FledgeError("holds no text", where=str(path), fix="check tokens.decontaminate")


def _texts(name: str, data: bytes, *, top: bool = False) -> Iterator[str]:
    suffix = Path(name).suffix
    if name.endswith((".tar.gz", ".tgz", ".tar")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield from _texts(member.name.lower(), file.read())
    elif suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as files:
            for entry in files.infolist():
                if not entry.is_dir():
                    yield from _texts(entry.filename.lower(), files.read(entry))
    elif suffix == ".gz":
        yield from _texts(name.removesuffix(".gz"), gzip.decompress(data), top=top)
    elif suffix in _JSON:
        text = data.decode("utf-8", "replace")
        try:
            yield from _strings(json.loads(text))
        except ValueError:
            for number, line in enumerate(text.splitlines(), start=1):
                try:
                    yield from _strings(json.loads(line) if line.strip() else None)
                except ValueError:
                    raise ValueError(f"{name}, line {number} is not JSON") from None
    elif suffix in _TABLES:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""), delimiter=_TABLES[suffix])
        for row in rows:
            yield from row
    elif suffix in _PLAIN or top:
        yield data.decode("utf-8", "replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
