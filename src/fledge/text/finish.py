"""From finished chunks to the final shards: duplicates fall, documents are held out, the funnel is closed."""

from __future__ import annotations

import functools
import hashlib
import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from fledge.text.chunks import chunk_directory
from fledge.text.clean import EXACT, NEAR
from fledge.text.config import TextConfig
from fledge.text.dedup.clusters import cluster, key_rows, wide_key_rows
from fledge.text.funnel import Funnel
from fledge.text.shards import DOCUMENT_SCHEMA, REJECT_SCHEMA, ShardWriter, read_rows
from fledge.types import Reject

_DOCUMENT_COLUMNS = DOCUMENT_SCHEMA.names
_REJECT_COLUMNS = REJECT_SCHEMA.names


@dataclass(frozen=True)
class Candidates:
    """The documents of all chunks, numbered in order; chunk k holds those from ``starts[k]`` to ``starts[k + 1]``."""

    work: Path
    starts: tuple[int, ...]

    @staticmethod
    def of(work: Path, documents_per_chunk: Sequence[int]) -> Candidates:
        starts = [0]
        for n_documents in documents_per_chunk:
            starts.append(starts[-1] + n_documents)
        return Candidates(work, tuple(starts))

    @property
    def n_documents(self) -> int:
        return self.starts[-1]

    def files(self, kind: str) -> Iterator[tuple[int, list[Path]]]:
        """(first document, shards of ``kind``) of each chunk, in order; not what a worker that died left half-done."""
        for index, start in enumerate(self.starts[:-1]):
            yield start, sorted((chunk_directory(self.work, index) / kind).glob("part-*.parquet"))

    def keys(self, column: str) -> Iterator[tuple[int, np.ndarray]]:
        """(first document, (n, n_keys) uint64) of a column of keys, shard by shard."""
        for start, paths in self.files("candidates"):
            for path in paths:
                with open(path, "rb") as file:
                    values = pq.ParquetFile(file).read([column], use_threads=False).column(0).to_pylist()
                yield start, np.frombuffer(b"".join(values), dtype="<u8").reshape(len(values), -1)
                start += len(values)

    def id_of(self, document: int) -> str:
        """The id of a document by its number; near ones come from memory."""
        chunk = bisect_right(self.starts, document) - 1
        return _ids(chunk_directory(self.work, chunk) / "candidates")[document - self.starts[chunk]]


@functools.lru_cache(maxsize=16)
def _ids(directory: Path) -> list[str]:
    return [row["id"] for row in read_rows(directory, ["id"])]


@dataclass(frozen=True)
class Duplicates:
    """For each document the first of its cluster, by exact and by near keys; None where that was not asked for."""

    exact: np.ndarray | None
    near: np.ndarray | None

    def verdict(self, document: int) -> tuple[str, int] | None:
        """(rule, document that is kept in its place), or None where it stays."""
        if self.exact is not None and self.exact[document] != document:
            return EXACT, int(self.exact[document])
        if self.near is not None and self.near[document] != document:
            return NEAR, int(self.near[document])
        return None


def find_duplicates(candidates: Candidates, config: TextConfig) -> Duplicates:
    """Cluster the candidates on disk, in ``work/dedup``."""
    exact = near = None
    n_documents = candidates.n_documents
    if config.exact_dedup:
        rows = (wide_key_rows(keys, start) for start, keys in candidates.keys("exact"))
        exact = cluster(rows, n_rows=n_documents, n_documents=n_documents, work=candidates.work / "dedup" / "exact")
    if config.near_dedup:
        rows = (key_rows(keys, start) for start, keys in candidates.keys("bands"))
        n_rows = n_documents * config.minhash_bands
        near = cluster(rows, n_rows=n_rows, n_documents=n_documents, work=candidates.work / "dedup" / "near")
    return Duplicates(exact, near)


def heldout_rank(id: str) -> int:
    """A number below 2^64 that depends on the id alone; the smallest ranks are held out."""
    return int.from_bytes(hashlib.blake2b(id.encode("utf-8"), digest_size=8).digest(), "big")


def choose_heldout(candidates: Candidates, duplicates: Duplicates, config: TextConfig) -> frozenset[int]:
    """The numbers of the documents to hold out.

    Of those that are kept: ``heldout_fraction`` by rank, and of these the lowest ranks whose texts fit
    ``heldout_max_bytes``; but at least one where two are kept. Memory holds no more than what fits.
    """
    if not config.heldout_fraction or not config.heldout_max_bytes:
        return frozenset()
    limit = int(config.heldout_fraction * 2.0**64)
    chosen: list[tuple[int, int, int]] = []  # a heap of (-rank, document, bytes): the highest rank leaves first
    held_bytes, n_kept, lowest = 0, 0, (1 << 64, -1)
    document = 0
    for _, paths in candidates.files("candidates"):
        for row in read_rows(paths, ["id", "n_bytes"]):
            if duplicates.verdict(document) is None:
                n_kept += 1
                rank = heldout_rank(row["id"])
                lowest = min(lowest, (rank, document))
                if rank < limit and row["n_bytes"] <= config.heldout_max_bytes:
                    heapq.heappush(chosen, (-rank, document, row["n_bytes"]))
                    held_bytes += row["n_bytes"]
                while held_bytes > config.heldout_max_bytes:
                    held_bytes -= heapq.heappop(chosen)[2]
            document += 1
    if not chosen and n_kept >= 2:
        return frozenset([lowest[1]])
    return frozenset(document for _, document, _ in chosen)


def write_outputs(
    candidates: Candidates,
    duplicates: Duplicates,
    heldout: frozenset[int],
    funnel: Funnel,
    out: Path,
    *,
    shard_bytes: int,
) -> dict[str, Any]:
    """Write ``train/``, ``heldout/`` and ``rejects/`` below ``out`` and count what fell as a duplicate in ``funnel``.

    Rejects of a chunk come first, then its duplicates. Returns documents and bytes of each part.
    """
    sizes = {"train": [0, 0], "heldout": [0, 0], "rejects": [0, 0]}

    def put(part: str, row: Sequence[Any], n_bytes: int) -> None:
        writers[part].write(row, n_bytes)
        sizes[part][0] += 1
        sizes[part][1] += n_bytes

    schemas = {"train": DOCUMENT_SCHEMA, "heldout": DOCUMENT_SCHEMA, "rejects": REJECT_SCHEMA}
    writers = {part: ShardWriter(out / part, schema, shard_bytes=shard_bytes) for part, schema in schemas.items()}
    with writers["train"], writers["heldout"], writers["rejects"]:
        both = zip(candidates.files("rejects"), candidates.files("candidates"), strict=True)
        for (_, reject_paths), (document, paths) in both:
            for row in read_rows(reject_paths, _REJECT_COLUMNS):
                put("rejects", [row[name] for name in _REJECT_COLUMNS], row["n_bytes"])
            for row in read_rows(paths, [*_DOCUMENT_COLUMNS, "n_bytes"]):
                verdict = duplicates.verdict(document)
                _count(funnel, duplicates, verdict, row["n_bytes"])
                if verdict is not None:
                    reason = f"of {candidates.id_of(verdict[1])}"
                    fallen = Reject(row["id"], row["source"], verdict[0], reason, row["text"], row["n_bytes"])
                    put("rejects", [getattr(fallen, name) for name in _REJECT_COLUMNS], row["n_bytes"])
                else:
                    part = "heldout" if document in heldout else "train"
                    put(part, [row[name] for name in _DOCUMENT_COLUMNS], row["n_bytes"])
                document += 1
    return {part: {"documents": n, "bytes": n_bytes} for part, (n, n_bytes) in sizes.items()}


def _count(funnel: Funnel, duplicates: Duplicates, verdict: tuple[str, int] | None, n_bytes: int) -> None:
    for rule, on in ((EXACT, duplicates.exact is not None), (NEAR, duplicates.near is not None)):
        if verdict is not None and verdict[0] == rule:
            funnel[rule].rejected(n_bytes, "the first in order is kept")
            return
        if on:
            funnel[rule].passed(n_bytes, [n_bytes])
