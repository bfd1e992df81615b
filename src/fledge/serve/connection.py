"""A connection that its client cannot hold by sending the head of a request slowly, or by reading nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


def protocol(head_seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol with a time limit for the head of each request, and ``state["abort"]`` for the application."""

    class Connection(H11Protocol):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, {**app_state, "abort": self._abort}, _loop)
            self._timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._timer = self.loop.call_later(head_seconds, self._abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            idle = self.cycle is None or self.cycle.response_complete
            if not (idle and self.conn.their_state is h11.IDLE):
                self._stop_timer()
            elif self._timer is None:
                self._timer = self.loop.call_later(head_seconds, self._abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _abort(self) -> None:
            if self.transport is not None:
                self.transport.abort()

    return Connection
