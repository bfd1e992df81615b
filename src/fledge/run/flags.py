"""Settings given as flags (``--pretrain.depth 6``): they win over the file and take the same types."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from fledge.run.setting_types import dataclass_of, default_of, expected, has_default, without_none
from fledge.run.settings import Path_, Words
from fledge.types import FledgeError


def parse_flags(
    cls: type, words: Sequence[str], *, inside: str = "", own: Sequence[str] = ()
) -> tuple[list[str], dict[Path_, Words]]:
    """Split command-line words into plain words and settings of ``cls``.

    A list takes every word up to the next flag (``--files=`` takes none), anything else takes one; a switch alone
    means on. ``inside``
    names a table whose settings may be given without its name; ``own`` are the command's other flags, to suggest.
    Raises FledgeError for an unknown flag.
    """
    kinds = leaf_types(cls)
    plain: list[str] = []
    found: dict[Path_, Words] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            plain.append(word)
            continue
        flag, equals, value = word.partition("=")
        path, kind = _setting_of(flag, kinds, inside, own)
        many = _takes_many(kind)
        taken = [value] if equals and (value or not many) else []
        while not equals and rest and not rest[0].startswith("--") and (many or not taken):
            taken.append(rest.pop(0))
        if not taken and without_none(kind) is bool:
            taken = ["on"]
        if not taken and not many:
            raise FledgeError(f"needs a value: {expected(kind)}", where=flag)
        before = found[path].words if many and path in found else ()
        found[path] = Words((*before, *taken), flag)
    return plain, found


def merge_flags(cls: type, data: Mapping[str, Any], found: Mapping[Path_, Words]) -> dict[str, Any]:
    """``data`` with the flags laid over it; a flag for one key of a free table keeps the table's other keys."""
    merged = dict(data)
    for path, words in found.items():
        merged = _with(cls, merged, path, words)
    return merged


def _with(kind: Any, data: Mapping[str, Any], path: Path_, words: Words) -> dict[str, Any]:
    key, rest = path[0], path[1:]
    if not rest:
        return {**data, key: words}
    item = next(item for item in dataclasses.fields(kind) if item.name == key)
    inner = without_none(typing.get_type_hints(kind)[key])
    if dataclass_of(inner):
        below = data.get(key, {})
        return {**data, key: _with(inner, below if isinstance(below, Mapping) else {}, rest, words)}
    default = default_of(item) if has_default(item) else {}
    return {**data, key: {**(data.get(key, default) or {}), rest[0]: words}}


def leaf_types(cls: type, prefix: str = "") -> dict[str, Any]:
    """Dotted names of all settings below ``cls`` and their types."""
    kinds: dict[str, Any] = {}
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        nested = dataclass_of(hints[item.name])
        name = prefix + item.name
        kinds |= leaf_types(nested, name + ".") if nested else {name: hints[item.name]}
    return kinds


def _setting_of(flag: str, kinds: Mapping[str, Any], inside: str, own: Sequence[str]) -> tuple[Path_, Any]:
    given = flag[2:].replace("-", "_")
    for name in (given, f"{inside}.{given}"):
        if name in kinds and typing.get_origin(without_none(kinds[name])) is not dict:
            return tuple(name.split(".")), kinds[name]
        for table, kind in kinds.items():
            if typing.get_origin(without_none(kind)) is dict and name.startswith(table + "."):
                # keys of a free table are the user's own words: hyphens and dots in them stay
                key = flag[2:][len(given) - len(name) + len(table) + 1 :]
                return (*table.split("."), key), typing.get_args(without_none(kind))[1]
    raise FledgeError("unknown flag", where=flag, fix=_nearest(given, kinds, inside, own))


def _nearest(given: str, kinds: Mapping[str, Any], inside: str, own: Sequence[str]) -> str:
    if given in kinds or f"{inside}.{given}" in kinds:
        return f"it is a table: give one of its keys, --{given}.KEY VALUE"
    same_end = [name for name in kinds if name.rsplit(".", 1)[-1] == given.rsplit(".", 1)[-1]]
    short = {name.removeprefix(f"{inside}."): name for name in kinds}
    close = same_end[:1] or difflib.get_close_matches(given, [*own, *short], n=1, cutoff=0.6)
    return f"did you mean --{close[0]}?" if close else "see --help for the settings"


def _takes_many(kind: Any) -> bool:
    args = typing.get_args(kind)
    return typing.get_origin(kind) is tuple or any(typing.get_origin(arg) is tuple for arg in args)
