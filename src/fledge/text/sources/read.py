"""From a unit to its raw records, streamed in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from fledge.text.sources.archives import read_tar, read_zip
from fledge.text.sources.columnar import read_parquet
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.hub import download
from fledge.text.sources.inputs import Input
from fledge.text.sources.pages import read_html, read_pdf
from fledge.text.sources.plain import read_plain
from fledge.text.sources.records import RawRecord, Unit
from fledge.text.sources.rows import read_csv, read_json, read_jsonl, read_tsv
from fledge.text.sources.streams import ByteStream
from fledge.text.sources.warc import read_warc
from fledge.types import Reject

Records = Iterator[RawRecord | Reject]
READERS: dict[str, Callable[[Input], Records]] = {
    "txt": read_plain,
    "html": read_html,
    "jsonl": read_jsonl,
    "json": read_json,
    "parquet": read_parquet,
    "csv": read_csv,
    "tsv": read_tsv,
    "pdf": read_pdf,
    "warc": read_warc,
}


def read_unit(unit: Unit, settings: SourceSettings) -> Records:
    """The documents of a unit, and a Reject for each piece that cannot be used; memory is bounded.

    Every id begins with the unit's and is the same on every reading. A text column that is missing from the very
    file that was named (or from a data set) raises FledgeError; from a file in a folder or an archive it is a
    Reject, for the others may have it. FledgeError also comes where an extra is not installed and where a hub
    does not answer.
    """
    if unit.problem is not None:
        yield unit.problem
        return
    path = download(unit) if unit.remote else Path(unit.path)
    try:
        file = open(path, "rb")
    except OSError as error:
        reason = f"{unit.id}: cannot be opened ({(error.strerror or 'unknown').lower()})"
        yield Reject(unit.id, unit.id, "unreadable", reason, n_bytes=unit.n_bytes)
        return
    with file:
        yield from _read_file(unit, file, settings)


def _read_file(unit: Unit, file: IO[bytes], settings: SourceSettings) -> Records:
    def read_member(name: str, kind: str, codec: str, source: Any, n_bytes: int) -> Records:
        layers = ByteStream(source, "", settings)  # turns what the archive raises into a fault
        stream = ByteStream(layers, codec, settings)
        yield from READERS[kind](Input(name, stream, settings, n_bytes=n_bytes))
        if not (unit.format == "tar" and layers.fault):  # else the tar itself is cut, and tells it once
            yield from _fault(name, stream)

    if unit.format == "zip":
        yield from read_zip(unit.id, file, unit.n_bytes, settings, read_member)
    elif unit.format == "tar":
        stream = ByteStream(file, unit.codec, settings)
        yield from read_tar(unit.id, stream, read_member)
        yield from _fault(unit.id, stream)
    else:
        stream = ByteStream(file, unit.codec, settings)
        is_named = bool(unit.url or unit.remote) or Path(unit.source) == Path(unit.path)
        item = Input(
            unit.id,
            stream,
            settings,
            n_bytes=unit.n_bytes,
            url=unit.url,
            encoding=unit.encoding,
            is_named=is_named,
        )
        if unit.format == "parquet" and not unit.codec:
            yield from read_parquet(item, file)
        else:
            yield from READERS[unit.format](item)
        yield from _fault(unit.id, stream)


def _fault(name: str, stream: ByteStream) -> Records:
    if stream.fault is not None:
        fault = stream.fault
        yield Reject(name, name, fault.rule, f"{name}: {fault.reason}, at byte {fault.offset}", n_bytes=fault.offset)
