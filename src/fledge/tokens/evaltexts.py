"""The texts of evaluation files: txt, json, jsonl, csv and tsv, also gzipped, in archives or folders."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
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
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_KNOWN = (*_JSON, *_TABLES, *_PLAIN, ".zip", ".gz")
_DAMAGED = (zlib.error, lzma.LZMAError)


def read_texts(path: Path, notes: list[str] | None = None) -> Iterator[str]:
    """Yield every text in the file: each field of its rows by itself, or a plain file whole; of a folder, its files'.

    Files in folders and members of archives that are none of these kinds are passed over. A row that is no JSON
    counts as plain text; ``notes`` gets a line that says how many there are. Raises FledgeError for a file that is
    missing, damaged, or holds no text.
    """
    found = False
    faults: list[str] = []
    try:
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for file in files:
            for text in _texts(file.name.lower(), file.read_bytes(), faults, top=file == path):
                found = True
                yield text
    except FileNotFoundError:
        raise FledgeError("is not there", where=str(path), fix="check tokens.decontaminate") from None
    except (OSError, EOFError, ValueError, csv.Error, tarfile.TarError, zipfile.BadZipFile, *_DAMAGED) as error:
        raise FledgeError(f"cannot be read ({error})", where=str(path), fix="replace the file") from None
    if not found:
        raise FledgeError("holds no text", where=str(path), fix="check tokens.decontaminate")
    if faults and notes is not None:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        notes.append(f"{path.name}: {faults[0]}{more} is no JSON and taken as plain text")


def _texts(name: str, data: bytes, faults: list[str], *, top: bool = False) -> Iterator[str]:
    suffix = Path(name).suffix
    if name.endswith(_TAR) or (top and suffix not in _KNOWN and tarfile.is_tarfile(io.BytesIO(data))):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield from _texts(member.name.lower(), file.read(), faults)
    elif suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as files:
            for entry in files.infolist():
                if not entry.is_dir():
                    yield from _texts(entry.filename.lower(), files.read(entry), faults)
    elif suffix == ".gz":
        yield from _texts(name.removesuffix(".gz"), gzip.decompress(data), faults, top=top)
    elif suffix in _JSON:
        text = data.decode("utf-8-sig", "replace")
        try:
            yield from _strings(json.loads(text))
        except ValueError:
            yield from _rows(name, text, faults)
    elif suffix in _TABLES:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig", "replace"), newline=""), delimiter=_TABLES[suffix])
        for row in rows:
            yield from row
    elif suffix in _PLAIN or top:
        yield data.decode("utf-8", "replace")


def _rows(name: str, text: str, faults: list[str]) -> Iterator[str]:
    """The texts of JSON lines. Only a line feed ends a line: U+2028 and its like may stand inside a string."""
    found = False
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            yield from _strings(json.loads(line) if line.strip() else None)
            found = found or bool(line.strip())
        except ValueError:
            bad.append((number, line))
    if bad and not found:
        raise ValueError(f"{name}, line {bad[0][0]} is not JSON")
    faults += [f"line {number} of {name}" for number, _ in bad]
    yield from (line for _, line in bad)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
