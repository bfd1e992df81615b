"""Servers for the tests: real ones, on ports of their own of the loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from fledge.infer.engine import Engine
from fledge.serve.app import build_app
from fledge.serve.config import Limits, ServeConfig
from fledge.serve.server import Server, bound_socket
from fledge.tokens.tokenizer import Tokenizer

MODEL = "tiny"


@dataclass(frozen=True)
class Running:
    """A server that answers at ``url``."""

    url: str
    port: int
    server: Server
    engine: Engine
    tokenizer: Tokenizer

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30, **options)

    def metric(self, name: str) -> float:
        page = httpx.get(self.url + "/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name))

    def wait_until_idle(self, seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while self.engine.n_running or self.engine.n_waiting or self.server.guard.driver.n_open:
            assert time.monotonic() < until, "the engine is still at work"
            time.sleep(0.01)


@contextmanager
def serving(
    engine: Engine,
    tokenizer: Tokenizer,
    *,
    kind: Any = "chat",
    limits: Limits | None = None,
    toolbox: Any = None,
    send_buffer: int = 0,
    name: str = MODEL,
    **options: Any,
) -> Iterator[Running]:
    config = ServeConfig(name, limits=limits or Limits(), **options)
    server = Server(build_app(engine, tokenizer, kind, config, toolbox), config)
    listener = bound_socket("127.0.0.1", 0)
    if send_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.01)
    port = listener.getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{port}", port, server, engine, tokenizer)
    finally:
        server.stop()
        server.stop()
        thread.join(20)
        assert not thread.is_alive()
