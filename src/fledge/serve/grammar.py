"""What a reply may be, as a grammar of llguidance: valid calls of the tools that are offered, JSON of a schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llguidance import LLMatcher

from fledge.infer.constraints import JSON_STYLE
from fledge.infer.request import Constraint
from fledge.serve.chat_body import ChatBody, NamedTool, ResponseFormat
from fledge.serve.errors import ApiError
from fledge.tokens.tokenizer import Tokenizer

CALL_MARKS = ("<|tool_call|>", "<|/tool_call|>")
THOUGHT = "thought: <|think|> TEXT <|/think|>"
TEXT = "TEXT: /(.|\\n)*/"


def reply_constraint(
    tokenizer: Tokenizer, body: ChatBody, tools: Sequence[dict[str, Any]], schema_chars: int
) -> Constraint | None:
    """The constraint of a reply that may call ``tools`` (``name``, ``parameters``), or None where it is free.

    A reply may begin with thinking where it may be any text, and not where only JSON or a call may come: a model that
    wants neither could think for ever.

    Raises ApiError where the fields of ``body`` do not fit each other.
    """
    answer = _answer(body.response_format, schema_chars)
    choice = body.tool_choice or "auto"
    if isinstance(choice, NamedTool):
        name = choice.function.name
        tools = [tool for tool in tools if tool["name"] == name]
        if not tools:
            raise ApiError(400, f"there is no tool {name!r} to choose", param="tool_choice")
    elif choice == "required" and not tools:
        raise ApiError(400, "there are no tools to choose from", param="tool_choice")
    if choice == "none" or not tools:
        return None if answer is None else Constraint("grammar", f"start: {answer}")
    calls = "call" if isinstance(choice, NamedTool) or body.parallel_tool_calls is False else "call+"
    rules = [f"start: {calls}"]
    if choice == "auto" and answer is None:
        thinks = "<|think|>" in tokenizer.special
        rules = [f"start: {'thought? ' if thinks else ''}TEXT ({calls})?", *([THOUGHT] if thinks else []), TEXT]
    elif choice == "auto":
        rules = [f"start: answer | {calls}", f"answer: {answer}"]
    opening, closing = CALL_MARKS
    rules.append(f"call: {opening} ({' | '.join(f'call_{i}' for i in range(len(tools)))}) {closing}")
    for i, tool in enumerate(tools):
        beginning = json.dumps(f'{{"name": {json.dumps(tool["name"])}, "arguments": ')
        rules += [f'call_{i}: {beginning} arguments_{i} "}}"', f"arguments_{i}: {_arguments(tool, schema_chars)}"]
    return Constraint("grammar", "\n".join(rules))


def _answer(wanted: ResponseFormat | None, schema_chars: int) -> str | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return _json({"type": "object"}, "response_format", schema_chars)
    if wanted.json_schema is None:
        raise ApiError(400, "json_schema is missing", param="response_format.json_schema")
    return _json(wanted.json_schema.schema_, "response_format.json_schema.schema", schema_chars)


def _arguments(tool: dict[str, Any], schema_chars: int) -> str:
    parameters = tool["parameters"]
    if parameters.get("type") != "object":
        raise ApiError(400, f"the parameters of {tool['name']} must be a schema of type object", param="tools")
    return _json(parameters, "tools", schema_chars)


def _json(schema: dict[str, Any], param: str, schema_chars: int) -> str:
    """The schema as a rule, in which what ``JSON_STYLE`` says holds whatever the client wrote."""
    try:
        text = json.dumps({**schema, "x-guidance": JSON_STYLE}, allow_nan=False)
    except ValueError:
        raise ApiError(400, "the schema holds a number that JSON has not", param=param) from None
    if len(text) > schema_chars:
        raise ApiError(400, f"the schema has {len(text)} characters, at most {schema_chars}", param=param)
    if fault := LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(text)):
        reason = " ".join(fault.removeprefix("at <>: ").split())[:300]
        raise ApiError(400, f"the schema cannot be met: {reason}", param=param)
    return f"%json {text}"
