"""One thread owns the engine and steps it; requests come to it from an event loop, and their events go back there."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fledge.infer.engine import Engine
from fledge.infer.request import GenerateRequest
from fledge.serve.config import Limits
from fledge.serve.errors import NO_RETRY, ApiError, refused
from fledge.serve.metrics import Metrics
from fledge.serve.ticket import Item, Ticket
from fledge.types import FledgeError

T = TypeVar("T")
N_ATTEMPTS = 2
"""How often a request that has no token yet is begun when a step fails, which may not be its own fault."""


class Driver:
    """``start`` and what follows it belong to one event loop; the engine belongs to the driver's own thread."""

    def __init__(self, engine: Engine, limits: Limits, metrics: Metrics) -> None:
        self.engine, self.limits, self.metrics = engine, limits, metrics
        self.loop: asyncio.AbstractEventLoop
        self._open: set[Ticket] = set()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._of_number: dict[int, Ticket] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def n_open(self) -> int:
        """Requests that wait or run."""
        return len(self._open)

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """End all requests and the thread."""
        self.fail_all(ApiError(503, "the server is stopping"))
        self._stopping = True
        self._inbox.put(lambda: None)
        await asyncio.to_thread(self._thread.join, 30)

    async def submit(self, requests: Sequence[GenerateRequest], arrived: float | None = None) -> list[Ticket]:
        """Take all of ``requests`` or none: ApiError where the queue is full or the engine does not take one.

        Those that go on with what arrived before, at ``arrived`` (``time.monotonic``), keep their time and are not
        turned away.
        """
        room = self.engine.max_batch + self.limits.queue
        if len(requests) > room:
            raise ApiError(400, f"{len(requests)} completions are asked for, at most {room} fit", param="n")
        if arrived is None and len(self._open) + len(requests) > room:
            raise ApiError(
                429,
                f"{len(self._open)} completions wait or run already; ask again later",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(self.metrics.seconds_to_wait(len(self._open) / self.engine.max_batch))},
            )
        tickets = [Ticket(request, arrived or time.monotonic(), self.leave) for request in requests]
        self._open.update(tickets)
        for ticket in tickets:
            self._inbox.put(lambda ticket=ticket: self._begin(ticket))  # type: ignore[misc]
        try:
            await asyncio.gather(*(ticket.taken for ticket in tickets))
        except BaseException as error:
            for ticket in tickets:
                ticket.ended = isinstance(error, FledgeError)
                ticket.close()
            if isinstance(error, FledgeError):
                raise refused(error) from None
            raise
        return tickets

    async def call(self, function: Callable[[], T]) -> T:
        """``function()`` on the engine's thread, between two steps."""
        future: asyncio.Future[T] = self.loop.create_future()

        def carry_out() -> None:
            try:
                result = function()
            except Exception as error:
                self._to_loop(_settle, future, None, error)
            else:
                self._to_loop(_settle, future, result, None)

        self._inbox.put(carry_out)
        return await future

    def leave(self, ticket: Ticket) -> None:
        if ticket in self._open:
            self._open.discard(ticket)
            self._inbox.put(lambda: self._end(ticket))
            if not ticket.ended:
                self.metrics.ended("cancelled")

    def fail_all(self, error: Exception) -> None:
        for ticket in list(self._open):
            ticket.ended = True
            ticket.put([error])
            self.metrics.ended("failed")
            self.leave(ticket)

    # ---------------------------------------------------------------- the engine's thread

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._hear()
                self._step()
            except Exception as error:
                self._failed(error)

    def _hear(self) -> None:
        """Do what the event loop asks for; wait for it where nothing else is to be done."""
        try:
            while True:
                self._inbox.get(block=not self._of_number and not self._stopping)()
        except queue.Empty:
            pass

    def _step(self) -> None:
        events = self.engine.step()
        now = time.monotonic()
        told: dict[Ticket, list[Item]] = {}
        for event in events:
            ticket = self._of_number.get(event.request)
            if ticket is None:
                continue
            fault = event.completion.fault if event.completion is not None else ""
            told.setdefault(ticket, []).append(ApiError(400, fault) if fault else event)
            if event.token is not None:
                self.metrics.token(now - ticket.arrived, ticket.last_token_at and now - ticket.last_token_at)
                ticket.last_token_at = now
            if event.completion is not None:
                del self._of_number[event.request]
                ticket.number = None
                self.metrics.completed(event.completion, len(ticket.request.ids), now - ticket.arrived)
        self.metrics.load(self.engine.n_running, self.engine.n_waiting)
        late = [each for each in self._of_number.values() if now - each.arrived > self.limits.request_seconds]
        for ticket in late:
            self._end(ticket)
            told.setdefault(ticket, []).append(
                ApiError(504, f"not done after {self.limits.request_seconds:g} s", code="timeout", headers=NO_RETRY)
            )
        if told:
            self._to_loop(self._tell, told)

    def _begin(self, ticket: Ticket) -> None:
        self._to_loop(_settle, ticket.taken, None, self._refusal(ticket))

    def _refusal(self, ticket: Ticket) -> Exception | None:
        """Give the ticket's request to the engine: what it says against it, if anything."""
        ticket.n_attempts += 1
        try:
            ticket.number = self.engine.submit(ticket.request)
        except Exception as error:
            return error
        self._of_number[ticket.number] = ticket
        return None

    def _end(self, ticket: Ticket) -> None:
        if ticket.number is not None:
            self.engine.cancel(ticket.number)
            del self._of_number[ticket.number]
            ticket.number = None
            self.metrics.load(self.engine.n_running, self.engine.n_waiting)

    def _failed(self, error: Exception) -> None:
        """What a failed step left behind cannot go on; who has no token yet begins anew."""
        told: dict[Ticket, list[Item]] = {}
        for ticket in list(self._of_number.values()):
            self._end(ticket)
            fault: Exception | None = error
            if ticket.last_token_at is None and ticket.n_attempts < N_ATTEMPTS:
                fault = self._refusal(ticket)
            if fault is not None:
                told[ticket] = [ApiError(500, f"the model failed: {_in_a_line(fault)}")]
        print(f"fledge: a step of the model failed: {_in_a_line(error)}", file=sys.stderr, flush=True)
        self._to_loop(self._tell, told)

    def _to_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *arguments)

    def _tell(self, told: dict[Ticket, list[Item]]) -> None:
        """For the event loop."""
        for ticket, items in told.items():
            if ticket not in self._open:
                continue
            last = items[-1]
            if isinstance(last, Exception) or last.completion is not None:
                ticket.ended = True
                self._open.discard(ticket)
                self.metrics.ended("failed" if isinstance(last, Exception) else "completed")
            ticket.put(items)


def _in_a_line(error: Exception) -> str:
    line = str(error) if isinstance(error, FledgeError) else f"{type(error).__name__}: {error}"
    return " ".join(line.split())[:500]


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
