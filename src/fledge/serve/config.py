"""What a server may be asked, and how much of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from fledge.types import FledgeError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Limits:
    """Bounds of one request and of all together. Seconds, bytes, tokens."""

    body_bytes: int = 8 * 2**20
    body_seconds: float = 20.0
    """For a request to arrive whole, its head as well as its body."""
    stall_seconds: float = 30.0
    """For a client to take what is sent to it."""
    request_seconds: float = 600.0
    """For a completion, from its arrival."""
    drain_seconds: float = 30.0
    """For what runs when the server is asked to stop."""
    max_tokens: int = 0
    """Of one completion; 0 = what the context holds."""
    choices: int = 128
    """Completions of one request: its prompts times ``n``."""
    queue: int = 256
    """Completions that wait for a place in the batch."""
    connections: int = 1_024
    stop_texts: int = 16
    stop_chars: int = 256
    biases: int = 1_024
    top_logprobs: int = 20
    tools: int = 128
    schema_chars: int = 65_536
    tool_calls: int = 8
    """Calls of the server's own tools in one reply."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0 or (value == 0 and name not in ("max_tokens", "queue")):
                raise FledgeError(f"must be above 0, got {value}", where=name)


@dataclass(frozen=True)
class ServeConfig:
    """Where to listen, who may ask, and the limits. ``model`` is the id that clients name."""

    model: str
    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str = ""
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise FledgeError(f"must be from 0 to 65535, got {self.port}", where="--port")
        if not self.api_key.isascii() or any(character.isspace() for character in self.api_key):
            raise FledgeError("must be ASCII without blanks", where="--api-key")
        if not self.on_loopback and not self.api_key:
            raise FledgeError(
                f"{self.host} can be reached from other machines, and anybody there could use the model",
                where="--host",
                fix="give --api-key KEY (or FLEDGE_API_KEY), or listen on 127.0.0.1",
            )

    @property
    def on_loopback(self) -> bool:
        address = as_address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    def answers_to(self, host: str) -> bool:
        """Whether a request that names ``host`` (without a port) is meant for this server.

        A web page elsewhere can let its own name point here, but never an address.
        """
        if host in (*LOOPBACK_NAMES, self.host.lower(), *(each.lower() for each in self.allowed_hosts)):
            return True
        return not self.on_loopback and as_address(host) is not None


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
