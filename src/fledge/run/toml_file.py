"""TOML files: read with the line of every key, and written from plain values."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fledge.run.files import of_system
from fledge.run.settings import Origin
from fledge.types import FledgeError

_GAP = re.compile(r"(?:\s+|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_VALUE_PART = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"{3,5}|'''.*?'{3,5}"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*|[\[{]|[\]}]|\n|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(path: Path) -> tuple[dict[str, Any], Origin]:
    """The parsed file, and where each of its keys stands. Raises FledgeError with file and line."""
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except FileNotFoundError as error:
        raise FledgeError("is not there", where=str(path), fix="check the path") from error
    except OSError as error:
        raise of_system(error, str(path)) from error
    except UnicodeDecodeError as error:
        raise FledgeError(f"is not UTF-8 (byte {error.start})", where=str(path), fix="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at (?:line (\d+), column \d+|(end of document))\)$", str(error))
        what, line = (found[1], found[2]) if found else (str(error), None)
        where = f"{path}, line {line}" if line else f"{path}, end of file" if found else str(path)
        raise FledgeError(f"is not valid TOML: {what}", where=where) from error
    except (ValueError, RecursionError) as error:
        raise FledgeError(f"is not valid TOML: {error}", where=str(path), fix="shorten what is there") from error
    return data, Origin(str(path), key_lines(text))


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line, from 1, of each table and key of a valid TOML text; keys of inline tables have their table's."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    at = 0
    while True:
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]
        if at >= len(text):
            return lines
        line = text.count("\n", 0, at) + 1
        if text[at] == "[":
            path, at = _key(text, at + 1 + text.startswith("[[", at))
            table = path
            at = _end_of_value(text, text.index("]", at))
        else:
            key, at = _key(text, at)
            path = (*table, *key)
            at = _end_of_value(text, at)
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], line)


def _key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    parts = []
    while found := _KEY_PART.match(text, at):
        part, at = found[1], found.end()
        parts.append(tomllib.loads(f"key = {part}")["key"] if part[0] in "\"'" else part)
        if at >= len(text) or text[at] != ".":
            break
        at += 1
    return tuple(parts), at


def _end_of_value(text: str, at: int) -> int:
    depth = 0
    while found := _VALUE_PART.match(text, at):
        at = found.end()
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if found[0] == "\n" and depth <= 0:
            break
    return at


def to_toml(data: Mapping[str, Any]) -> str:
    """Plain values as TOML text that :func:`read_toml` reads to the same; keys that are None are left out."""
    return "\n".join(_table(data, ())).lstrip("\n") + "\n"


def _table(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    written = [f"{_bare(key)} = {_value(item)}" for key, item in data.items() if not _left_out(item)]
    for key, item in data.items():
        if isinstance(item, Mapping):
            here = (*path, key)
            written += ["", f"[{'.'.join(map(_bare, here))}]", *_table(item, here)]
    return written


def _left_out(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _bare(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)
