"""Clusters of documents that share a key, found on disk: memory does not grow with the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fledge.run.files import told

ROW = np.dtype([("key", "<u8"), ("salt", "<u8"), ("document", "<i8")])
BUFFER_ROWS = 500_000
BUCKET_ROWS = 500_000


def key_rows(keys: np.ndarray, first_document: int) -> np.ndarray:
    """Rows for :func:`cluster`: documents number ``first_document``, + 1, … have ``keys`` (n_documents, n_keys) uint64.

    Keys of different columns never meet.
    """
    n_documents, n_keys = keys.shape
    rows = np.empty(keys.size, dtype=ROW)
    rows["key"] = keys.ravel()
    rows["salt"] = np.tile(np.arange(n_keys, dtype=np.uint64), n_documents)
    rows["document"] = np.repeat(np.arange(first_document, first_document + n_documents), n_keys)
    return rows


def wide_key_rows(keys: np.ndarray, first_document: int) -> np.ndarray:
    """Rows for :func:`cluster` where each document has one key of 128 bits: ``keys`` is (n_documents, 2) uint64."""
    rows = np.empty(len(keys), dtype=ROW)
    rows["key"], rows["salt"] = keys[:, 0], keys[:, 1]
    rows["document"] = np.arange(first_document, first_document + len(keys))
    return rows


def cluster(parts: Iterable[np.ndarray], *, n_rows: int, n_documents: int, work: Path) -> np.ndarray:
    """Join documents that share (key, salt), directly or through others.

    ``parts`` are arrays of :data:`ROW`, ``n_rows`` at most in all. Returns an int64 array on disk (n_documents,):
    the first document of each one's cluster, which is itself where it stands alone. Rows go to bucket files by key,
    and each bucket is handled alone. Raises FledgeError where the disk refuses.
    """
    with told(work):
        work.mkdir(parents=True, exist_ok=True)
        bits = max(0, (max(1, n_rows) - 1).bit_length() - BUCKET_ROWS.bit_length() + 1)
        buckets = [work / f"bucket-{number:05d}" for number in range(1 << bits)]
        for path in buckets:
            path.unlink(missing_ok=True)
        for rows in _gathered(parts):
            _distribute(rows, buckets, bits)
        parent = _identity(work / "parent.i64", n_documents)
        for path in buckets:
            if path.exists():
                for first, other in _edges(np.fromfile(path, dtype=ROW)):
                    _join(parent, first, other)
                path.unlink()
        for start in range(0, n_documents, BUFFER_ROWS):
            _flatten(parent, start, min(n_documents, start + BUFFER_ROWS))
    return parent


def _gathered(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """``parts`` joined to about :data:`BUFFER_ROWS`, so that few writes reach many files."""
    held: list[np.ndarray] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= BUFFER_ROWS:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _distribute(rows: np.ndarray, buckets: list[Path], bits: int) -> None:
    if bits == 0:
        numbers = np.zeros(len(rows), dtype=np.uint64)
    else:
        numbers = rows["key"] >> np.uint64(64 - bits)
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(buckets) + 1, dtype=np.uint64))
    for number, path in enumerate(buckets):
        if bounds[number] < bounds[number + 1]:
            with open(path, "ab") as file:
                file.write(rows[order[bounds[number] : bounds[number + 1]]].tobytes())


def _identity(path: Path, n_documents: int) -> np.ndarray:
    if n_documents == 0:
        return np.empty(0, dtype="<i8")
    parent = np.memmap(path, dtype="<i8", mode="w+", shape=(n_documents,))
    for start in range(0, n_documents, BUFFER_ROWS):
        end = min(n_documents, start + BUFFER_ROWS)
        parent[start:end] = np.arange(start, end)
    return parent


def _edges(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first document, other document) of every group of equal (key, salt)."""
    rows = rows[np.lexsort((rows["document"], rows["salt"], rows["key"]))]
    same = (rows["key"][1:] == rows["key"][:-1]) & (rows["salt"][1:] == rows["salt"][:-1])
    is_first = np.concatenate(([True], ~same))
    first = rows["document"][is_first][np.cumsum(is_first) - 1]
    others = np.flatnonzero(~is_first)
    pairs = np.unique(np.stack((first[others], rows["document"][others]), axis=1), axis=0)
    yield from pairs.tolist()


def _root(parent: np.ndarray, document: int) -> int:
    while (above := int(parent[document])) != document:
        parent[document] = parent[above]
        document = above
    return document


def _join(parent: np.ndarray, a: int, b: int) -> None:
    """Join two clusters; the smaller number stays the root, so that the result knows no order of joining."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


def _flatten(parent: np.ndarray, start: int, end: int) -> None:
    """Point every document straight at its root; those before ``start`` already do, and roots come first."""
    part = parent[start:end]
    for document in (np.flatnonzero(part != np.arange(start, end)) + start).tolist():
        parent[document] = parent[parent[document]]
