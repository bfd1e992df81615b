"""Parquet, streamed batch by batch, the text column alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fledge.run.files import told
from fledge.text.sources.inputs import Input
from fledge.text.sources.records import RawRecord
from fledge.text.sources.rows import text_row
from fledge.types import Reject

BATCH_ROWS = 64
BUFFER_BYTES = 1 << 20


def read_parquet(item: Input, file: IO[bytes] | None = None) -> Iterator[RawRecord | Reject]:
    """One record a row. ``file`` is the seekable file itself; without it the stream is spooled to a temporary one."""
    if file is not None:
        yield from _read(item, file)
        return
    with tempfile.TemporaryFile() as spool:
        with told(Path(tempfile.gettempdir())):
            shutil.copyfileobj(item.bytes, spool, 1 << 20)
        if not item.fault:
            spool.seek(0)
            yield from _read(item, spool)


def _read(item: Input, file: Any) -> Iterator[RawRecord | Reject]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column, number = item.settings.text_column, 0
    try:
        parquet = pq.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
        schema = parquet.schema_arrow
        if column not in schema.names:
            yield item.wrong_column(f'has no column "{column}"', schema.names)
            return
        kind = schema.field(column).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            yield item.wrong_column(f'column "{column}" holds {kind}, not text', schema.names)
            return
        for batch in parquet.iter_batches(BATCH_ROWS, columns=[column], use_threads=False):
            for text in batch.column(0):
                number += 1
                yield text_row(item, _text(text), f"#{number}")
    except (pa.ArrowException, OSError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"is not readable as Parquet ({line})"
        yield item.reject("damaged-file", reason, f"#{number + 1}") if number else item.refuse("damaged-file", reason)


def _text(scalar: Any) -> Any:
    """The Python string; bytes that are not UTF-8, which Parquet does not check, come escaped for ``mend``."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
