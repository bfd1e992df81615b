"""``events.jsonl``: one JSON object a line, append-only, with a schema version; the truth of a stage."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fledge.run.files import encodable, told, write_text

SCHEMA_VERSION = 1


class EventLog:
    """Appends events to ``path``; each has ``kind``, ``time`` (Unix seconds) and what the caller gives."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists() or self.path.stat().st_size == 0
            cut_off = not fresh and _last_byte(self.path) != b"\n"
            self._file = open(self.path, "a", encoding="utf-8", newline="\n")
            if cut_off:  # the half event of a killed process stays a line of its own
                self._file.write("\n")
        if fresh:
            self.write("schema", version=SCHEMA_VERSION)

    def write(self, kind: str, **fields: Any) -> None:
        """Append one event and hand it to the operating system. Non-finite floats are written as null."""
        event = {"kind": kind, "time": round(time.time(), 3), **fields}
        try:
            line = json.dumps(event, ensure_ascii=False, allow_nan=False)
        except ValueError:
            line = json.dumps(_finite(event), ensure_ascii=False)
        line = line if encodable(line) else json.dumps(_finite(event))
        with told(self.path):
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        with told(self.path):  # what a full disk refused is tried once more
            self._file.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _last_byte(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def read_events(path: str | os.PathLike[str], kind: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield events in order; a last line that a kill cut short is passed over."""
    try:
        file = open(path, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            if not line.endswith("\n"):
                return
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and (kind is None or event.get("kind") == kind):
                yield event


def cut_events_after(path: str | os.PathLike[str], step: int) -> None:
    """Drop every event whose ``step`` lies beyond ``step``, as a resumed stage does; those without a step stay."""
    kept = [event for event in read_events(path) if "step" not in event or event["step"] <= step]
    write_text(path, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept))
