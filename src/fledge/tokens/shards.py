"""Token shards: raw little-endian ids, document offsets, optional weights, and an index with checksums.

``shard-00000.bin`` holds uint16 or uint32 ids, ``shard-00000.idx`` int64 offsets of the documents (one more than
there are documents), ``shard-00000.wgt`` one uint8 weight a token where not every token is learned, and
``shard-00000.json`` what they hold, with checksums; it is written last and marks the shard as whole. ``index.json``
names the shards in order; a directory without it is not finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fledge.run.files import read_json, sha256, told, write_bytes, write_json
from fledge.run.storage import is_url, localised
from fledge.types import Document, FledgeError

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

VERSION = 1
SHARD_TOKENS = 50_000_000
_AGAIN = "remove the directory and run the stage again"


@dataclass(frozen=True)
class Tokenised:
    """One document or conversation as ids; ``weight`` (uint8) is None where all of it is learned."""

    ids: np.ndarray
    n_bytes: int
    weight: np.ndarray | None = None


def write_shards(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    out: str | os.PathLike[str],
    *,
    shard_tokens: int = SHARD_TOKENS,
) -> dict[str, Any]:
    """Tokenise ``documents`` in order into ``out``, each as ``<|bos|>`` text ``<|eos|>``; returns ``index.json``."""
    return write_sequences(encode_documents(documents, tokenizer), tokenizer, out, shard_tokens=shard_tokens)


def encode_documents(documents: Iterable[Document], tokenizer: Tokenizer) -> Iterator[Tokenised]:
    """Ids of each document, in order."""
    for document in documents:
        ids: np.ndarray = np.array(tokenizer.encode_document(document.text), dtype=tokenizer.dtype)
        yield Tokenised(ids, len(document.text.encode("utf-8")))


def write_sequences(
    sequences: Iterable[Tokenised],
    tokenizer: Tokenizer,
    out: str | os.PathLike[str],
    *,
    shard_tokens: int = SHARD_TOKENS,
) -> dict[str, Any]:
    """Write ready sequences as shards of at most ``shard_tokens`` (one sequence more where one is longer)."""
    out = Path(out)
    with told(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / "index.json").unlink(missing_ok=True)
    entries: list[dict[str, Any]] = []
    waiting: list[Tokenised] = []
    n_waiting = 0
    for sequence in sequences:
        if waiting and n_waiting + len(sequence.ids) > shard_tokens:
            entries.append(write_shard(out, len(entries), waiting, tokenizer))
            waiting, n_waiting = [], 0
        waiting.append(sequence)
        n_waiting += len(sequence.ids)
    if waiting or not entries:
        entries.append(write_shard(out, len(entries), waiting, tokenizer))
    return write_index(out, entries, tokenizer)


def write_shard(
    out: Path, number: int, sequences: Sequence[Tokenised], tokenizer: Tokenizer, origin: str = ""
) -> dict[str, Any]:
    """Write one shard; ``origin`` says what it was made from (a resumed stage compares it)."""
    stem = out / f"shard-{number:05d}"
    offsets = np.zeros(len(sequences) + 1, dtype="<i8")
    np.cumsum([len(sequence.ids) for sequence in sequences], out=offsets[1:])
    little = np.dtype(tokenizer.dtype).newbyteorder("<")
    ids = np.concatenate([np.zeros(0, little), *(sequence.ids for sequence in sequences)])
    files: dict[str, np.ndarray] = {".bin": ids.astype(little), ".idx": offsets}
    n_learned = int(offsets[-1]) - len(sequences)
    if any(sequence.weight is not None for sequence in sequences):
        weights = [np.ones(len(s.ids), np.uint8) if s.weight is None else s.weight for s in sequences]
        files[".wgt"] = np.concatenate(weights).astype(np.uint8)
        # The first token of a sequence is the target of none.
        n_learned = int(sum(int(weight[1:].sum()) for weight in weights))
    for suffix, array in files.items():
        write_bytes(stem.with_suffix(suffix), array.tobytes())
    entry = {
        "name": stem.name,
        "origin": origin,
        "tokenizer": tokenizer.fingerprint,
        "n_documents": len(sequences),
        "n_tokens": int(offsets[-1]),
        "n_learned": n_learned,
        "n_bytes": sum(sequence.n_bytes for sequence in sequences),
        "sha256": {stem.name + suffix: sha256(stem.with_suffix(suffix)) for suffix in files},
    }
    write_json(stem.with_suffix(".json"), entry)
    return entry


def finished_shard(out: Path, number: int, tokenizer: Tokenizer, origin: str) -> dict[str, Any] | None:
    """The entry of a whole shard made from ``origin`` with this tokenizer, else None."""
    path = out / f"shard-{number:05d}.json"
    try:
        entry = read_json(path)
        same = entry["origin"] == origin and entry["tokenizer"] == tokenizer.fingerprint
        whole = same and all(sha256(out / name) == digest for name, digest in entry["sha256"].items())
    except (FledgeError, OSError, KeyError, TypeError):
        return None
    return entry if whole else None


def write_index(out: Path, entries: Sequence[dict[str, Any]], tokenizer: Tokenizer) -> dict[str, Any]:
    """Write ``index.json`` and remove shards of an earlier, longer writing."""
    totals = ("n_documents", "n_tokens", "n_learned", "n_bytes")
    index = {
        "version": VERSION,
        "tokenizer": tokenizer.fingerprint,
        "vocab_size": tokenizer.vocab_size,
        "dtype": np.dtype(tokenizer.dtype).name,
        **{name: sum(entry[name] for entry in entries) for name in totals},
        "shards": list(entries),
    }
    kept = {entry["name"] for entry in entries}
    with told(out):
        for path in sorted(out.glob("shard-*")):
            if path.name.partition(".")[0] not in kept:
                path.unlink()
    write_json(out / "index.json", index)
    return index


class Shard:
    """One shard, memory-mapped: ``tokens`` (N,), ``offsets`` (D + 1,) int64, ``weights`` (N,) uint8 or None."""

    def __init__(self, directory: Path, entry: dict[str, Any], dtype: str, *, verify: bool) -> None:
        self.name: str = entry["name"]
        self.sha256: dict[str, str] = entry["sha256"]
        self.n_tokens: int = entry["n_tokens"]
        stem = directory / self.name
        if verify:
            for name, digest in self.sha256.items():
                path = directory / name
                if not path.is_file() or sha256(path) != digest:
                    raise FledgeError("is damaged: its checksum differs", where=str(path), fix=_AGAIN)
        little = np.dtype(dtype).newbyteorder("<")
        self.tokens = _mapped(stem.with_suffix(".bin"), little, self.n_tokens)
        self.offsets = np.asarray(_mapped(stem.with_suffix(".idx"), np.dtype("<i8"), entry["n_documents"] + 1))
        self.weights: np.ndarray | None = None
        if f"{self.name}.wgt" in self.sha256:
            self.weights = _mapped(stem.with_suffix(".wgt"), np.dtype(np.uint8), self.n_tokens)


def _mapped(path: Path, dtype: np.dtype, length: int) -> np.ndarray:
    size = path.stat().st_size if path.is_file() else -1
    if size != length * dtype.itemsize:
        state = "is missing" if size < 0 else f"has {size} bytes, {length * dtype.itemsize} were written"
        raise FledgeError(state, where=str(path), fix=_AGAIN)
    if length == 0:
        return np.zeros(0, dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=(length,))


class ShardSet:
    """The shards of one directory, in order."""

    def __init__(self, directory: Path, *, verify: bool = True) -> None:
        self.directory = directory
        index = read_json(directory / "index.json")
        try:
            if index["version"] != VERSION:
                raise FledgeError(f"has version {index['version']}", where=str(directory), fix=_AGAIN)
            self.tokenizer: str = index["tokenizer"]
            self.vocab_size: int = index["vocab_size"]
            self.n_tokens: int = index["n_tokens"]
            self.n_documents: int = index["n_documents"]
            self.n_learned: int = index["n_learned"]
            self.n_bytes: int = index["n_bytes"]
            self.dtype: str = index["dtype"]
            self.shards = [Shard(directory, entry, index["dtype"], verify=verify) for entry in index["shards"]]
        except (KeyError, TypeError):
            raise FledgeError("is no index of token shards", where=str(directory / "index.json"), fix=_AGAIN) from None

    @cached_property
    def _first(self) -> np.ndarray:
        return np.cumsum([0] + [len(shard.offsets) - 1 for shard in self.shards])

    def __len__(self) -> int:
        return self.n_documents

    def _find(self, number: int) -> tuple[Shard, slice]:
        if not 0 <= number < self.n_documents:
            raise IndexError(number)
        which = int(np.searchsorted(self._first, number, side="right")) - 1
        shard, at = self.shards[which], number - int(self._first[which])
        return shard, slice(int(shard.offsets[at]), int(shard.offsets[at + 1]))

    def document(self, number: int) -> np.ndarray:
        """Ids of document ``number``, 0 up to ``n_documents``."""
        shard, where = self._find(number)
        return np.asarray(shard.tokens[where])

    def weight(self, number: int) -> np.ndarray:
        """Weights of the tokens of document ``number``, uint8."""
        shard, where = self._find(number)
        if shard.weights is None:
            return np.ones(where.stop - where.start, np.uint8)
        return np.asarray(shard.weights[where])

    def fingerprint(self) -> str:
        """What the shards hold, as one string."""
        return ",".join(digest for shard in self.shards for _, digest in sorted(shard.sha256.items()))


def open_shards(directory: str | os.PathLike[str], *, verify: bool = True) -> ShardSet:
    """Open the shards of ``directory``; a damaged or missing file is named in a FledgeError.

    An address on a store (``s3://…``) is read through a copy on this disk. ``verify=False`` checks sizes only.
    """
    path = localised(str(directory)) if is_url(str(directory)) else Path(directory)
    if not (path / "index.json").is_file():
        raise FledgeError("holds no finished token shards", where=str(path), fix="run the tokens stage")
    return ShardSet(path, verify=verify)
