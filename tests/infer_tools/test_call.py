from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.tools.call import ToolCall, ToolError, parse_call
from fledge.infer.tools.named import named
from fledge.infer.tools.schema import checked, parameters_of
from fledge.infer.tools.tool import Limits, Tool, describe, openai, tool
from fledge.types import FledgeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def everything(
    text: str,
    whole: int,
    number: float,
    yes: bool,
    unit: Literal["C", "F"],
    items: list[int],
    maybe: str | None = None,
    level: Literal[1, 2] | None = None,
    k: int = 3,
) -> str:
    """Take one of each.

    This is for people.
    """
    return text


SCHEMA = parameters_of(everything)
GOOD: dict[str, Any] = {"text": "a", "whole": 1, "number": 1.5, "yes": True, "unit": "C", "items": [1, 2]}


@settings(deadline=None)
@given(st.text(min_size=1), st.dictionaries(st.text(), JSON, max_size=4))
def test_calls_come_back_as_they_were_written(name: str, arguments: dict[str, Any]) -> None:
    call = ToolCall(name, arguments)
    assert parse_call(call.text()) == call


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "text": st.text(),
            "whole": st.integers(),
            "number": st.floats(allow_nan=False, allow_infinity=False),
            "yes": st.booleans(),
            "unit": st.sampled_from(["C", "F"]),
            "items": st.lists(st.integers(), max_size=4),
        },
        optional={"maybe": st.none() | st.text(), "level": st.sampled_from([1, 2, None]), "k": st.integers()},
    )
)
def test_what_a_description_allows_is_taken(arguments: dict[str, Any]) -> None:
    described = openai(tool(everything))["function"]
    call = parse_call(ToolCall(described["name"], arguments).text())
    assert checked(call.arguments, described["parameters"]) == arguments


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not valid JSON"),
        ("calculator", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"name": 3}', 'no "name"'),
        ("{}", 'no "name"'),
        ('{"name": "x", "arguments": []}', '"arguments" is not a JSON object'),
        ('{"name": "x", "args": {}}', "the key 'args'"),
        ('{"name": "x", "name": "y"}', "stands twice"),
        ('{"name": "x", "arguments": {"a": NaN}}', "NaN is no number"),
        ('{"name": "x", "arguments": {"a": ' + "9" * 5000 + "}}", "not valid JSON"),
        ('{"name": "x", "arguments": ' + "[" * 50_000 + "}", "not valid JSON"),
        ('{"name": "x"}' + " " * 200_000, "too long"),
    ],
)
def test_malformed_calls_are_told(text: str, told: str) -> None:
    with pytest.raises(ToolError) as caught:
        parse_call(text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"text": None}, '"text" must be a string, not null'),
        ({"text": 3}, '"text" must be a string, not 3'),
        ({"whole": 1.5}, '"whole" must be a whole number, not 1.5'),
        ({"whole": True}, '"whole" must be a whole number, not true'),
        ({"whole": "1"}, '"whole" must be a whole number, not "1"'),
        ({"number": "x" * 90}, '"number" must be a number, not "xxx'),
        ({"number": 2**53 + 1}, '"number" must be a number'),
        ({"number": 10**400}, '"number" must be a number'),
        ({"yes": 1}, '"yes" must be true or false, not 1'),
        ({"unit": "K"}, '"unit" must be one of "C", "F", not "K"'),
        ({"level": True}, '"level" must be one of 1, 2, null, not true'),
        ({"items": "1"}, '"items" must be a list, not "1"'),
        ({"items": [1, "a"]}, '"items"[1] must be a whole number, not "a"'),
        ({"maybe": 1}, '"maybe" must be a string or null, not 1'),
        ({"other": 1}, 'there is no argument "other"; the arguments are: text (string), whole (integer)'),
    ],
)
def test_wrong_arguments_are_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ToolError) as caught:
        checked({**GOOD, **given}, SCHEMA)
    assert told in str(caught.value)


def test_a_missing_argument_is_told() -> None:
    with pytest.raises(ToolError, match='the argument "text" is missing; the arguments are: text'):
        checked({}, SCHEMA)


def test_numbers_become_the_other_kind_where_nothing_is_lost() -> None:
    got = checked({**GOOD, "whole": 3.0, "number": 3}, SCHEMA)
    assert (got["whole"], type(got["whole"])) == (3, int)
    assert (got["number"], type(got["number"])) == (3.0, float)


def test_the_schema_of_a_function() -> None:
    assert SCHEMA["required"] == ["text", "whole", "number", "yes", "unit", "items"]
    assert SCHEMA["properties"]["unit"] == {"type": "string", "enum": ["C", "F"]}
    assert SCHEMA["properties"]["items"] == {"type": "array", "items": {"type": "integer"}}
    assert SCHEMA["properties"]["maybe"] == {"type": ["string", "null"], "default": None}
    assert SCHEMA["properties"]["k"] == {"type": "integer", "default": 3}
    made = tool(everything)
    assert made.description == "Take one of each."
    assert openai(made)["type"] == "function" and openai(made)["function"]["name"] == "everything"
    assert describe(openai(made)["function"]) == (
        'everything(text: string, whole: integer, number: number, yes: boolean, unit: "C"/"F", items: list of integer, '
        "maybe: string/null = null, level: 1/2/null = null, k: integer = 3): Take one of each."
    )
    assert openai(made)["function"]["parameters"] == SCHEMA


def no_types(x) -> str:  # type: ignore[no-untyped-def]
    """A."""
    return ""


def odd_type(x: dict[str, int]) -> str:
    """A."""
    return ""


def many(*x: int) -> str:
    """A."""
    return ""


def silent(x: int) -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (no_types, "the argument x has no type"),
        (odd_type, "argument x: the type dict[str, int] cannot be told to a model"),
        (many, "a tool cannot take *x"),
        (silent, "has no docstring"),
        (lambda: 0, "has no docstring"),
    ],
)
def test_functions_that_are_no_tools_are_refused(function: Any, told: str) -> None:
    with pytest.raises(FledgeError) as caught:
        tool(function)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_refusals() -> None:
    def inner(x: int) -> int:
        """A."""
        return x

    with pytest.raises(FledgeError, match="cannot import it by name"):
        tool(inner)
    assert tool(isolated=False)(inner)(x=3) == 3
    with pytest.raises(FledgeError, match="'minimum' is not known"):
        Tool(
            "x", "X.", {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}, inner, isolated=False
        )
    with pytest.raises(FledgeError, match="is no name"):
        tool(isolated=False, name="a b")(inner)
    with pytest.raises(FledgeError, match="some time"):
        Limits(seconds=0)
    for name in ("nothing", "no_such_module:f", "json:nothing", "/no/such.py:f", "json:__doc__"):
        with pytest.raises(FledgeError):
            named(name)


def test_built_in_tools_have_names() -> None:
    assert [named(name).name for name in ("calculator", "python")] == ["calculator", "python"]
