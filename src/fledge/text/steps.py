"""The names of Fledge's own splitters, transforms and filters, and how an entry of the settings is read."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fledge.types import FledgeError

_FILTERS = "fledge.text.filters."
SPLITTERS = {name: f"fledge.text.split:{name}" for name in ("endoftext", "blank_lines", "lines")}
TRANSFORMS = {
    "repair": _FILTERS + "repair:repair",
    "gutenberg": _FILTERS + "gutenberg:gutenberg",
    "schools_wikipedia": _FILTERS + "schools_wikipedia:schools_wikipedia",
    "unwrap": _FILTERS + "unwrap:unwrap",
}
FILTERS = {name: f"{_FILTERS}{name}:{name}" for name in ("length", "gopher_quality", "gopher_repetition", "language")}


@dataclass(frozen=True)
class Step:
    """One entry of ``split``, ``transforms`` or ``filters``, ready to call on a text."""

    name: str
    glob: str
    function: Callable[[str], Any]

    def fits(self, source: str) -> bool:
        """Whether the step holds for documents of ``source``."""
        return not self.glob or fnmatch.fnmatchcase(source, self.glob)


def split_entry(entry: str) -> tuple[str, str]:
    """``repair@*.html`` → (``repair``, ``*.html``); a pattern (``re:…``) keeps every ``@`` but the last."""
    name, at, glob = entry.rpartition("@")
    return (name, glob) if at else (entry, "")


def check_name(entry: str, table: Mapping[str, str], *, where: str) -> None:
    """Raise FledgeError for a name that is neither in ``table`` nor a ``module:function``, or a bad pattern."""
    name = split_entry(entry)[0]
    if name.startswith("re:"):
        try:
            re.compile(name[3:])
        except re.error as error:
            raise FledgeError(f"{name!r} is not a regular expression ({error})", where=where) from error
        if table is SPLITTERS:
            return
    if name not in table and not re.fullmatch(r"[\w.]+:\w+", name):
        close = difflib.get_close_matches(name, table, n=1)
        fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(table)}, or give module:function"
        raise FledgeError(f"unknown name {name!r}", where=where, fix=fix)


def load_function(name: str, table: Mapping[str, str], *, where: str) -> Callable[..., Any]:
    """The function that ``name`` stands for. Raises FledgeError where it cannot be imported."""
    module_name, _, function_name = table.get(name, name).partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise FledgeError(
            f"cannot load {name!r} ({error})", where=where, fix="check the module and its path"
        ) from error
    if not callable(function):
        raise FledgeError(f"{name!r} is not a function", where=where)
    return function


def keyword_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The keyword-only arguments of a filter with their defaults: its thresholds."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
