"""``/v1/completions``: a text or token ids, continued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body, Depends
from starlette.responses import JSONResponse, Response

from fledge.infer.prompts import reply_limits
from fledge.infer.request import Completion, GenerateRequest, Token
from fledge.infer.text import TextStream
from fledge.serve.bodies import CompletionBody, prompts_of
from fledge.serve.errors import ApiError
from fledge.serve.logprobs import CompletionLogprobs
from fledge.serve.served import Served, served_by
from fledge.serve.sse import EventStream, merged
from fledge.serve.ticket import Ticket
from fledge.serve.usage import Usage

DEFAULT_TOKENS = 16


@dataclass(frozen=True, eq=False)
class Asked:
    """A request that was checked: ``prompts`` are the ids of each, ``texts`` how they read."""

    served: Served
    body: CompletionBody
    prompts: list[list[int]]
    texts: list[str]
    requests: list[GenerateRequest]

    @property
    def n(self) -> int:
        return self.body.n or 1

    @property
    def only_prompt(self) -> bool:
        """Nothing is to be sampled; the engine samples a token all the same where the prompt is to be scored."""
        return self.body.max_tokens == 0

    def sampled(self, completion: Completion) -> tuple[Token, ...]:
        return () if self.only_prompt else completion.tokens

    def finish_reason(self, completion: Completion) -> str:
        return "length" if self.only_prompt else completion.finish_reason

    def text_stream(self, choice: int) -> TextStream:
        begins = not self.texts[choice // self.n]
        return TextStream(self.served.tokenizer, self.body.stops, begins=begins)

    def logprobs(self) -> CompletionLogprobs | None:
        if self.body.logprobs is None:
            return None
        offsets = TextStream(self.served.tokenizer)
        return CompletionLogprobs(self.served, self.body.logprobs_mode or "raw", self.body.logprobs, offsets)


def check(served: Served, body: CompletionBody) -> Asked:
    """Raises ApiError, naming the field, for what cannot be done."""
    served.check_model(body.model)
    given = prompts_of(body.prompt)
    n = body.n or 1
    served.check_fields(body, len(given), body.max_tokens)
    n_top = body.logprobs
    if n_top is not None and n_top > served.config.limits.top_logprobs:
        raise ApiError(400, f"at most {served.config.limits.top_logprobs} are told", param="logprobs")
    scores = bool(body.echo) and n_top is not None
    if scores and body.stream:
        raise ApiError(400, "echo with logprobs is not streamed", param="stream", code="unsupported_parameter")
    stop_ids, forbidden = reply_limits(served.tokenizer, "")
    stop_ids = (*stop_ids, *(body.stop_token_ids or ()))
    served.check_tokens(stop_ids, "stop_token_ids")
    prompts, texts = [], []
    for prompt in given:
        ids = served.ids_of(prompt, "prompt")
        served.check_prompt(ids, "prompt")
        prompts.append(ids)
        texts.append(prompt if isinstance(prompt, str) else _plain(served, ids))
    max_tokens = DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    requests = [
        served.request(
            body,
            ids,
            choice,
            max_tokens=max(max_tokens, 1) if scores else max_tokens,
            stop_ids=stop_ids,
            forbidden_ids=tuple(index for index in forbidden if index not in stop_ids),
            top_logprobs=n_top or 0,
            prompt_logprobs=n_top if scores else None,
        )
        for ids in prompts
        for choice in range(n)
    ]
    return Asked(served, body, prompts, texts, requests)


def _plain(served: Served, ids: Sequence[int]) -> str:
    return served.tokenizer.decode([index for index in ids if index not in served.tokenizer.special_ids])


async def create_completion(
    body: Annotated[CompletionBody, Body()], served: Annotated[Served, Depends(served_by)]
) -> Response:
    asked = await asyncio.to_thread(check, served, body)
    head = served.head("cmpl", "text_completion")
    if body.streams:
        return EventStream(streamed(asked, head))
    usage = Usage()
    async with served.running(asked.requests) as tickets:
        completions = [await ticket.completion() for ticket in tickets]
    for number, (ticket, completion) in enumerate(zip(tickets, completions, strict=True)):
        usage.add(ticket, completion, first=number % asked.n == 0, n_sampled=len(asked.sampled(completion)))

    def answer() -> Response:
        choices = [_choice(asked, number, completion) for number, completion in enumerate(completions)]
        return JSONResponse({**head, "choices": choices, "usage": usage.told()})

    return await asyncio.to_thread(answer)


def _choice(asked: Asked, number: int, completion: Completion) -> dict[str, Any]:
    tokens = asked.sampled(completion)
    stream = asked.text_stream(number)
    pieces = [*stream.feed(*(token.id for token in tokens)), *stream.finish()]
    text = "".join(piece.text for piece in pieces)
    before: list[int | Token] = []
    if asked.body.echo:
        text = asked.texts[number // asked.n] + text
        before = [asked.prompts[number // asked.n][0], *completion.prompt]
    logprobs = asked.logprobs()
    return {
        "index": number,
        "text": text,
        "logprobs": logprobs and logprobs.of([*before, *tokens]),
        "finish_reason": asked.finish_reason(completion),
    }


async def streamed(asked: Asked, head: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    usage = Usage()
    async with asked.served.running(asked.requests) as tickets:
        async for choice in merged([_deltas(asked, i, ticket, usage) for i, ticket in enumerate(tickets)]):
            yield {**head, "choices": [choice]} | ({"usage": None} if asked.body.wants_usage else {})
    if asked.body.wants_usage:
        yield {**head, "choices": [], "usage": usage.told()}


async def _deltas(asked: Asked, number: int, ticket: Ticket, usage: Usage) -> AsyncGenerator[dict[str, Any], None]:
    stream, logprobs = asked.text_stream(number), asked.logprobs()
    text = asked.texts[number // asked.n] if asked.body.echo else ""
    async for event in ticket:
        tokens = [event.token] if event.token and not asked.only_prompt else []
        text += "".join(piece.text for piece in stream.feed(*(token.id for token in tokens)))
        completion = event.completion
        if completion is not None:
            text += "".join(piece.text for piece in stream.finish())
            usage.add(ticket, completion, first=number % asked.n == 0, n_sampled=len(asked.sampled(completion)))
        if text or completion or (tokens and logprobs):
            yield {
                "index": number,
                "text": text,
                "logprobs": logprobs and logprobs.of(tokens),
                "finish_reason": completion and asked.finish_reason(completion),
            }
        text = ""
