"""JSONL files read row by row; what is no JSON object is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fledge.types import FledgeError, Reject


def read_json_rows(path: Path, rejects: list[Reject]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object); other lines go to ``rejects``. Raises FledgeError where there is no such file."""
    try:
        file = open(path, "rb")
    except OSError as error:
        raise FledgeError("cannot be read", where=str(path), fix="check the path") from error
    with file:
        yield from parse_json_rows(file, path.name, rejects)


def parse_json_rows(file: IO[bytes], name: str, rejects: list[Reject]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The same for an open binary file that goes by ``name``."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            rejects.append(Reject(f"{name}:{number}", name, "JSON", str(error)))
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            rejects.append(Reject(f"{name}:{number}", name, "JSON", "not an object"))
