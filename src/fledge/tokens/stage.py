"""The tokenizer stage and the tokens stage: documents in, ``tokenizer.json`` and token shards out."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.run.events import EventLog
from fledge.run.files import read_json, sha256, told, write_text
from fledge.run.processes import map_in_processes
from fledge.run.progress import Progress
from fledge.text.shards import read_documents, shard_paths
from fledge.tokens.config import TokenizerConfig, TokensConfig
from fledge.tokens.decontaminate import RunIndex, build_index, load_index
from fledge.tokens.exclude import clean_documents
from fledge.tokens.facts import fertility, tokenizer_facts
from fledge.tokens.load import TOKENIZER_FILES
from fledge.tokens.sample import sample_texts
from fledge.tokens.sets import REST, Selection, count_documents, set_names
from fledge.tokens.shards import encode_documents, finished_shard, open_shards, write_index, write_shard
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError, Reject

EVALUATION, REJECTS = "evaluation", "rejects"
_FERTILITY_DOCUMENTS = 200
# Below this many bytes of parquet, starting processes takes longer than the work.
_PARALLEL_BYTES = 8_000_000


def take_tokenizer(source: Path, out: Path) -> dict[str, Any]:
    """Copy the files of a tokenizer into ``out``; returns what is told of it. Raises FledgeError where it is none.

    ``source`` is a directory with a ``tokenizer.json``, or such a file under any name.
    """
    main = source / TOKENIZER_FILES[0] if source.is_dir() else source
    folder = main.parent
    tokenizer = Tokenizer.load(main)
    _ = tokenizer.eos
    if main.suffix != ".json" or "model" not in read_json(main):
        raise FledgeError("is no tokenizer.json", where=str(source), fix="give a directory that `fledge import` wrote")
    write_text(out / TOKENIZER_FILES[0], main.read_text(encoding="utf-8"))
    for name in TOKENIZER_FILES[1:]:
        if (folder / name).is_file():
            write_text(out / name, (folder / name).read_text(encoding="utf-8"))
    return {"vocab_size": tokenizer.vocab_size, "taken_from": str(source)}


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
    """Tokenise ``train/`` and ``heldout/`` of every source into ``out/train/<set>`` and ``out/heldout/<set>``.

    A set is a source, or what one key of the mixture matches of the text. One token shard for each shard of documents
    with some of the set; those that a cut-off run finished are kept. Documents that share text with
    ``config.decontaminate`` are left out of training and named in ``out/rejects/<set>``, apart from the shards, so
    that these stay as they are where an evaluation text more finds nothing; the index is kept in ``out/evaluation``.
    """
    index = None
    if config.decontaminate:
        index = build_index([Path(path) for path in config.decontaminate], config.ngram, config.shortest)
    _keep_index(index, out)
    notes = list(index.notes) if index is not None else []
    units = list(_units(config, tokenizer, sources, out, index, notes))
    n_bytes = sum(unit.n_bytes for unit in units)
    workers = min(config.workers or os.cpu_count() or 1, len(units))
    results: dict[tuple[str, str], list[dict[str, Any]]] = {}
    workers = workers if n_bytes > _PARALLEL_BYTES else 1
    with Progress("tokens", n_bytes, "B") as progress:
        for unit, entry in zip(units, map_in_processes(workers, _tokenise, units), strict=True):
            results.setdefault((unit.split, unit.name), []).append(entry)
            progress.update(unit.n_bytes)
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
    names = set_names(config.mixture)
    for key in config.matched if config.patterns else ():
        if key != "world":
            name, made = names[key], summary["train"][names[key]]
            what = "the rest of the text" if key == REST else f'text that matches "{key}"'
            notes.append(f"{name}, {what}: {made['n_documents']} documents, {made['n_tokens']} tokens")
    for note in notes:
        events.write("note", text=note)
    summary["notes"] = notes
    events.write("tokens", **summary)
    return summary


def _keep_index(index: RunIndex | None, out: Path) -> None:
    """Write the index beside the shards; what was set aside by another one does not count as done."""
    try:
        before = load_index(out / EVALUATION)
    except FledgeError:
        before = None
    with told(out):
        if index is None or before is None or before.fingerprint != index.fingerprint:
            for name in (REJECTS, EVALUATION):
                shutil.rmtree(out / name, ignore_errors=True)
    if index is not None:
        index.save(out / EVALUATION)


@dataclass(frozen=True)
class _Unit:
    """What is to be tokenised of one shard of documents, with all that a fresh process needs."""

    split: str
    name: str
    number: int
    source: Path
    n_bytes: int
    out: Path
    tokenizer: Tokenizer
    selection: Selection | None
    index: RunIndex | None
    rejects: Path
    contaminated: str

    def origin(self) -> str:
        """All that the shard is made from, the tokenizer apart."""
        parts = [sha256(self.source)]
        if self.selection is not None:
            parts.append(self.selection.fingerprint)
        if self.index is not None and self.rejects.stat().st_size:
            parts += [self.contaminated, sha256(self.rejects)]
        return " ".join(parts)


def _units(
    config: TokensConfig,
    tokenizer: Tokenizer,
    sources: Mapping[str, Path],
    out: Path,
    index: RunIndex | None,
    notes: list[str],
) -> Iterator[_Unit]:
    for source, directory in sorted(sources.items()):
        if not (directory / "train").is_dir():
            raise FledgeError("has no train/ with documents", where=str(directory), fix="run the stage before")
        for split in ("train", "heldout"):
            if not (directory / split).is_dir() or not any((directory / split).glob("*.parquet")):
                continue
            paths = shard_paths(directory / split)
            whole: list[tuple[Path, float]] = [(path, 1.0) for path in paths]
            parts: dict[tuple[str, Selection | None], list[tuple[Path, float]]] = {(source, None): whole}
            if split == "train" and source == REST and config.patterns:
                parts = _parts(config, paths, notes)
            for (name, selection), chosen in parts.items():
                target = out / split / name
                with told(target):
                    target.mkdir(parents=True, exist_ok=True)
                    (target / "index.json").unlink(missing_ok=True)
                for number, (path, share) in enumerate(chosen):
                    yield _Unit(
                        split,
                        name,
                        number,
                        path,
                        round(path.stat().st_size * share),
                        target,
                        tokenizer,
                        selection,
                        index if split == "train" else None,
                        out / REJECTS / name / f"shard-{number:05d}.jsonl",
                        config.contaminated,
                    )


def _parts(
    config: TokensConfig, paths: list[Path], notes: list[str]
) -> dict[tuple[str, Selection | None], list[tuple[Path, float]]]:
    """For each set of the text the shards that hold documents of it, and which share of their documents these are."""
    keys = [*config.patterns, *([REST] if REST in config.mixture else [])]
    counts = count_documents(paths, config.patterns, keys)
    unused = sum(count[REST] for count in counts) if REST not in keys else 0
    if unused:
        notes.append(
            f'{unused} documents match no pattern of the mixture and are left out; "text" in it stands for them'
        )
    names = set_names(config.mixture)
    return {
        (names[key], Selection(key, config.patterns)): [
            (path, count[key] / count.total()) for path, count in zip(paths, counts, strict=True) if count[key]
        ]
        for key in keys
    }


def _tokenise(unit: _Unit) -> dict[str, Any]:
    """Tokenise one unit, or find it done; returns the shard's entry with counts of contaminated documents."""
    done = None
    if unit.index is None or unit.rejects.is_file():
        done = finished_shard(unit.out, unit.number, unit.tokenizer, unit.origin())
    if done is None:
        rejects: list[Reject] = []
        documents = read_documents([unit.source])
        if unit.selection is not None:
            documents = unit.selection.of(documents)
        if unit.index is not None:
            documents = clean_documents(documents, unit.index, unit.contaminated == "passage", rejects)
        sequences = list(encode_documents(documents, unit.tokenizer))
        rows = [json.dumps({"id": r.id, "file": r.reason, "text": r.text, "rule": r.rule}) + "\n" for r in rejects]
        if unit.index is not None:
            write_text(unit.rejects, "".join(rows))
        done = write_shard(unit.out, unit.number, sequences, unit.tokenizer, unit.origin())
    contaminated: Counter[str] = Counter()
    if unit.index is not None:
        with open(unit.rejects, encoding="utf-8") as file:
            contaminated.update(json.loads(line)["file"] for line in file)
    return {**done, "contaminated": dict(contaminated)}


def _train(directory: Path) -> Path:
    return directory / "train" if (directory / "train").is_dir() else directory
