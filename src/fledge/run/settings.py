"""Settings: frozen dataclasses read from TOML and flags, with errors that name file, line and what was expected."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from fledge.run.files import encodable
from fledge.run.setting_types import dataclass_of, expected, has_default, shown, without_none
from fledge.types import FledgeError

T = TypeVar("T")
Path_ = tuple[str, ...]


def setting(default: Any, help: str, choices: Sequence[Any] | None = None, *, affects_result: bool = True) -> Any:
    """A dataclass field with its help. ``affects_result=False``: changing it never re-runs a stage."""
    metadata: dict[str, Any] = {"help": help, "affects_result": affects_result}
    if choices is not None:
        metadata["choices"] = tuple(choices)
    if isinstance(default, (dict, list)):
        kept = dict(default) if isinstance(default, dict) else tuple(default)
        return field(default_factory=lambda: dict(kept) if isinstance(kept, dict) else kept, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Words:
    """The words that followed one flag; they take the setting's type when they are read."""

    words: tuple[str, ...]
    flag: str


@dataclass(frozen=True)
class Origin:
    """Where settings were read: the file and the line of each dotted key in it."""

    file: str = ""
    lines: Mapping[Path_, int] = field(default_factory=dict)

    def where(self, path: Path_) -> str:
        """``recipes/demo.toml, line 12, pretrain.depth``."""
        name = ".".join(path)
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.file}, line {self.lines[path[:length]]}, {name}"
        return ", ".join(part for part in (self.file, name) if part)


class _Mismatch(Exception):
    """A value that does not fit its type."""


def load(cls: type[T], data: Mapping[str, Any], origin: Origin | None = None, path: Path_ = ()) -> T:
    """Build the dataclass ``cls`` from parsed TOML, in which flags may have left :class:`Words`.

    Raises FledgeError for an unknown key, a missing one, a wrong type, or what the dataclass itself refuses.
    """
    origin = origin or Origin()
    hints = typing.get_type_hints(cls)
    fields = {item.name: item for item in dataclasses.fields(cls) if item.init}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in data.items():
        here = (*path, key)
        if key not in fields:
            raise unknown_key(key, list(fields), where=_where(value, origin, here), table=path)
        values[key] = _load_value(hints[key], value, fields[key].metadata, origin, here)
    for name, item in fields.items():
        if name not in values and not has_default(item):
            raise FledgeError(
                f"{name} is missing", where=origin.where(path), fix=f"give {name} = {_example(hints[name])}"
            )
    try:
        return cls(**values)
    except FledgeError as error:
        if error.where and error.where.split(".")[0] in fields:
            here = (*path, *error.where.split("."))
            raise FledgeError(
                error.what, where=_where(_at(data, here[len(path) :]), origin, here), fix=error.fix
            ) from error
        raise


def _load_value(kind: Any, value: Any, metadata: Mapping[str, Any], origin: Origin, path: Path_) -> Any:
    nested = dataclass_of(kind)
    if nested is not None and isinstance(value, Mapping):
        return load(nested, value, origin, path)
    if isinstance(value, Mapping) and typing.get_origin(without_none(kind)) is dict:
        item = typing.get_args(without_none(kind))[1]
        return {str(key): _load_value(item, each, metadata, origin, (*path, str(key))) for key, each in value.items()}
    where = _where(value, origin, path)
    try:
        result = _coerce(kind, value)
    except _Mismatch:
        raise FledgeError(f"expected {expected(kind)}, got {_given(value)}", where=where) from None
    choices = metadata.get("choices")
    for each in result if isinstance(result, tuple) else (result,):
        if isinstance(each, str) and ("\0" in each or not encodable(each)):
            raise FledgeError(f"holds what no file can: {each!a}", where=where, fix="rename it, or write it otherwise")
        if choices and each is not None and each not in choices:
            close = _close(str(each), [str(choice) for choice in choices])
            hint = f"did you mean {close}?" if close else ""
            raise FledgeError(f"expected one of {', '.join(map(str, choices))}, got {each}", where=where, fix=hint)
    return result


def _coerce(kind: Any, value: Any) -> Any:
    """``value`` (from TOML or :class:`Words`) as ``kind``; raises _Mismatch."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if (value is None or _word(value) == "none") and type(None) in typing.get_args(kind):
            return None
        for each in typing.get_args(kind):
            try:
                return _coerce(each, value)
            except _Mismatch:
                continue
        raise _Mismatch
    if origin is tuple:
        return _coerce_tuple(typing.get_args(kind), value)
    if isinstance(value, Words):
        if len(value.words) != 1:
            raise _Mismatch
        value = _from_word(kind, value.words[0])
    if origin is Literal:
        for choice in typing.get_args(kind):
            if value == choice and type(value) is type(choice):
                return choice
        raise _Mismatch
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind in (int, bool, str) and type(value) is kind:
        return value
    if kind is Any:
        return value
    raise _Mismatch


def _coerce_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if isinstance(value, Words):
        items: list[Any] = [Words((word,), value.flag) for word in value.words]
    elif isinstance(value, (list, tuple)):
        items = list(value)
    else:
        raise _Mismatch
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_coerce(kinds[0], item) for item in items)
    if len(items) != len(kinds):
        raise _Mismatch
    return tuple(_coerce(kind, item) for kind, item in zip(kinds, items, strict=True))


def _from_word(kind: Any, word: str) -> Any:
    if typing.get_origin(kind) is Literal:
        return next((choice for choice in typing.get_args(kind) if str(choice) == word), word)
    if kind is bool:
        named = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
        if word.lower() not in named:
            raise _Mismatch
        return named[word.lower()]
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            raise _Mismatch from None
    return word


def unknown_key(key: str, known: Sequence[str], *, where: str, table: Path_ = ()) -> FledgeError:
    """The error for a key that no setting has, with the nearest one that exists."""
    close = _close(key, known)
    fix = f"did you mean {close}?" if close else f"known are {', '.join(known)}"
    return FledgeError(f"unknown key {key}" + (f" in [{'.'.join(table)}]" if table else ""), where=where, fix=fix)


def dump(config: Any, *, results_only: bool = False) -> dict[str, Any]:
    """A dataclass as plain dicts and lists; ``results_only`` leaves out what does not affect results."""
    plain: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        if item.init and (item.metadata.get("affects_result", True) or not results_only):
            plain[item.name] = _plain(getattr(config, item.name), results_only)
    return plain


def _plain(value: Any, results_only: bool) -> Any:
    if dataclasses.is_dataclass(value):
        return dump(value, results_only=results_only)
    if isinstance(value, dict):
        return {key: _plain(item, results_only) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, results_only) for item in value]
    return value


def settings_hash(config: Any) -> str:
    """Hex sha256 of every setting that affects results; the same on every machine and Python."""
    text = json.dumps(dump(config, results_only=True), sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _word(value: Any) -> Any:
    return value.words[0] if isinstance(value, Words) and len(value.words) == 1 else value


def _at(data: Any, path: Path_) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _where(value: Any, origin: Origin, path: Path_) -> str:
    return value.flag if isinstance(value, Words) else origin.where(path)


def _close(word: str, known: Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def _example(kind: Any) -> str:
    return {int: "1", float: "0.1", bool: "true", str: '"…"'}.get(without_none(kind), "…")


def _given(value: Any) -> str:
    if isinstance(value, Words):
        return " ".join(value.words) or "nothing"
    return shown(value)
