"""One request in the engine, as the event loop sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from fledge.infer.request import Completion, Event, GenerateRequest

Item = Event | Exception


class Ticket:
    """One request in the engine. Iterate it for its events: FledgeError or ApiError where it fails.

    Leave it with :meth:`close`, else it runs to its end for nobody.
    """

    def __init__(self, request: GenerateRequest, arrived: float, leave: Callable[[Ticket], None]) -> None:
        self.request, self.arrived = request, arrived
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.number: int | None = None
        self.n_attempts = 0
        self.last_token_at: float | None = None
        self.ended = False
        self._leave = leave
        self._items: deque[Item] = deque()
        self._some = asyncio.Event()

    def put(self, items: Sequence[Item]) -> None:
        """For the event loop."""
        self._items += items
        self._some.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._items:
                item = self._items.popleft()
                if isinstance(item, Exception):
                    raise item
                yield item
                if item.completion is not None:
                    return
            self._some.clear()
            await self._some.wait()

    async def completion(self) -> Completion:
        """The whole of it, once it has ended."""
        async for event in self:
            if event.completion is not None:
                return event.completion
        raise AssertionError("the events ended without a completion")

    def close(self) -> None:
        """End the request where it runs still, and give its place to another."""
        self._leave(self)
