"""``/v1/chat/completions``: the assistant's next turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body, Depends
from starlette.responses import JSONResponse, Response

from fledge.infer.prompts import prompt_ids, reply_limits
from fledge.infer.request import Constraint, GenerateRequest, Token
from fledge.infer.tools.tool import describe
from fledge.serve.chat_body import ChatBody
from fledge.serve.conversation import conversation, listed
from fledge.serve.errors import ApiError, refused
from fledge.serve.grammar import CALL_MARKS, reply_constraint
from fledge.serve.logprobs import chat_logprobs
from fledge.serve.reply import Delta, Reply
from fledge.serve.served import Served, served_by
from fledge.serve.sse import EventStream, merged
from fledge.serve.usage import Usage
from fledge.types import FledgeError


@dataclass(frozen=True, eq=False)
class Asked:
    """A request that was checked."""

    served: Served
    body: ChatBody
    requests: list[GenerateRequest]
    own_tools: frozenset[str]
    later: Constraint | None

    def replies(self) -> list[Reply]:
        return [Reply(self.served, i, request, self.own_tools, self.later) for i, request in enumerate(self.requests)]

    def logprobs(self, tokens: list[Token]) -> dict[str, Any] | None:
        if not self.body.logprobs:
            return None
        return chat_logprobs(self.served, self.body.logprobs_mode or "raw", self.body.top_logprobs or 0, tokens)


def check(served: Served, body: ChatBody) -> Asked:
    """Raises ApiError, naming the field, for what cannot be done."""
    served.check_model(body.model)
    if served.kind != "chat":
        raise ApiError(
            400, "this is a base model: it has no assistant, and continues texts at /v1/completions", param="model"
        )
    n = body.n or 1
    max_tokens = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    served.check_fields(body, 1, max_tokens)
    limits = served.config.limits
    if body.top_logprobs is not None and not body.logprobs:
        raise ApiError(400, "top_logprobs needs logprobs: true", param="top_logprobs")
    if (body.top_logprobs or 0) > limits.top_logprobs:
        raise ApiError(400, f"at most {limits.top_logprobs} are told", param="top_logprobs")
    served.check_text(sum(len(message.text) for message in body.messages), "messages")
    tools, own = offered(served, body)
    constraint = reply_constraint(served.tokenizer, body, tools, limits.schema_chars)
    later = constraint
    if own and body.tool_choice not in (None, "auto", "none"):
        free = body.model_copy(update={"tool_choice": "auto"})
        later = reply_constraint(served.tokenizer, free, tools, limits.schema_chars)
    talk = conversation(body.messages, [describe(tool) for tool in tools])
    try:
        ids = prompt_ids(served.tokenizer, talk)
        stop_ids, forbidden = reply_limits(served.tokenizer, talk)
    except FledgeError as error:
        raise refused(error, "messages") from None
    served.check_prompt(ids, "messages")
    if not tools or body.tool_choice == "none":
        special = served.tokenizer.special
        forbidden += tuple(special[mark] for mark in CALL_MARKS if mark in special)
    requests = [
        served.request(
            body,
            ids,
            choice,
            max_tokens=max_tokens,
            stop_ids=stop_ids,
            forbidden_ids=forbidden,
            top_logprobs=body.top_logprobs or 0,
            constraint=constraint,
        )
        for choice in range(n)
    ]
    return Asked(served, body, requests, own, later)


def offered(served: Served, body: ChatBody) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """The tools that the model is shown, and the names of those that the server runs."""
    tools = [listed(tool.function) for tool in body.tools or ()]
    names = [tool["name"] for tool in tools]
    if len(names) > served.config.limits.tools:
        raise ApiError(400, f"at most {served.config.limits.tools} tools are taken", param="tools")
    if len(set(names)) < len(names):
        raise ApiError(400, "two tools have the same name", param="tools")
    speaks = all(mark in served.tokenizer.special for mark in CALL_MARKS)
    if tools and not speaks:
        raise ApiError(400, "this model has no tokens for calls of tools", param="tools", code="unsupported_parameter")
    if served.toolbox is None or not speaks:
        return tools, frozenset()
    own = [tool["function"] for tool in served.toolbox.openai if tool["function"]["name"] not in names]
    return [*tools, *own], frozenset(tool["name"] for tool in own)


async def create_chat_completion(
    body: Annotated[ChatBody, Body()], served: Annotated[Served, Depends(served_by)]
) -> Response:
    asked = await asyncio.to_thread(check, served, body)
    head = served.head("chatcmpl", "chat.completion.chunk" if body.streams else "chat.completion")
    if body.streams:
        return EventStream(streamed(asked, head))
    usage = Usage()
    async with served.running(asked.requests) as tickets:
        replies = zip(asked.replies(), tickets, strict=True)
        deltas = [[delta async for delta in reply.deltas(ticket, usage)] for reply, ticket in replies]

    def answer() -> Response:
        return JSONResponse({**head, "choices": [_whole(asked, each) for each in deltas], "usage": usage.told()})

    return await asyncio.to_thread(answer)


def _whole(asked: Asked, deltas: list[Delta]) -> dict[str, Any]:
    content = "".join(delta.content for delta in deltas)
    thinking = "".join(delta.thinking for delta in deltas)
    calls = [call for delta in deltas for call in delta.calls]
    executed = [result for delta in deltas for result in delta.executed]
    message: dict[str, Any] = {"role": "assistant", "content": content or (None if calls else "")}
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in calls]
    if executed:
        message["executed_tools"] = executed
    return {
        "index": deltas[0].choice,
        "message": message,
        "logprobs": asked.logprobs([token for delta in deltas for token in delta.tokens]),
        "finish_reason": deltas[-1].finish_reason,
    }


async def streamed(asked: Asked, head: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    usage = Usage()
    ending = {"usage": None} if asked.body.wants_usage else {}
    async with asked.served.running(asked.requests) as tickets:
        for choice in range(len(tickets)):
            first = {"index": choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
            yield {**head, "choices": [{**first, "logprobs": None}], **ending}
        sources = [reply.deltas(ticket, usage) for reply, ticket in zip(asked.replies(), tickets, strict=True)]
        async for delta in merged(sources):
            if delta.tells or (delta.tokens and asked.body.logprobs):
                yield {**head, "choices": [_chunk(asked, delta)], **ending}
    if asked.body.wants_usage:
        yield {**head, "choices": [], "usage": usage.told()}


def _chunk(asked: Asked, delta: Delta) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if delta.content:
        told["content"] = delta.content
    if delta.thinking:
        told["reasoning_content"] = delta.thinking
    if delta.calls:
        told["tool_calls"] = delta.calls
    if delta.executed:
        told["executed_tools"] = delta.executed
    return {
        "index": delta.choice,
        "delta": told,
        "logprobs": asked.logprobs(delta.tokens) if delta.tokens else None,
        "finish_reason": delta.finish_reason,
    }
