"""What stands before every endpoint: who may ask, how much and how slowly, and what happens when a client leaves."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fledge.serve.config import ServeConfig
from fledge.serve.driver import Driver
from fledge.serve.errors import ApiError

OPEN_PATHS = ("/health", "/v1/health")
DISCARDED = 4
"""Times the limit of a body that is read of a longer one, so that its sender comes to read the answer."""


class Guard:
    """ASGI middleware. ``draining`` refuses whatever comes from then on."""

    def __init__(self, app: ASGIApp, config: ServeConfig, driver: Driver) -> None:
        self.app, self.config, self.driver, self.metrics = app, config, driver, driver.metrics
        self.draining = False
        self.n_active = 0
        self._key = _digest(config.api_key) if config.api_key else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = Answer(scope, send, self.config.limits.stall_seconds)
        self.n_active += 1
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            try:
                self._admit(scope, headers)
                body = await self._body(headers, receive)
            except ApiError as error:
                await _refuse(error, scope, receive, answer.send)
            except ClientGone:
                return
            else:
                await self._watched(scope, body, receive, answer)
        finally:
            self.n_active -= 1
            route = scope.get("route")
            self.metrics.response(getattr(route, "path", "other"), answer.status)

    def _admit(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raise ApiError for a request that is not for this server, or whose sender may not ask it."""
        host = _without_port(headers.get("host", "").lower())
        if not self.config.answers_to(host):
            raise ApiError(
                403, f"this server does not answer to the name {host[:100]!r}; start it with --allowed-host NAME"
            )
        if self.draining:
            raise ApiError(503, "the server is stopping", headers={"Retry-After": "5"})
        if self._key and scope["path"] not in OPEN_PATHS:
            scheme, _, key = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(key.strip()), self._key):
                raise ApiError(
                    401,
                    "the API key is missing or wrong; send it as 'Authorization: Bearer KEY'",
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        if scope["method"] == "POST":
            # A page in a browser can send anything else to any address without being allowed to.
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise ApiError(415, f"the body must be application/json, not {kind[:100] or 'of no type'}")

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        limits = self.config.limits
        too_long = ApiError(413, f"the body has more than {limits.body_bytes} bytes", code="body_too_large")
        told = headers.get("content-length", "0")
        if told.isdigit() and int(told) > DISCARDED * limits.body_bytes:
            raise too_long
        parts, size = [], 0
        try:
            async with asyncio.timeout(limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    size += len(message.get("body", b""))
                    if size <= limits.body_bytes:
                        parts.append(message.get("body", b""))
                    elif size > DISCARDED * limits.body_bytes:
                        raise too_long
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise ApiError(408, f"the body did not arrive within {limits.body_seconds:g} s") from None
        if size > limits.body_bytes:
            raise too_long
        return b"".join(parts)

    async def _watched(self, scope: Scope, body: bytes, receive: Receive, answer: Answer) -> None:
        """Run the endpoint, and end it when its client leaves before the answer is whole."""
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            if unread:
                return unread.pop()
            return await asyncio.get_running_loop().create_future()

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        work = asyncio.ensure_future(self.app(scope, replay, answer.send))
        watch = asyncio.create_task(gone())
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if not (work.done() or answer.whole):
                work.cancel()
            await asyncio.wait((work,))
            if not work.cancelled():
                work.result()
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)


class ClientGone(Exception):
    pass


class Answer:
    """What is sent to one client, which must take it in time; one that does not is cut off."""

    def __init__(self, scope: Scope, send: Send, seconds: float) -> None:
        self._scope, self._send, self._seconds = scope, send, seconds
        self.status = 499
        self.whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            if abort := self._scope.get("state", {}).get("abort"):
                abort()
                await asyncio.sleep(0)  # the connection learns of it
            raise asyncio.CancelledError from None


async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    response = error.response()
    response.headers["connection"] = "close"  # a body that was not read may follow
    await response(scope, receive, send)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") < 2 else host
