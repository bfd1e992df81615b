"""Stop texts in a stream of bytes: they may begin in one token and end in another, also within a character."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Feed bytes, get those that can be no part of a stop text any more; ``found`` is the first stop that came.

    Of stops that end with the same byte the one that began first is found. Nothing is given out from it on.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop.encode() for stop in stops]
        self._held = b""
        self.found: str | None = None

    def feed(self, data: bytes) -> bytes:
        if self.found is not None or not self._stops:
            return b"" if self.found is not None else data
        before, self._held = len(self._held), self._held + data
        for end in range(before + 1, len(self._held) + 1):
            ends = [stop for stop in self._stops if self._held.endswith(stop, 0, end)]
            if ends:
                stop = max(ends, key=len)
                self.found = stop.decode()
                given, self._held = self._held[: end - len(stop)], b""
                return given
        n_kept = max(
            (n for stop in self._stops for n in range(1, len(stop)) if self._held.endswith(stop[:n])), default=0
        )
        given, self._held = self._held[: len(self._held) - n_kept], self._held[len(self._held) - n_kept :]
        return given

    def finish(self) -> bytes:
        """What was held back; empty after a stop."""
        given, self._held = self._held, b""
        return given
