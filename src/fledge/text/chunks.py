"""Chunks: a few megabytes of raw records, the unit of work, of restarts and of blame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fledge.run.files import read_json, write_json
from fledge.text.clean import Cleaner
from fledge.text.config import TextConfig
from fledge.text.dedup.minhash import band_keys, exact_key, minhash, normalise
from fledge.text.shards import DOCUMENT_SCHEMA, REJECT_SCHEMA, ShardWriter, document_row, reject_row
from fledge.text.sources.records import RawRecord, Unit
from fledge.types import Document, FledgeError, Reject

CANDIDATE_SCHEMA = pa.schema(
    [*DOCUMENT_SCHEMA, ("n_bytes", pa.int64()), ("exact", pa.binary(16)), ("bands", pa.binary())]
)
_NEVER = 1 << 62


@dataclass(frozen=True)
class Chunk:
    """Records ``start`` to ``end``, each a (unit, record) number: what the chunk holds, and where the next begins."""

    index: int
    records: tuple[RawRecord | Reject, ...]
    end: tuple[int, int]
    n_bytes: int


def chunk_directory(work: Path, index: int) -> Path:
    return work / "chunks" / f"{index:06d}"


def read_done(work: Path, index: int) -> dict[str, Any] | None:
    """The summary of a chunk that was finished, or None."""
    path = chunk_directory(work, index) / "done.json"
    return read_json(path) if path.exists() else None


def cut_chunks(
    units: Sequence[Unit],
    read: Callable[[Unit], Iterator[RawRecord | Reject]],
    work: Path,
    *,
    chunk_bytes: int,
    chunk_records: int,
) -> Iterator[Chunk | dict[str, Any]]:
    """Yield the chunks in order; in place of one that is done in ``work``, its summary, without reading it again.

    A unit that breaks while it is read ends with a Reject; the rest goes on.
    """
    index, at = 0, (0, 0)
    while at[0] < len(units):
        done = read_done(work, index)
        if done is not None:
            at = (done["end"][0], done["end"][1])
            yield done
            index += 1
            continue
        for chunk in _read_chunks(units, read, index, at, chunk_bytes, chunk_records):
            yield chunk
            index, at = chunk.index + 1, chunk.end
            if read_done(work, index) is not None:
                break


def _read_chunks(
    units: Sequence[Unit],
    read: Callable[[Unit], Iterator[RawRecord | Reject]],
    index: int,
    at: tuple[int, int],
    chunk_bytes: int,
    chunk_records: int,
) -> Iterator[Chunk]:
    records: list[RawRecord | Reject] = []
    held_bytes = 0
    for unit_number in range(at[0], len(units)):
        skip = at[1] if unit_number == at[0] else 0
        for record_number, record in enumerate(_records_of(units[unit_number], read)):
            if record_number < skip:
                continue
            n_bytes = _size(record)
            if records and (held_bytes + n_bytes > chunk_bytes or len(records) >= chunk_records):
                yield Chunk(index, tuple(records), (unit_number, record_number), held_bytes)
                index, records, held_bytes = index + 1, [], 0
            records.append(record)
            held_bytes += n_bytes
    yield Chunk(index, tuple(records), (len(units), 0), held_bytes)


def _size(record: RawRecord | Reject) -> int:
    if isinstance(record, Reject):
        return len(record.text)
    return len(record.text) if record.text is not None else record.n_bytes


def _records_of(unit: Unit, read: Callable[[Unit], Iterator[RawRecord | Reject]]) -> Iterator[RawRecord | Reject]:
    n_bytes = unit.n_bytes
    try:
        for record in read(unit):
            yield record
            n_bytes = 0  # what is left of the file is not known
    except FledgeError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        yield Reject(f"{unit.id}!", unit.source, "unreadable", reason, n_bytes=n_bytes)


def process_chunk(
    chunk: Chunk,
    records: Iterable[RawRecord | Reject],
    cleaner: Cleaner,
    config: TextConfig,
    work: Path,
    dead: frozenset[int] = frozenset(),
) -> dict[str, Any]:
    """Clean the ``records`` of a chunk and leave candidates, rejects and summary in ``work``; returns the summary.

    ``dead`` numbers the records that killed their worker: they are set aside. The summary is written last, and says
    that the chunk is done.
    """
    directory = chunk_directory(work, chunk.index)
    cleaner.reset()
    candidates = ShardWriter(directory / "candidates", CANDIDATE_SCHEMA, shard_bytes=_NEVER)
    rejects = ShardWriter(directory / "rejects", REJECT_SCHEMA, shard_bytes=_NEVER)
    with candidates, rejects:
        for number, record in enumerate(records):
            if number in dead and isinstance(record, RawRecord):
                record = Reject(
                    record.id, record.source, "worker-died", "its worker died twice on it", "", record.n_bytes
                )
            for result in cleaner.clean(record):
                if isinstance(result, Reject):
                    rejects.write(reject_row(result), len(result.text))
                else:
                    write_candidate(candidates, result, config)
    summary = {
        "index": chunk.index,
        "end": list(chunk.end),
        "n_bytes": chunk.n_bytes,
        "documents": candidates.n_rows,
        "rejects": rejects.n_rows,
        "funnel": cleaner.funnel.plain(),
    }
    write_json(directory / "done.json", summary)
    return summary


def write_candidate(writer: ShardWriter, document: Document, config: TextConfig) -> None:
    """Append a document with the keys that duplicates of it share."""
    normalised = normalise(document.text) if config.exact_dedup or config.near_dedup else ""
    bands = b""
    if config.near_dedup:
        n_hashes = config.minhash_bands * config.minhash_rows
        # a text without words is compared by its marks, else all such texts were one
        signature = minhash(normalised or document.text, shingle_words=config.shingle_words, n_hashes=n_hashes)
        bands = band_keys(signature, bands=config.minhash_bands).astype("<u8").tobytes()
    exact = exact_key(document.text, normalised) if config.exact_dedup else bytes(16)
    n_bytes = len(document.text.encode("utf-8"))
    writer.write((*document_row(document), n_bytes, exact, bands), n_bytes)
