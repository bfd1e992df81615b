"""What a model writes to call a tool: JSON, ``{"name": "calculator", "arguments": {"expression": "2*3"}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

LONGEST_CALL = 100_000  # characters
FORM = '{"name": "...", "arguments": {...}}'


class ToolError(Exception):
    """A fault that the model is told of, in one line. ``output`` is what the tool had to say before it."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


@dataclass(frozen=True)
class ToolCall:
    """A call that was read but not yet checked: ``arguments`` are JSON values by name."""

    name: str
    arguments: Mapping[str, Any]

    def text(self) -> str:
        """The line that :func:`parse_call` reads."""
        return json.dumps({"name": self.name, "arguments": dict(self.arguments)}, ensure_ascii=False)


def parse_call(text: str) -> ToolCall:
    """Read a call; ToolError says what is wrong with it. A call without ``arguments`` has none."""
    if len(text) > LONGEST_CALL:
        raise ToolError(f"the call is too long: {len(text)} characters, at most {LONGEST_CALL}")
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        told = f"{error.msg}, at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise ToolError(f"the call is not valid JSON ({told}); write {FORM}") from error
    if not isinstance(value, dict):
        raise ToolError(f"the call is not a JSON object; write {FORM}")
    if unknown := sorted(set(value) - {"name", "arguments"}):
        raise ToolError(f"the call has the key {unknown[0]!r}; write {FORM}")
    name, arguments = value.get("name"), value.get("arguments", {})
    if not isinstance(name, str) or not name:
        raise ToolError(f'the call has no "name"; write {FORM}')
    if not isinstance(arguments, dict):
        raise ToolError(f'"arguments" is not a JSON object; write {FORM}')
    return ToolCall(name, arguments)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
