"""Progress with rate and time left: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from fledge.run.live import Screen

PLAIN_EVERY_SECONDS, LIVE_EVERY_SECONDS = 15.0, 0.1


def duration(seconds: float) -> str:
    """``75`` → ``1m15s``."""
    seconds = round(max(0.0, seconds))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{seconds:02d}s" if minutes else f"{seconds}s"


def quantity(value: float) -> str:
    """``12_300_000`` → ``12.3M``."""
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (limit if unit != 'k' else 1e3):.3g}{unit}"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Figures:
    """What is told of work under way: ``3/10 MB``, ``1.5 MB/s``, ``5s left`` (empty where unknown), ``loss 1.2``…"""

    count: str
    rate: str
    left: str
    fields: tuple[str, ...]


class Progress:
    """Counts ``done`` of ``total`` units; ``total=None`` where the end is not known.

    Use as a context manager; ``update(n, **fields)`` adds ``n`` units and shows the fields (``loss=1.23``).
    ``start`` units count as done before this process began: the rate leaves them out. Several may be under way at once.
    """

    def __init__(
        self,
        label: str,
        total: float | None = None,
        unit: str = "",
        *,
        start: float = 0,
        stream: TextIO | None = None,
        clock: Any = time.monotonic,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self._start = start
        stream = stream if stream is not None else sys.stderr
        # while another one is live, rich stands before the terminal
        self._stream: TextIO = getattr(stream, "rich_proxied_file", stream)
        self._live = self._stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
        self._clock = clock
        self._began = self._shown = clock()
        self._fields: dict[str, Any] = {}

    def figures(self) -> Figures:
        """The figures as they are now."""
        seconds = max(self._clock() - self._began, 1e-9)
        rate = (self.done - self._start) / seconds
        unit = f" {self.unit}" if self.unit else ""
        left = ""
        if self.total and rate > 0 and self.done < self.total:
            left = f"{duration((self.total - self.done) / rate)} left"
        elif self.total and self.done >= self.total:
            left = f"done in {duration(seconds)}"
        return Figures(
            f"{quantity(self.done)}" + (f"/{quantity(self.total)}" if self.total else "") + unit,
            f"{quantity(rate)}{unit}/s",
            left,
            tuple(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in self._fields.items()),
        )

    def line(self) -> str:
        """The plain line as it would be shown now."""
        told = self.figures()
        return " · ".join([self.label, told.count, told.rate, *([told.left] if told.left else []), *told.fields])

    def update(self, n: float = 1, **fields: Any) -> None:
        self.done += n
        self._fields.update(fields)
        now = self._clock()
        if now - self._shown >= (LIVE_EVERY_SECONDS if self._live else PLAIN_EVERY_SECONDS):
            self._shown = now
            if self._live:
                self._screen().show(self)
            else:
                self._print()

    def _print(self) -> None:
        self._stream.write(self.line() + "\n")
        self._stream.flush()

    def _screen(self) -> Screen:
        from fledge.run.live import screen_of

        return screen_of(self._stream)

    def __enter__(self) -> Progress:
        if self._live:
            self._screen().show(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._screen().close(self)
        else:
            self._print()
