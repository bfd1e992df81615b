"""Random streams and fair coins that depend on names alone, so that any text can be made by itself."""

from __future__ import annotations

import hashlib
from random import Random


def number_of(*keys: object) -> int:
    """64 bits that depend only on ``keys`` (their ``str``), the same on every machine."""
    data = "\x1f".join(map(str, keys)).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def stream(*keys: object) -> Random:
    """A random stream of its own for ``keys``."""
    return Random(number_of(*keys))


def share_of(*keys: object) -> float:
    """A fixed number in [0, 1) for ``keys``."""
    return number_of(*keys) / 2**64
