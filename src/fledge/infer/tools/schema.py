"""Types of Python as JSON schema, and a model's arguments checked against one."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union

from fledge.infer.tools.call import ToolError
from fledge.types import FledgeError

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
KEYWORDS = {
    "type", "enum", "items", "properties", "required", "additionalProperties", "description", "default", "title"
}  # fmt: skip
MAX_SHOWN = 60


def parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a function's arguments; FledgeError names the first that has no type to be told in it."""
    where = getattr(function, "__qualname__", repr(function))
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError) as error:
        raise FledgeError(f"its types cannot be read ({error})", where=where) from error
    properties: dict[str, Any] = {}
    required = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise FledgeError(f"a tool cannot take {parameter}", where=where, fix="give each argument a name")
        if name not in hints:
            raise FledgeError(f"the argument {name} has no type", where=where, fix=f"write {name}: str, or another")
        properties[name] = schema_of(hints[name], where=f"{where}, argument {name}")
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            properties[name] = {**properties[name], "default": parameter.default}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def schema_of(kind: Any, *, where: str) -> dict[str, Any]:
    """str, int, float, bool, Literal, list[…] and any of them with None."""
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal and all(type(value) in PLAIN for value in inside):
        kinds = list(dict.fromkeys(PLAIN[type(value)] for value in inside))
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(inside)}
    if origin is list:
        return {"type": "array", "items": schema_of(inside[0], where=where)}
    if origin in (Union, types.UnionType) and len(inside) == 2 and type(None) in inside:
        schema = schema_of(next(one for one in inside if one is not type(None)), where=where)
        known = schema["type"]
        schema["type"] = [*(known if isinstance(known, list) else [known]), "null"]
        return {**schema, "enum": [*schema["enum"], None]} if "enum" in schema else schema
    told = getattr(kind, "__name__", None) if origin is None else str(kind)
    raise FledgeError(
        f"the type {told or kind} cannot be told to a model",
        where=where,
        fix="use str, int, float, bool, Literal, list[...] or one of them with None",
    )


def supported(schema: Any, where: str) -> None:
    """FledgeError where ``schema`` asks for what :func:`checked` does not check."""
    if not isinstance(schema, Mapping):
        raise FledgeError("the schema is not an object", where=where)
    if unknown := sorted(set(schema) - KEYWORDS):
        raise FledgeError(f"the schema's {unknown[0]!r} is not known", where=where, fix="check it in the tool itself")
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in WORDS:
            raise FledgeError(f"the schema's type {kind!r} is not known", where=where)
    for name, inner in schema.get("properties", {}).items():
        supported(inner, f"{where}, argument {name}")
    if "items" in schema:
        supported(schema["items"], where)


def checked(value: Any, schema: Mapping[str, Any], at: str = "") -> Any:
    """``value`` as ``schema`` wants it, or ToolError; 3 becomes 3.0 where a number is wanted, 3.0 becomes 3."""
    if "enum" in schema:
        for choice in schema["enum"]:
            if type(choice) is type(value) and choice == value:
                return value
        raise ToolError(f"{at} must be one of {', '.join(map(_shown, schema['enum']))}, not {_shown(value)}")
    kinds = schema.get("type", list(WORDS))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    for kind in kinds:
        fits, coerced = _as(value, kind)
        if fits:
            value = coerced
            break
    else:
        raise ToolError(f"{at} must be {' or '.join(WORDS[kind] for kind in kinds)}, not {_shown(value)}")
    if isinstance(value, list) and "items" in schema:
        return [checked(item, schema["items"], f"{at}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and "properties" in schema:
        return _checked_object(value, schema, at)
    return value


def _checked_object(value: dict[str, Any], schema: Mapping[str, Any], at: str) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema["properties"]
    known = ", ".join(f"{name} ({kind_of(inner)})" for name, inner in properties.items()) or "none"
    of = f" of {at}" if at else ""
    if unknown := [name for name in value if name not in properties]:
        raise ToolError(f"there is no argument {_shown(unknown[0])}{of}; the arguments are: {known}")
    if missing := [name for name in schema.get("required", []) if name not in value]:
        raise ToolError(f'the argument "{missing[0]}"{of} is missing; the arguments are: {known}')
    return {name: checked(inner, properties[name], f'"{name}"') for name, inner in value.items()}


def _as(value: Any, kind: str) -> tuple[bool, Any]:
    """Whether ``value`` is of the JSON type ``kind``, and itself or what it becomes without loss."""
    if kind == "number" and type(value) is int:
        try:
            return float(value) == value, float(value)
        except OverflowError:
            return False, value
    if kind == "integer" and type(value) is float:
        return value.is_integer(), int(value) if value.is_integer() else value
    python = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict}
    return (value is None, None) if kind == "null" else (type(value) is python[kind], value)


def kind_of(schema: Any) -> str:
    """The type in a word or two: ``integer``, ``string/null``, ``list of string``; of an enumeration its values, of an
    object its arguments. What is none of these is ``any``.
    """
    if not isinstance(schema, Mapping):
        return "any"
    if isinstance(schema.get("enum"), list):
        return "/".join(_json(value) for value in schema["enum"])
    kinds = schema.get("type", "any")
    if kinds == "array" and "items" in schema:
        return f"list of {kind_of(schema['items'])}"
    if kinds == "object" and schema.get("properties"):
        return f"{{{arguments_of(schema)}}}"
    return "/".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds)


def arguments_of(schema: Mapping[str, Any]) -> str:
    """What an object holds: ``query: string, k: integer = 3``; ``k?`` where it may be left out without a default."""
    properties = schema.get("properties")
    required = schema.get("required")
    told = []
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        default = isinstance(inner, Mapping) and "default" in inner
        optional = not default and not (isinstance(required, list) and name in required)
        ending = f" = {_json(inner['default'])}" if default else ""
        told.append(f"{name}{'?' * optional}: {kind_of(inner)}{ending}")
    return ", ".join(told)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _shown(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
