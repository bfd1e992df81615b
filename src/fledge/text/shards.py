"""Documents as parquet shards: columns ``id``, ``text``, ``source``, ``meta`` (JSON), zstd."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from fledge.run.files import TEMPORARY, atomic_file, told
from fledge.types import Document, FledgeError, Reject

SHARD_BYTES = 128_000_000
ROW_GROUP_BYTES = 4_000_000
ROW_GROUP_ROWS = 20_000

DOCUMENT_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "source", "meta")])
REJECT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "source", "rule", "reason", "text")] + [("n_bytes", pa.int64())]
)


class ShardWriter:
    """Appends rows to ``directory/part-00000.parquet``, ``part-00001.parquet``, …; use as a context manager.

    A shard appears whole or not at all, and holds at most ``shard_bytes`` of text (one row more where a row is
    larger). A row group is closed at fixed sizes, so that the same rows always give the same bytes. On a clean
    exit, shards of an earlier and longer writing are removed.
    """

    def __init__(self, directory: str | os.PathLike[str], schema: pa.Schema, *, shard_bytes: int = SHARD_BYTES) -> None:
        self.directory, self.schema, self.shard_bytes = Path(directory), schema, shard_bytes
        self.paths: list[Path] = []
        self.n_rows = 0
        self._columns: list[list[Any]] = [[] for _ in schema]
        self._group_bytes = self._bytes_in_shard = 0
        self._atomic: Any = None
        self._file: BinaryIO | None = None  # pyarrow would read a path its own way: "~" is a home to it
        self._parquet: pq.ParquetWriter | None = None

    def write(self, row: Sequence[Any], n_bytes: int) -> None:
        """Append one row, given in the order of the schema; ``n_bytes`` is what it counts towards sizes."""
        if self._bytes_in_shard and self._bytes_in_shard + n_bytes > self.shard_bytes:
            self._close_shard()
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self.n_rows += 1
        self._group_bytes += n_bytes
        self._bytes_in_shard += n_bytes
        if self._group_bytes >= ROW_GROUP_BYTES or len(self._columns[0]) >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._columns[0]:
            return
        path = self.directory / f"part-{len(self.paths):05d}.parquet"
        with told(path):
            if self._parquet is None:
                self._atomic = atomic_file(path)
                self._file = open(self._atomic.__enter__(), "wb")
                self._parquet = pq.ParquetWriter(self._file, self.schema, compression="zstd", write_statistics=False)
            arrays = [pa.array(column, field.type) for column, field in zip(self._columns, self.schema, strict=True)]
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self._columns = [[] for _ in self.schema]
        self._group_bytes = 0

    def _close_shard(self) -> None:
        self._flush()
        if self._parquet is not None and self._file is not None:
            path = self.directory / f"part-{len(self.paths):05d}.parquet"
            with told(path):
                self._parquet.close()
                self._file.close()
            atomic, self._parquet, self._atomic = self._atomic, None, None
            atomic.__exit__(None, None, None)
            self.paths.append(path)
        self._bytes_in_shard = 0

    def close(self) -> list[Path]:
        """Finish the last shard; returns the paths of all of them."""
        self._close_shard()
        with told(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            for path in sorted(self.directory.glob("part-*.parquet")):
                if path not in self.paths:
                    path.unlink()
        return self.paths

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self._parquet is not None and self._file is not None:
            # The disk that refused the rows refuses the footer as well: the first error is the one to tell.
            for part in (self._parquet, self._file):
                with contextlib.suppress(OSError):
                    part.close()
            atomic, self._parquet, self._atomic = self._atomic, None, None
            atomic.__exit__(kind, error, trace)


def document_row(document: Document) -> tuple[str, str, str, str]:
    """The row of ``document`` in :data:`DOCUMENT_SCHEMA`."""
    meta = json.dumps(dict(document.meta), ensure_ascii=False, sort_keys=True)
    return document.id, document.text, document.source, meta


def reject_row(reject: Reject) -> tuple[str, str, str, str, str, int]:
    """The row of ``reject`` in :data:`REJECT_SCHEMA`."""
    return reject.id, reject.source, reject.rule, reject.reason, reject.text, reject.n_bytes


def write_documents(
    documents: Iterable[Document], directory: str | os.PathLike[str], *, shard_bytes: int = SHARD_BYTES
) -> list[Path]:
    """Write ``documents`` in order as shards of at most ``shard_bytes`` of UTF-8 text; returns their paths.

    The same documents give the same bytes. Raises FledgeError where the disk refuses.
    """
    with ShardWriter(directory, DOCUMENT_SCHEMA, shard_bytes=shard_bytes) as writer:
        for document in documents:
            writer.write(document_row(document), len(document.text.encode("utf-8")))
    return writer.paths


def shard_paths(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The shards of a directory (sorted by name), or the given file or files.

    Raises FledgeError where there are none.
    """
    if not isinstance(source, (str, os.PathLike)):
        return [Path(path) for path in source]
    path = Path(source)
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.glob("*.parquet") if not file.name.startswith(TEMPORARY))
    if not found:
        raise FledgeError("no parquet shards in there", where=str(path), fix="check the path, or run the stage before")
    return found


def read_rows(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], columns: Sequence[str], batch_rows: int = 256
) -> Iterator[dict[str, Any]]:
    """Yield rows of shards in order, as dicts of ``columns``; memory holds one row group's pages at a time.

    Raises FledgeError with the file's name for one that is missing, damaged, or lacks a column.
    """
    for path in shard_paths(source):
        with contextlib.ExitStack() as stack:
            try:
                handle = stack.enter_context(open(path, "rb"))
                file = stack.enter_context(pq.ParquetFile(handle, pre_buffer=False))
            except FileNotFoundError as error:
                raise FledgeError("is not there", where=str(path), fix="check the path") from error
            except (pa.ArrowInvalid, OSError) as error:
                raise FledgeError(
                    "is not a readable parquet file", where=str(path), fix="remove it and run again"
                ) from error
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise FledgeError(f"has no column {missing[0]!r}", where=str(path), fix="give a shard of documents")
            try:
                for batch in file.iter_batches(batch_size=batch_rows, columns=list(columns), use_threads=False):
                    yield from batch.to_pylist()
            except (pa.ArrowInvalid, OSError) as error:
                raise FledgeError("is damaged", where=str(path), fix="remove it and run again") from error


def read_documents(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterator[Document]:
    """Yield the documents of a directory of shards, or of the given files, in order.

    Raises FledgeError with the file's name for one that is missing or damaged.
    """
    for row in read_rows(source, DOCUMENT_SCHEMA.names):
        yield Document(row["id"], row["text"], row["source"], json.loads(row["meta"]))


def read_rejects(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterator[Reject]:
    """Yield the rejects of a directory of shards, or of the given files, in order."""
    for row in read_rows(source, REJECT_SCHEMA.names):
        yield Reject(**row)
