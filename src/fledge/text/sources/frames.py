"""Messages between a process and its child: two lengths, a JSON head, and bytes."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

LENGTHS = struct.Struct(">IQ")


def write_frame(stream: IO[bytes], head: dict[str, Any], payload: bytes = b"") -> None:
    """Send one message."""
    told = json.dumps(head).encode("ascii")
    stream.write(LENGTHS.pack(len(told), len(payload)))
    stream.write(told)
    stream.write(payload)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Receive one message; raises EOFError where the other side is gone."""
    n_head, n_payload = LENGTHS.unpack(_exactly(stream, LENGTHS.size))
    head: dict[str, Any] = json.loads(_exactly(stream, n_head))
    return head, _exactly(stream, n_payload)


def _exactly(stream: IO[bytes], n: int) -> bytes:
    data = stream.read(n)
    if len(data) < n:
        raise EOFError("the other process is gone")
    return data
