"""The tokenizer stage and the tokens stage: documents in, ``tokenizer.json`` and token shards out."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fledge.run.events import EventLog
from fledge.run.files import sha256, told, write_text
from fledge.run.processes import map_in_processes
from fledge.run.progress import Progress
from fledge.text.shards import read_documents, shard_paths
from fledge.tokens.config import TokenizerConfig, TokensConfig
from fledge.tokens.decontaminate import RunIndex, build_index
from fledge.tokens.facts import fertility, tokenizer_facts
from fledge.tokens.sample import sample_texts
from fledge.tokens.shards import encode_documents, finished_shard, open_shards, write_index, write_shard
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Document, FledgeError, Reject

_BATCH_DOCUMENTS = 512
_FERTILITY_DOCUMENTS = 200
# Below this many bytes of parquet, starting processes takes longer than the work.
_PARALLEL_BYTES = 8_000_000


def train_tokenizer(
    config: TokenizerConfig,
    document_dirs: Mapping[str, Path],
    out: Path,
    events: EventLog,
    *,
    model_max_length: int | None = None,
) -> dict[str, Any]:
    """Train on the documents of each directory (or of its ``train/``) and write the tokenizer into ``out``.

    Returns what was made; ``notes`` tells where the vocabulary came out smaller than wanted.
    """
    paths = [path for _, directory in sorted(document_dirs.items()) for path in shard_paths(_train(directory))]
    texts = list(sample_texts(paths, config.sample_bytes))
    if not texts:
        raise FledgeError("no documents to train a tokenizer on", fix="see the funnel of the text stage")
    began = time.monotonic()
    tokenizer = Tokenizer.train(texts, config.vocab_size)
    seconds = time.monotonic() - began
    tokenizer.save(out, model_max_length=model_max_length)
    notes = []
    if tokenizer.vocab_size < config.vocab_size:
        notes.append(
            f"the text has no more pairs to merge: the vocabulary holds {tokenizer.vocab_size} tokens, "
            f"{config.vocab_size} were wanted"
        )
    summary = {
        "vocab_size": tokenizer.vocab_size,
        "sample_documents": len(texts),
        "sample_bytes": sum(len(text.encode("utf-8")) for text in texts),
        "fertility": round(fertility(tokenizer, texts[:_FERTILITY_DOCUMENTS]), 4),
        "seconds": round(seconds, 2),
        "notes": notes,
    }
    events.write("tokenizer", **summary)
    return summary


def build_shards(
    config: TokensConfig, tokenizer: Tokenizer, sources: Mapping[str, Path], out: Path, events: EventLog
) -> dict[str, Any]:
    """Tokenise ``train/`` and ``heldout/`` of every source into ``out/train/<name>`` and ``out/heldout/<name>``.

    One token shard for each shard of documents; those that a cut-off run finished are kept. Documents that share
    text with ``config.decontaminate`` are left out of training and named in ``rejects.jsonl`` of their shard.
    """
    index = build_index([Path(path) for path in config.decontaminate], config.ngram) if config.decontaminate else None
    if index is not None:
        for note in index.notes:
            events.write("note", text=note)
    units = list(_units(config, tokenizer, sources, out, index))
    n_bytes = sum(unit.source.stat().st_size for unit in units)
    workers = min(config.workers or os.cpu_count() or 1, len(units))
    results: dict[tuple[str, str], list[dict[str, Any]]] = {}
    workers = workers if n_bytes > _PARALLEL_BYTES else 1
    with Progress("tokens", n_bytes, "B") as progress:
        for unit, entry in zip(units, map_in_processes(workers, _tokenise, units), strict=True):
            results.setdefault((unit.split, unit.name), []).append(entry)
            progress.update(unit.source.stat().st_size)
            events.write("shard", split=unit.split, source=unit.name, shard=entry["name"], n_tokens=entry["n_tokens"])
    summary: dict[str, Any] = {"train": {}, "heldout": {}}
    for (split, name), entries in results.items():
        made = write_index(out / split / name, entries, tokenizer)
        summary[split][name] = {key: value for key, value in made.items() if key.startswith("n_")}
    contaminated: Counter[str] = Counter()
    for entries in results.values():
        for entry in entries:
            contaminated.update(entry["contaminated"])
    shards = {name: open_shards(out / "train" / name, verify=False) for name in summary["train"]}
    summary["facts"] = tokenizer_facts(tokenizer, shards)
    summary["contaminated"] = dict(sorted(contaminated.items()))
    summary["notes"] = list(index.notes) if index is not None else []
    events.write("tokens", **summary)
    return summary


@dataclass(frozen=True)
class _Unit:
    """One shard of documents to be tokenised, with all that a fresh process needs."""

    split: str
    name: str
    number: int
    source: Path
    out: Path
    tokenizer: Tokenizer
    index: RunIndex | None
    contaminated: str


def _units(
    config: TokensConfig, tokenizer: Tokenizer, sources: Mapping[str, Path], out: Path, index: RunIndex | None
) -> Iterator[_Unit]:
    for name, directory in sorted(sources.items()):
        if not (directory / "train").is_dir():
            raise FledgeError("has no train/ with documents", where=str(directory), fix="run the stage before")
        for split in ("train", "heldout"):
            if not (directory / split).is_dir() or not any((directory / split).glob("*.parquet")):
                continue
            target, used = out / split / name, index if split == "train" else None
            with told(target):
                target.mkdir(parents=True, exist_ok=True)
                (target / "index.json").unlink(missing_ok=True)
            for number, path in enumerate(shard_paths(directory / split)):
                yield _Unit(split, name, number, path, target, tokenizer, used, config.contaminated)


def _tokenise(unit: _Unit) -> dict[str, Any]:
    """Tokenise one unit, or find it done; returns the shard's entry with counts of contaminated documents."""
    origin = " ".join(
        [sha256(unit.source), *([unit.index.fingerprint, unit.contaminated] if unit.index is not None else [])]
    )
    done = finished_shard(unit.out, unit.number, unit.tokenizer, origin)
    rejects_path = unit.out / f"shard-{unit.number:05d}.rejects.jsonl"
    if done is None:
        rejects: list[Reject] = []
        documents = read_documents([unit.source])
        if unit.index is not None:
            documents = _decontaminated(documents, unit.index, unit.contaminated == "passage", rejects)
        sequences = list(encode_documents(documents, unit.tokenizer))
        rows = [json.dumps({"id": r.id, "file": r.reason, "text": r.text, "rule": r.rule}) + "\n" for r in rejects]
        if unit.index is not None:
            write_text(rejects_path, "".join(rows))
        done = write_shard(unit.out, unit.number, sequences, unit.tokenizer, origin)
    contaminated: Counter[str] = Counter()
    if unit.index is not None:
        with open(rejects_path, encoding="utf-8") as file:
            contaminated.update(json.loads(line)["file"] for line in file)
    return {**done, "contaminated": dict(contaminated)}


def _decontaminated(
    documents: Iterator[Document], index: RunIndex, only_passage: bool, rejects: list[Reject]
) -> Iterator[Document]:
    """Pass on what shares nothing with the evaluation texts; the rest goes to ``rejects``."""
    while batch := list(islice(documents, _BATCH_DOCUMENTS)):
        hits = {hit.document: hit for hit in index.hits([document.text for document in batch])}
        for number, document in enumerate(batch):
            if number not in hits:
                yield document
                continue
            rule = "contaminated passage" if only_passage else "contaminated"
            n_bytes = len(document.text.encode("utf-8"))
            rejects.append(Reject(document.id, document.source, rule, hits[number].file, document.text[:2000], n_bytes))
            for part, text in enumerate(index.without_passages(document.text) if only_passage else []):
                yield Document(f"{document.id}#{part}", text, document.source, document.meta)


def _train(directory: Path) -> Path:
    return directory / "train" if (directory / "train").is_dir() else directory
