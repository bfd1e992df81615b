"""Streams of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fledge.serve.errors import ApiError
from fledge.types import FledgeError

T = TypeVar("T")
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class EventStream(Response):
    """Sends what ``chunks`` gives, each as one event, then ``[DONE]``.

    ``chunks`` begins its work when the response is sent and is closed with it, so that nothing goes on for a client
    who left. A fault before the first chunk is an answer of its own, a later one the last event.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[dict[str, Any], None]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self.chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.chunks) as chunks:
            chunk: dict[str, Any] | None = await anext(chunks)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                while chunk is not None:
                    await send(_body(_written(chunk)))
                    chunk = await anext(chunks, None)
                await send(_body("[DONE]"))
            except (ApiError, FledgeError) as error:
                told = error if isinstance(error, ApiError) else ApiError(500, str(error))
                await send(_body(_written(told.content())))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _written(chunk: dict[str, Any]) -> str:
    return json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))


def _body(data: str) -> dict[str, Any]:
    return {"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True}


async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncIterator[T]:
    """What any of ``sources`` gives, as it comes."""
    items: asyncio.Queue[tuple[T | None, BaseException | None]] = asyncio.Queue(maxsize=1)

    async def pump(source: AsyncGenerator[T, None]) -> None:
        error: BaseException | None = None
        try:
            async with aclosing(source):
                async for item in source:
                    await items.put((item, None))
        except Exception as raised:
            error = raised
        await items.put((None, error))

    tasks = [asyncio.create_task(pump(source)) for source in sources]
    try:
        n_open = len(tasks)
        while n_open:
            item, error = await items.get()
            if error is not None:
                raise error
            if item is None:
                n_open -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
