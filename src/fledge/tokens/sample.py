"""The bounded sample of the corpus that the tokenizer is trained on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from fledge.text.shards import read_documents

# Where less than this share of the text is wanted, whole shards are passed over, evenly spaced.
_LEAST_SHARE_OF_A_SHARD = 1 / 8


def sample_texts(paths: Sequence[Path], sample_bytes: int) -> Iterator[str]:
    """Yield texts of at most ``sample_bytes`` bytes in all, out of parquet shards of documents.

    Documents are chosen by a hash of their id, from all over the shards: the choice depends on the shards only.
    """
    total = sum(_text_bytes(path) for path in paths)
    share = min(1.0, sample_bytes / max(1, total))
    if share < _LEAST_SHARE_OF_A_SHARD:
        n_read = max(1, math.ceil(len(paths) * share / _LEAST_SHARE_OF_A_SHARD))
        paths = [paths[k * len(paths) // n_read] for k in range(n_read)]
        share = min(1.0, sample_bytes / max(1, sum(_text_bytes(path) for path in paths)))
    limit = math.ceil(share * 2**64)
    left = sample_bytes
    for document in read_documents(paths):
        if int.from_bytes(hashlib.blake2b(document.id.encode("utf-8"), digest_size=8).digest(), "little") >= limit:
            continue
        size = len(document.text.encode("utf-8"))
        if size <= left:
            left -= size
            yield document.text


def _text_bytes(path: Path) -> int:
    """Bytes of the text column, as the file's footer has them."""
    import pyarrow.parquet as pq

    with open(path, "rb") as file:
        metadata = pq.ParquetFile(file).metadata
    column = metadata.schema.names.index("text")
    return sum(
        metadata.row_group(group).column(column).total_uncompressed_size for group in range(metadata.num_row_groups)
    )
