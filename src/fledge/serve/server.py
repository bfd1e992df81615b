"""Listening: a uvicorn server that finishes what runs when it is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from fledge.serve.config import ServeConfig
from fledge.serve.connection import protocol
from fledge.serve.errors import ApiError
from fledge.serve.guard import Guard
from fledge.types import FledgeError

CLOSING_SECONDS = 5  # for answers that are written to be read


class Server(uvicorn.Server):
    """``stop`` refuses new requests and ends when the running ones have, or after ``drain_seconds``."""

    def __init__(self, guard: Guard, config: ServeConfig) -> None:
        super().__init__(
            uvicorn.Config(
                guard,
                http=protocol(config.limits.body_seconds),
                ws="none",
                lifespan="on",
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=config.limits.connections,
                timeout_graceful_shutdown=CLOSING_SECONDS,
            )
        )
        self.guard, self.limits = guard, config.limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def stop(self) -> None:
        """From any thread; a second time ends at once."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._draining is None:
            self.guard.draining = True
            self._draining = asyncio.create_task(self._drain())
        else:
            self.should_exit = True

    async def _drain(self) -> None:
        until = time.monotonic() + self.limits.drain_seconds
        while self.guard.n_active and time.monotonic() < until and not self.should_exit:
            await asyncio.sleep(0.05)
        self.guard.driver.fail_all(ApiError(503, "the server stopped before this was done"))
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop, and are not raised again afterwards: what was asked was done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at this address; FledgeError in one line where that cannot be."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, number)
    except OSError as error:
        raise FledgeError(
            f"cannot listen there: {error.strerror or error}", where=host, fix="give another --host"
        ) from error
    try:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # what Windows means by it
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise FledgeError(
            f"cannot listen there: {error.strerror or error}", where=f"{host}:{port}", fix="give another --port"
        ) from error
    return bound
