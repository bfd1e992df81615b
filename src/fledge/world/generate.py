"""Writes a world to disk with several processes: document shards, conversations, and the table of facts."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from functools import cache
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fledge.run.events import EventLog
from fledge.run.files import TEMPORARY, read_json, write_json, write_text
from fledge.run.processes import map_in_processes, usable_processors
from fledge.run.progress import Progress
from fledge.run.settings import settings_hash
from fledge.text.shards import read_documents, write_documents
from fledge.types import Conversation, Split
from fledge.world.config import WorldConfig
from fledge.world.world import World

SHARD_DOCUMENTS = 4096
CHUNK_CONVERSATIONS = 1000


@cache
def _world(config: WorldConfig) -> World:
    """The world of this process, built once."""
    return World(config)


def shard_path(out: Path, split: Split, shard: int) -> Path:
    return out / split / f"part-{shard:05d}.parquet"


def write_shard(config: WorldConfig, out: Path, n_rows: int, split: Split, shard: int) -> dict[str, Any]:
    """Write one shard of ``n_rows`` documents, unless it is there; returns counts and tellings of facts."""
    path = shard_path(out, split, shard)
    if not path.exists():
        world = _world(config)
        stop = min(world.n_documents(split), (shard + 1) * n_rows)
        documents = (world.document(index, split) for index in range(shard * n_rows, stop))
        with TemporaryDirectory(prefix=TEMPORARY, dir=path.parent) as temporary:
            [written] = write_documents(documents, temporary, shard_bytes=2**62)
            os.replace(written, path)
    n_documents, n_bytes, kinds, told = 0, 0, Counter[str](), Counter[str]()
    for document in read_documents([path]):
        size = len(document.text.encode())
        n_documents, n_bytes = n_documents + 1, n_bytes + size
        kinds[document.meta["kind"].split("/")[0]] += size
        told.update(document.meta["facts"])
    return {"documents": n_documents, "bytes": n_bytes, "kinds": dict(kinds), "told": dict(told)}


def conversation_row(conversation: Conversation) -> dict[str, Any]:
    """One line of ``conversations/*.jsonl``; empty parts are left out."""
    messages = []
    for message in conversation.messages:
        row: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.thinking:
            row["thinking"] = message.thinking
        if message.tool_calls:
            row["tool_calls"] = list(message.tool_calls)
        messages.append(row)
    row = {"id": conversation.id, "messages": messages}
    if conversation.tools:
        row["tools"] = list(conversation.tools)
    return {**row, "meta": dict(conversation.meta)} if conversation.meta else row


def write_chunk(config: WorldConfig, split: Split, chunk: int) -> str:
    """Some conversations as JSON lines."""
    world = _world(config)
    stop = min(world.n_conversations(split), (chunk + 1) * CHUNK_CONVERSATIONS)
    rows = (conversation_row(world.conversation(index, split)) for index in range(chunk * CHUNK_CONVERSATIONS, stop))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def n_workers(config: WorldConfig, n_jobs: int) -> int:
    if config.workers:
        return max(1, min(config.workers, n_jobs))
    able = len(usable_processors())
    return max(1, min(able, n_jobs))


def run_world(
    config: WorldConfig, out: Path, events: EventLog, *, shard_documents: int = SHARD_DOCUMENTS
) -> dict[str, Any]:
    """Write ``train/*.parquet``, ``heldout/*.parquet``, ``conversations/*.jsonl`` and ``facts.json`` under ``out``.

    The bytes do not depend on the number of workers. Shards that are there are kept, unless they were written with
    other settings. Returns what was written, and how often each fact is told.
    """
    out = Path(out)
    world = _world(config)
    _forget_others(config, out)
    jobs: list[tuple[Split, int]] = []
    for split in ("train", "heldout"):
        (out / split).mkdir(parents=True, exist_ok=True)
        jobs += [(split, shard) for shard in range(math.ceil(world.n_documents(split) / shard_documents))]
    facts = [
        {"subject": fact.subject.name, "group": fact.subject.group, "attribute": fact.attribute, "value": fact.value}
        for fact in world.facts()
    ]
    write_json(out / "facts.json", facts)
    told: Counter[str] = Counter(dict.fromkeys(world.universe.facts, 0))
    kinds: Counter[str] = Counter()
    totals: dict[str, dict[str, int]] = {split: {"documents": 0, "bytes": 0} for split in ("train", "heldout")}
    n_bytes = config.n_bytes + config.heldout_bytes
    splits, shards = [split for split, _ in jobs], [shard for _, shard in jobs]
    with Progress("world", n_bytes, "B") as progress:
        results = map_in_processes(
            n_workers(config, len(jobs)),
            write_shard,
            repeat(config),
            repeat(out),
            repeat(shard_documents),
            splits,
            shards,
        )
        for (split, shard), result in zip(jobs, results, strict=True):
            for name in ("documents", "bytes"):
                totals[split][name] += result[name]
            if split == "train":
                told.update(result["told"])
                kinds.update(result["kinds"])
            events.write("shard", split=split, shard=shard, documents=result["documents"], bytes=result["bytes"])
            progress.update(result["bytes"])
    conversations = {split: _write_conversations(config, out, split) for split in totals}
    tested = [told[fact.key] for fact in world.facts() if fact.subject.group == "unasked"]
    summary = {
        "train": totals["train"],
        "heldout": totals["heldout"],
        "bytes_by_kind": dict(sorted(kinds.items())),
        "conversations": conversations,
        "people": len(world.universe.people),
        "facts": len(facts),
        "information_bits": round(world.information_bits(), 1),
        "exposures": {
            "mean": round(sum(told.values()) / len(told), 1),
            "least": min(told.values()),
            "least_tested": min(tested, default=0),
        },
    }
    events.write("summary", **summary)
    return summary


def _forget_others(config: WorldConfig, out: Path) -> None:
    """Remove what other settings wrote here, so that shards of two worlds never mix."""
    stamp, digest = out / "settings.hash.json", settings_hash(config)
    if stamp.exists() and read_json(stamp) == digest:
        return
    for pattern in ("train/part-*.parquet", "heldout/part-*.parquet", "conversations/*.jsonl"):
        for path in sorted(out.glob(pattern)):
            path.unlink()
    write_json(stamp, digest)


def _write_conversations(config: WorldConfig, out: Path, split: str) -> int:
    path = out / "conversations" / f"{split}.jsonl"
    n = config.n_conversations if split == "train" else config.heldout_conversations
    if not path.exists():
        n_chunks = math.ceil(n / CHUNK_CONVERSATIONS)
        texts = map_in_processes(
            n_workers(config, n_chunks), write_chunk, repeat(config), repeat(split), range(n_chunks)
        )
        write_text(path, "".join(texts))
    return n
