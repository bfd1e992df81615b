"""The names of Fledge's own splitters, transforms and filters, and how an entry of the settings is read."""

from __future__ import annotations

import difflib
import fnmatch
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fledge.run.modules import loading
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
    """One entry of ``split``, ``transforms`` or ``filters``, ready to call; ``label`` names it in the funnel."""

    label: str
    glob: str
    function: Callable[[str], Any]

    def fits(self, source: str) -> bool:
        """Whether the step holds for documents of ``source``."""
        return not self.glob or fnmatch.fnmatchcase(source, self.glob)


def split_entry(entry: str) -> tuple[str, str]:
    """``repair@*.html`` → (``repair``, ``*.html``); a pattern (``re:…``) keeps every ``@`` but the last."""
    name, at, glob = entry.rpartition("@")
    return (name, glob) if at else (entry, "")


def labels(entries: Sequence[str]) -> list[str]:
    """A name of its own for each entry: short where that is enough, with its glob or its number where it is not."""
    short = [split_entry(entry)[0] for entry in entries]
    names: list[str] = []
    for entry, name in zip(entries, short, strict=True):
        label = name if short.count(name) == 1 else entry
        names.append(label if label not in names else f"{label} ({names.count(label) + len(names)})")
    return names


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
    with loading(name, where=where):
        function: Any = getattr(importlib.import_module(module_name), function_name)
    if not callable(function):
        raise FledgeError(f"{name!r} is not a function", where=where)
    return function


def number_defaults(function: Callable[..., Any]) -> dict[str, int | float]:
    """The thresholds of a filter: its keyword-only arguments whose defaults are numbers."""
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY and isinstance(p.default, int | float)
    }


def bind_thresholds(
    functions: Mapping[str, Callable[..., Any]], thresholds: Mapping[str, float]
) -> dict[str, Callable[..., Any]]:
    """``functions`` with ``{"name.threshold": value}`` bound to their keyword-only arguments.

    Raises FledgeError for a threshold that no function has, or a value of the wrong kind.
    """
    bound = dict(functions)
    for key, value in thresholds.items():
        name, _, argument = key.rpartition(".")
        numbers = number_defaults(functions[name]) if name in functions else {}
        if argument not in numbers:
            known = [f"{each}.{number}" for each in functions for number in number_defaults(functions[each])]
            close = difflib.get_close_matches(key, known, n=1)
            fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"
            raise FledgeError(f"unknown threshold {key!r}", where="thresholds", fix=fix)
        if isinstance(numbers[argument], int):
            if value != int(value):
                raise FledgeError(f"{key} must be a whole number, got {value:g}", where="thresholds")
            value = int(value)
        bound[name] = functools.partial(bound[name], **{argument: value})
    return bound


def rules_table() -> str:
    """A Markdown table of Fledge's own steps: name, kind, thresholds with their defaults, and what each does."""
    rows = ["| name | kind | thresholds | what it does |", "|---|---|---|---|"]
    for kind, table in (("split", SPLITTERS), ("transform", TRANSFORMS), ("filter", FILTERS)):
        for name in table:
            function = load_function(name, table, where=kind)
            numbers = number_defaults(function) if kind == "filter" else {}
            thresholds = ", ".join(f"{each} {value:g}" for each, value in numbers.items())
            doc = inspect.getdoc(function) or ""
            summary = " ".join(doc.split("\n\n")[0].split()).replace("|", "\\|")
            rows.append(f"| `{name}` | {kind} | {thresholds} | {summary} |")
    return "\n".join(rows) + "\n"
