"""One HTTP request with bounds on size and time, to an address that was checked first."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from fledge.text.sources.addresses import Refused, Resolver, checked_address
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.streams import CHUNK, ByteStream

IDENTITIES = ("", "identity")


class TooLarge(Exception):
    """A body over the limit."""


class TooSlow(Exception):
    """A request over its total time."""


@dataclass(frozen=True)
class Response:
    """Status and headers (names in lower case) of an answer; ``body()`` yields it once, decoded, within the limits."""

    status: int
    headers: dict[str, str]
    body: Callable[[], Iterator[bytes]]


def parse_url(url: str) -> SplitResult:
    """The parts of an http(s) URL that may be asked for; raises Refused."""
    try:
        parts = urlsplit(url.partition("#")[0])
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Refused(f"is not a valid URL ({error})") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Refused("holds a user name or password, which would be stored with the run")
    return parts


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host(parts: SplitResult) -> str:
    try:
        return (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Refused(f"is not a valid host name ({error})") from error


def _connect(parts: SplitResult, address: str, timeout: float) -> http.client.HTTPConnection:
    """A connection to ``address`` for the host of ``parts``: the name is for the Host header and the certificate."""
    host, port = _host(parts), port_of(parts)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    plain = socket.create_connection((address, port), timeout=timeout)
    connection.sock = plain
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        connection.default_port = 443  # so that the Host header names no port
    return connection


@contextmanager
def open_url(
    url: str,
    settings: SourceSettings,
    resolver: Resolver,
    allow: Callable[[str], bool],
    *,
    max_bytes: int,
) -> Iterator[Response]:
    """Ask for ``url``, following no redirect. Raises OSError, HTTPException, Refused, TooLarge, TooSlow.

    The total time holds for everything, from the connection to the last byte of the body, however slowly it drips.
    """
    parts = parse_url(url)
    address = checked_address(_host(parts), port_of(parts), resolver, allow)
    ends = time.monotonic() + settings.url_total_timeout_seconds
    late = threading.Event()
    connection = _connect(parts, address, min(settings.url_read_timeout_seconds, settings.url_total_timeout_seconds))
    sock = connection.sock

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # the plain one: TLS must not be touched from here

    watchdog = threading.Timer(max(0.0, ends - time.monotonic()), cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{_query(parts)}" if parts.query else "")
        headers = {"User-Agent": settings.user_agent, "Accept-Encoding": "identity", "Connection": "close"}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        yield Response(answer.status, found, lambda: _body(answer, found, settings, max_bytes))
        if late.is_set():
            raise TooSlow
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set():
            raise TooSlow from error
        raise
    finally:
        watchdog.cancel()
        connection.close()


def _query(parts: SplitResult) -> str:
    return quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")


def _body(answer: Any, headers: dict[str, str], settings: SourceSettings, max_bytes: int) -> Iterator[bytes]:
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isascii() and declared.isdigit() else None
    if length is not None and length > max_bytes:
        raise TooLarge
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in (*IDENTITIES, "gzip", "x-gzip"):
        raise http.client.HTTPException(f"the content encoding {encoding} was not asked for")
    source = _Chunks(answer)
    stream = source if encoding in IDENTITIES else ByteStream(source, "gz", settings)
    n_bytes = 0
    while data := stream.read(CHUNK):
        n_bytes += len(data)
        if n_bytes > max_bytes:
            raise TooLarge
        yield data
    if isinstance(stream, ByteStream) and stream.fault is not None:
        raise http.client.HTTPException(stream.fault.reason)
    if encoding in IDENTITIES and length is not None and n_bytes < length:
        raise http.client.HTTPException(f"the body ended after {n_bytes} of {length} bytes")


class _Chunks:
    """A body read in whatever pieces arrive."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self, n: int) -> bytes:
        data: bytes = self._answer.read1(n)
        return data
