"""Two runs side by side: one row for each thing measured, columns for each run, a dash where one lacks it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count, zip_longest
from typing import Any, TypeVar

from fledge.stages.figures import Rows, baseline, marked, measures, percent
from fledge.stages.page import Table

DASH = "–"
Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Figure = tuple[float | None, float | None]
"""A figure and its standard error."""


def merged(orders: Sequence[Sequence[Key]]) -> list[Key]:
    """Every key once; one that only a later sequence has stands after its predecessor there."""
    found: list[Key] = []
    for order in orders:
        at = 0
        for key in order:
            if key in found:
                at = found.index(key) + 1
            else:
                found.insert(at, key)
                at += 1
    return found


def _by_key(items: Sequence[Item], key: Callable[[Item], Key]) -> dict[tuple[Key, int], Item]:
    """``items`` by their keys; of those that share one the first, the second and so on, each by its own number."""
    found: dict[tuple[Key, int], Item] = {}
    for item in items:
        number = next(n for n in count() if (key(item), n) not in found)
        found[key(item), number] = item
    return found


def side_by_side(names: Sequence[str], header: Sequence[str], tables: Sequence[Sequence[Sequence[str]]]) -> Table:
    """``tables``, one a run, have the columns of ``header``; rows are the same where their first cells are."""
    by_key = [_by_key(table, lambda row: row[0]) for table in tables]
    columns = [", ".join(part for part in (column, name) if part) for name in names for column in header[1:]]
    absent = (DASH,) * len(header)
    rows = [
        (key[0], *(cell for table in by_key for cell in table.get(key, absent)[1:]))
        for key in merged([list(table) for table in by_key])
    ]
    return Table((header[0], *columns), tuple(rows))


def compare_tasks(names: tuple[str, str], results: Sequence[Mapping[str, Any]]) -> Table:
    """Shares of both runs and the second's minus the first's, in points."""
    by_key = [_by_key(measures(result), lambda each: (each.task, each.outcome)) for result in results]
    rows = []
    for key in merged([list(found) for found in by_key]):
        first, second = (found.get(key) for found in by_key)
        present = [each for each in (first, second) if each is not None]
        row = [max((each.label for each in present), key=len)]
        for each in (first, second):
            row += [percent(each.mean), percent(each.stderr), _prompts(each.n, each.excluded)] if each else [DASH] * 3
        chances = dict.fromkeys(percent(each.chance) for each in present if each.chance is not None)
        row.append(" / ".join(chances))
        a, b = ((each.mean, each.stderr) if each else (None, None) for each in (first, second))
        rows.append((*row, *_difference(a, b, 100, 1)))
    groups = [f"{column}, {name}" for name in names for column in ("right", "±", "prompts")]
    return Table(("task", *groups, "chance", f"{names[1]} − {names[0]}, points", "±"), tuple(rows))


def compare_bits(names: tuple[str, str], results: Sequence[Mapping[str, Any]]) -> Table:
    """Bits per byte of both runs and the second's minus the first's."""
    by_name = [_by_key(result.get("bits_per_byte", ()), lambda text: str(text["name"])) for result in results]
    rows = []
    for name in merged([list(found) for found in by_name]):
        row = [max((marked(name[0], found[name]) for found in by_name if name in found), key=len)]
        figures: list[Figure] = []
        for found in by_name:
            text = found.get(name)
            bits, error = (text["bits_per_byte"], text["stderr"]) if text else (None, None)
            row += [DASH if value is None else f"{value:.4f}" for value in (bits, error)]
            row.append(baseline(text) if text else DASH)
            figures.append((bits, error))
        rows.append((*row, *_difference(figures[0], figures[1], 1, 4)))
    groups = [f"{column}, {name}" for name in names for column in ("bits per byte", "±", "n-gram baseline")]
    return Table(("held-out text", *groups, f"{names[1]} − {names[0]}", "±"), tuple(rows))


def _prompts(n: int, excluded: int | None) -> str:
    return f"{n} + {excluded} not scored" if excluded else str(n)


def _difference(a: Figure, b: Figure, scale: float, digits: int) -> tuple[str, str]:
    """``b`` minus ``a`` and its standard error, the two taken as independent."""
    if a[0] is None or b[0] is None:
        return DASH, DASH
    told = f"{scale * (b[0] - a[0]):+.{digits}f}".replace("-", "−")
    return told, DASH if a[1] is None or b[1] is None else f"{scale * math.hypot(a[1], b[1]):.{digits}f}"


def interleaved(runs: Sequence[Sequence[Item]]) -> list[Item]:
    """The first item of each run, then the second of each, and so on; no item is None."""
    return [each for row in zip_longest(*runs) for each in row if each is not None]


def settings_rows(recipe: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every setting of a parsed recipe as (``pretrain.depth``, value)."""
    rows: list[tuple[str, str]] = []
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            rows += settings_rows(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, str(value)))
    return rows


def differing(table: Table) -> Rows:
    """The rows whose cells are not all the same."""
    return tuple(row for row in table.rows if len(set(row[1:])) > 1)
