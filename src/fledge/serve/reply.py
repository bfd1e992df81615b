"""The assistant's reply as it comes, with the calls of the server's own tools carried out in between."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import from_json

from fledge.infer.request import Completion, Constraint, GenerateRequest, Token
from fledge.infer.text import TextStream
from fledge.serve.served import Served
from fledge.serve.ticket import Ticket
from fledge.serve.tools import ToolResult
from fledge.serve.usage import Usage
from fledge.types import Conversation, Message


@dataclass
class Delta:
    """What came to the reply of one choice; ``executed`` are calls that the server carried out."""

    choice: int
    content: str = ""
    thinking: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    executed: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    finish_reason: str | None = None

    @property
    def tells(self) -> bool:
        return bool(self.content or self.thinking or self.calls or self.executed or self.finish_reason)


@dataclass(frozen=True, eq=False)
class Reply:
    """One choice. ``own_tools`` are the names of the server's tools, ``later`` is the constraint after they ran."""

    served: Served
    choice: int
    request: GenerateRequest
    own_tools: frozenset[str]
    later: Constraint | None

    async def deltas(self, ticket: Ticket, usage: Usage) -> AsyncGenerator[Delta, None]:
        """All of it; ``ticket`` is of ``request`` and is closed by who made it, those of later rounds here."""
        session = None
        first, round_, n_calls = ticket, ticket, 0
        while True:
            stream = TextStream(self.served.tokenizer, self.request.stop, marks=True)
            waiting: list[str] = []
            completion: Completion | None = None
            try:
                async for event in round_:
                    delta = Delta(self.choice)
                    pieces = []
                    if event.token is not None:
                        delta.tokens.append(event.token)
                        pieces += stream.feed(event.token.id)
                    if event.completion is not None:
                        completion = event.completion
                        pieces += stream.finish()
                    for piece in pieces:
                        if piece.kind == "thinking":
                            delta.thinking += piece.text
                        elif piece.kind == "tool_call" and (call := read_call(piece.text)):
                            if call[0] in self.own_tools:
                                waiting.append(piece.text)
                            else:
                                delta.calls.append(told_call(*call, n_calls))
                                n_calls += 1
                        else:
                            delta.content += piece.text
                    yield delta
            finally:
                if round_ is not first:
                    round_.close()
            assert completion is not None
            usage.add(round_, completion, first=round_ is first and not self.choice, n_sampled=len(completion.tokens))
            if not waiting or n_calls or stream.stopped or completion.finish_reason != "stop":
                reason = "tool_calls" if n_calls and completion.finish_reason == "stop" else completion.finish_reason
                yield Delta(self.choice, finish_reason=reason)
                return
            assert self.served.toolbox is not None
            session = session or self.served.toolbox.session(self.served.config.limits.tool_calls)
            results: list[ToolResult] = []
            loop = asyncio.get_running_loop()
            for text in waiting:
                results.append(await loop.run_in_executor(self.served.tool_threads, session.run, text))
                yield Delta(self.choice, executed=[told_result(text, results[-1])])
            following = self._continued(round_.request, completion, results)
            if following is None:
                yield Delta(self.choice, finish_reason="length")
                return
            (round_,) = await self.served.driver.submit([following], arrived=first.arrived)

    def _continued(
        self, request: GenerateRequest, completion: Completion, results: Sequence[ToolResult]
    ) -> GenerateRequest | None:
        """The request that goes on after the results: exactly the ids so far, and then theirs. None without room."""
        tokenizer = self.served.tokenizer
        ids = [*request.ids, *completion.ids]
        if ids[-1] != tokenizer.end:
            ids.append(tokenizer.end)
        rendered = tokenizer.render(
            Conversation(tuple(Message("tool", each.text) for each in results)), add_generation_prompt=True
        ).ids
        ids += rendered[1:] if rendered[0] == tokenizer.bos else rendered
        room = request.max_tokens - len(completion.tokens)
        if room < 1 or len(ids) > self.served.context_length:
            return None
        return replace(request, ids=ids, max_tokens=room, constraint=self.later, priority=1)


def read_call(text: str) -> tuple[str, dict[str, Any]] | None:
    """(name, arguments) of a call, or None for what is none."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", {})
    return (value["name"], arguments) if isinstance(arguments, dict) else None


def told_call(name: str, arguments: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "index": index,
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }


def told_result(text: str, result: ToolResult) -> dict[str, Any]:
    return {"name": result.name, "call": text, "result": result.text, "failed": result.failed}
