"""Types of settings in words: what a setting expects, how tables name it, what its default is."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal


def expected(kind: Any) -> str:
    """A type in words: ``a whole number``."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if arg is type(None) else expected(arg) for arg in args)
    if origin is Literal:
        return ("one of " if len(args) > 1 else "") + ", ".join(map(str, args))
    if origin is tuple:
        if args[1:] == (Ellipsis,):
            return f"a list (of each {expected(args[0])})"
        return f"a list of {len(args)} ({', '.join(map(expected, args))})"
    if origin is dict:
        return f"a table of name = {expected(args[1])}"
    named = {int: "a whole number", float: "a number", bool: "true or false (as a flag: on or off)", str: "text"}
    return named.get(kind, "a table of settings")


def type_name(kind: Any) -> str:
    """A type as it is written in tables: ``tuple[str, ...]`` → ``list of str``."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_name(arg) for arg in args)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin is tuple:
        return f"list of {type_name(args[0])}"
    if origin is dict:
        return f"table of {type_name(args[1])}"
    return "none" if kind is type(None) else getattr(kind, "__name__", str(kind))


def default_of(item: dataclasses.Field[Any]) -> Any:
    """A field's default value."""
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


def has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING


def without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def dataclass_of(kind: Any) -> type | None:
    kind = without_none(kind)
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def shown(value: Any) -> str:
    """A value as messages and tables show it."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "a table" if len(value) > 4 else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(value, ensure_ascii=False, default=str)
