"""The text stage: sources → chunks → workers → duplicates → shards and funnel. Killed anywhere, it goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fledge.run.events import EventLog
from fledge.run.files import read_json, remove_leftovers, told, write_json
from fledge.run.progress import Progress
from fledge.run.settings import settings_hash
from fledge.text.chunks import cut_chunks
from fledge.text.clean import load_steps, step_names
from fledge.text.config import TextConfig
from fledge.text.finish import Candidates, choose_heldout, find_duplicates, write_outputs
from fledge.text.funnel import Funnel, check_funnel
from fledge.text.pool import run_chunks
from fledge.text.shards import read_rows, shard_paths
from fledge.text.sources.records import RawRecord, Unit
from fledge.types import FledgeError, Reject

FORMAT = 2


Reader = Callable[[Unit], Iterator[RawRecord | Reject]]


def run_text(config: TextConfig, out: Path, events: EventLog) -> dict[str, Any]:
    """Read ``config.sources`` and write ``train/``, ``heldout/``, ``rejects/`` and ``funnel.json`` into ``out``.

    Returns what ``funnel.json`` holds. The bytes written depend neither on the number of workers nor on how often the
    run was killed: finished chunks wait in ``out/work`` and are not done again. Raises FledgeError where the settings
    name what cannot be loaded, where the disk refuses, and where nothing is left.
    """
    from fledge.text.sources.read import read_unit
    from fledge.text.sources.units import list_units

    load_steps(config)
    downloads = Path(out) / "downloads"
    units = list_units(config.sources, config.source, cache=downloads)
    summary = run_units(config, units, lambda unit: read_unit(unit, config.source), Path(out), events)
    shutil.rmtree(downloads, ignore_errors=True)
    return summary


def run_units(config: TextConfig, units: Sequence[Unit], read: Reader, out: Path, events: EventLog) -> dict[str, Any]:
    """:func:`run_text` on units that are listed already, with ``read`` to get at their records."""
    fingerprint = _fingerprint(config, units)
    if (out / "funnel.json").exists():
        summary = read_json(out / "funnel.json")
        if summary.get("fingerprint") == fingerprint:
            remove_leftovers(out)
            return summary
    work = out / "work"
    _open_work(work, out, fingerprint)
    funnel, per_chunk = _run_all(config, units, read, work, events)
    began = time.monotonic()
    candidates = Candidates.of(work, per_chunk)
    duplicates = find_duplicates(candidates, config)
    heldout = choose_heldout(candidates, duplicates, config)
    sizes = write_outputs(candidates, duplicates, heldout, funnel, out, shard_bytes=config.shard_bytes)
    if candidates.n_documents == 0:
        raise _nothing_left(funnel, out)
    rows = funnel.plain()
    check_funnel(rows)
    summary = {"fingerprint": fingerprint, **sizes, "downloads": _downloads(units), "funnel": rows}
    write_json(out / "funnel.json", summary)
    del duplicates
    shutil.rmtree(work, ignore_errors=True)
    events.write("text_done", seconds=round(time.monotonic() - began, 3), **sizes)
    return summary


def _fingerprint(config: TextConfig, units: Sequence[Unit]) -> str:
    """Settings and units: where it differs, no finished chunk can be used."""
    listed = [(unit.id, unit.n_bytes, unit.url) for unit in units]
    cuts = (FORMAT, settings_hash(config), config.chunk_bytes, config.chunk_records)
    return hashlib.sha256(json.dumps([cuts, listed]).encode()).hexdigest()


def _downloads(units: Sequence[Unit]) -> dict[str, dict[str, Any]]:
    """What was read from elsewhere: the sha256 of each URL, the commit of each data set."""
    found: dict[str, dict[str, Any]] = {}
    for unit in units:
        if unit.sha256:
            found[unit.source] = {"sha256": unit.sha256, "bytes": unit.n_bytes, "url": unit.url}
        elif unit.remote:
            endpoint, _, revision, _ = unit.remote
            entry = found.setdefault(unit.source, {"revision": revision, "files": 0, "bytes": 0, "endpoint": endpoint})
            entry["files"] += 1
            entry["bytes"] += unit.n_bytes
    return found


def _open_work(work: Path, out: Path, fingerprint: str) -> None:
    """Keep the finished chunks of the same run; anything else starts from nothing."""
    remove_leftovers(out)
    state = work / "state.json"
    (out / "funnel.json").unlink(missing_ok=True)
    if state.exists() and read_json(state) == {"fingerprint": fingerprint}:
        return
    with told(work):
        if work.exists():
            shutil.rmtree(work)
    write_json(state, {"fingerprint": fingerprint})


def _run_all(
    config: TextConfig, units: Sequence[Unit], read: Reader, work: Path, events: EventLog
) -> tuple[Funnel, list[int]]:
    """Run every chunk; the funnel so far, and the documents of each chunk in order."""
    funnel = Funnel(step_names(config))
    per_chunk: dict[int, int] = {}
    workers = config.workers or os.cpu_count() or 1
    chunks = cut_chunks(
        units,
        read,
        work,
        chunk_bytes=config.chunk_bytes,
        chunk_records=config.chunk_records,
    )
    with Progress("text", sum(map(_expected_megabytes, units)), "MB") as progress:
        for summary in run_chunks(chunks, config, work, workers=workers):
            per_chunk[summary["index"]] = summary["documents"]
            funnel.add(summary["funnel"])
            progress.update(summary["n_bytes"] / 1e6, kept=sum(per_chunk.values()))
            progress.total = max(progress.total or 0, progress.done)
            events.write("chunk", **{name: summary[name] for name in ("index", "n_bytes", "documents", "rejects")})
        progress.total = progress.done
    return funnel, [per_chunk[index] for index in sorted(per_chunk)]


def _expected_megabytes(unit: Unit) -> float:
    """Raw size of a unit as far as it can be told before it is read: packed text grows about threefold."""
    return unit.n_bytes * (3 if unit.codec or unit.format in ("zip", "tar") else 1) / 1e6


def _nothing_left(funnel: Funnel, out: Path) -> FledgeError:
    rules = ", ".join(funnel.top_rules())
    if not rules:
        return FledgeError("the sources hold no document", where="sources", fix="check what they name")
    first = next(iter(read_rows(shard_paths(out / "rejects"), ["id", "reason"])))
    placed = first["reason"].startswith(first["id"].replace("#", ":"))
    told = first["reason"] if placed else f"{first['id']}: {first['reason']}"
    return FledgeError(
        f"no document is left; most fell to {rules}, such as {told}",
        where="text",
        fix=f"see all with fledge inspect {out / 'rejects'}",
    )
