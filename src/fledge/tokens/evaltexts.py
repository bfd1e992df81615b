"""The texts of evaluation files: plain, of rows or of tables, also compressed, in archives or folders."""

from __future__ import annotations

import csv
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fledge.text.sources.archives import is_hidden
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.encoding import BadText, as_utf8, decode
from fledge.text.sources.formats import CODECS, SHORT_NAMES
from fledge.text.sources.streams import ByteStream, bad_bytes
from fledge.text.sources.walk import files_below
from fledge.types import FledgeError

_JSON = (".json", ".jsonl", ".ndjson")
_TABLES = {".csv": ",", ".tsv": "\t"}
_PLAIN = (".txt", ".md", ".text")
_KNOWN = (*_PLAIN, *_JSON, *_TABLES, ".parquet", ".tar", ".zip", *CODECS)


@dataclass
class _Faults:
    """What is told of one named file: rows that are no JSON, and members of other kinds."""

    rows: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def read_texts(path: Path, notes: list[str] | None = None) -> Iterator[str]:
    """Yield every text in the file: each field of its rows by itself, or a plain file whole; of a folder, its files'.

    A named file of another kind is taken as plain text; files in folders and members of archives that are of none
    are passed over. A row that is no JSON counts as plain text. ``notes`` gets a line for either. Raises FledgeError
    for a file that is missing, damaged, or holds no text that can be read.
    """
    found = False
    faults = _Faults()
    damaged: tuple[type[BaseException], ...] = (csv.Error, *bad_bytes())
    try:
        for file, name in files_below(path) if path.is_dir() else [(path, path.name)]:
            for text in _texts(name.lower(), file.read_bytes(), faults, top=file == path):
                found = True
                yield text
    except FileNotFoundError:
        raise FledgeError("is not there", where=str(path), fix="check tokens.decontaminate") from None
    except BadText as error:
        fix = f"save it as UTF-8; kinds that are read: {' '.join(_KNOWN)}"
        raise FledgeError(f"cannot be read as text ({error})", where=str(path), fix=fix) from None
    except damaged as error:
        raise FledgeError(f"cannot be read ({error})", where=str(path), fix="replace the file") from None
    if not found:
        raise FledgeError("holds no text", where=str(path), fix="check tokens.decontaminate")
    if notes is not None:
        notes += _told(path.name, faults.rows, "is no JSON and taken as plain text")
        notes += _told(path.name, faults.passed_over, "is of another kind and not looked into")


def _told(name: str, found: list[str], what: str) -> list[str]:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [f"{name}: {found[0]}{more} {what}"] if found else []


def _texts(name: str, data: bytes, faults: _Faults, *, top: bool = False) -> Iterator[str]:
    suffix = PurePosixPath(name).suffix
    if suffix in SHORT_NAMES:
        inner, outer = SHORT_NAMES[suffix]
        name, suffix = name.removesuffix(suffix) + inner + outer, outer
    if suffix in CODECS:
        yield from _texts(name.removesuffix(suffix), _unpacked(data, CODECS[suffix]), faults, top=top)
    elif suffix == ".tar" or (top and suffix not in _KNOWN and tarfile.is_tarfile(io.BytesIO(data))):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() and not is_hidden(member.name) else None
                if file is not None:
                    yield from _texts(member.name.lower(), file.read(), faults)
    elif suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as files:
            for entry in files.infolist():
                if not entry.is_dir() and not is_hidden(entry.filename):
                    yield from _texts(entry.filename.lower(), files.read(entry), faults)
    elif suffix == ".parquet":
        yield from _columns(name, data)
    elif suffix in _JSON:
        text = _decoded(name, data)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            yield from _rows(name, text, faults)
        else:
            yield from _strings(value)
    elif suffix in _TABLES:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        for row in csv.reader(io.StringIO(_decoded(name, data), newline=""), delimiter=_TABLES[suffix]):
            yield from row
    elif suffix in _PLAIN or top:
        yield _decoded(name, data)
    else:
        faults.passed_over.append(name)


def _unpacked(data: bytes, codec: str) -> bytes:
    stream = ByteStream(io.BytesIO(data), codec, SourceSettings())
    unpacked = io.BufferedReader(stream).read()
    if stream.fault is not None:
        raise ValueError(stream.fault.reason)
    return unpacked


def _decoded(name: str, data: bytes) -> str:
    """The text in whatever encoding :mod:`fledge.text.sources` knows; BadText names the file where it is none."""
    utf8, _ = as_utf8(io.BufferedReader(io.BytesIO(data)))
    try:
        return decode(utf8.read())[0]
    except BadText as error:
        raise BadText(error.rule, f"{name} {error}") from None


def _columns(name: str, data: bytes) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches(batch_size=1024, use_threads=False):
            yield from _strings(batch.to_pylist())
    except pa.ArrowException as error:
        raise ValueError(f"{name} is not readable as Parquet: {error}") from None


def _rows(name: str, text: str, faults: _Faults) -> Iterator[str]:
    """The texts of JSON lines. Only a line feed ends a line: U+2028 and its like may stand inside a string."""
    found = False
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            value = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            bad.append((number, line))
            continue
        found = found or bool(line.strip())
        yield from _strings(value)
    if bad and not found:
        raise ValueError(f"{name}, line {bad[0][0]} is not JSON")
    faults.rows += [f"line {number} of {name}" for number, _ in bad]
    yield from (line for _, line in bad)


def _strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value in its order, however deep they lie."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
