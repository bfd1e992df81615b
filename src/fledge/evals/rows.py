"""JSONL files read row by row; what is no JSON object is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fledge.run.files import encodable
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
        row, problem = _row(line)
        if problem:
            rejects.append(Reject(f"{name}:{number}", name, "JSON", problem))
        else:
            yield number, row


def _row(line: bytes) -> tuple[dict[str, Any], str]:
    """The object of a line, or why there is none; half a surrogate pair is no text that could be scored."""
    try:
        row = json.loads(line)
        whole = encodable(json.dumps(row, ensure_ascii=False))
    except ValueError as error:
        return {}, str(error)
    except RecursionError:
        return {}, "nested too deeply"
    if not isinstance(row, dict):
        return {}, "not an object"
    return (row, "") if whole else ({}, "half a surrogate pair")
