"""From the messages and tools of a chat request to a conversation, as the renderer writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from fledge.infer.tools.tool import describe
from fledge.serve.chat_body import ChatMessage, Function, Tool, ToolCall
from fledge.serve.errors import ApiError
from fledge.types import Conversation, Message


def conversation(messages: Sequence[ChatMessage], tools: Sequence[str]) -> Conversation:
    """Raises ApiError, naming the message, for one that has no place where it stands."""
    told: list[Message] = []
    results: dict[str, str | None] = {}
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if results and message.role != "tool":
            told += _results(results, where)
        if message.role == "tool":
            key = message.tool_call_id
            if key is None or key not in results:
                raise ApiError(
                    400, f"no call of the message before has this id: {key!r}", param=f"{where}.tool_call_id"
                )
            results[key] = message.text
            continue
        _check(message, where)
        if message.role == "assistant":
            calls = message.tool_calls or []
            results = {call.id: None for call in calls}
            told.append(
                Message(
                    "assistant",
                    message.text,
                    message.reasoning_content or "",
                    tuple(_call_line(call, f"{where}.tool_calls.{i}") for i, call in enumerate(calls)),
                )
            )
        else:
            told.append(Message("user" if message.role == "user" else "system", message.text))
    return Conversation((*told, *_results(results, f"messages.{len(messages) - 1}")), tuple(tools))


def _results(results: dict[str, str | None], where: str) -> list[Message]:
    """The results of the calls of one message, in the order of the calls; all must be there."""
    told = []
    for key, text in results.items():
        if text is None:
            raise ApiError(400, f"the call {key!r} has no result: a message of role tool was expected", param=where)
        told.append(Message("tool", text))
    results.clear()
    return told


def _check(message: ChatMessage, where: str) -> None:
    if message.name is not None:
        raise ApiError(400, "name is not served here", param=f"{where}.name", code="unsupported_parameter")
    if message.tool_call_id is not None:
        raise ApiError(400, "tool_call_id is for messages of role tool", param=f"{where}.tool_call_id")
    if message.role != "assistant":
        if message.content is None:
            raise ApiError(400, "content is missing", param=f"{where}.content")
        for field in ("tool_calls", "reasoning_content"):
            if getattr(message, field):
                raise ApiError(400, f"{field} is for messages of role assistant", param=f"{where}.{field}")


def _call_line(call: ToolCall, where: str) -> str:
    try:
        arguments = from_json(call.function.arguments or "{}", allow_inf_nan=False)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ApiError(400, "arguments must be the JSON of an object", param=f"{where}.function.arguments")
    return json.dumps({"name": call.function.name, "arguments": arguments}, ensure_ascii=False)


def tool_lines(tools: Sequence[Tool]) -> list[str]:
    """What the model is shown of each tool."""
    return [describe(listed(tool.function)) for tool in tools]


def listed(function: Function) -> dict[str, Any]:
    parameters = function.parameters or {"type": "object", "properties": {}, "additionalProperties": False}
    return {"name": function.name, "description": function.description or "", "parameters": parameters}
