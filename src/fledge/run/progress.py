"""Progress with rate and time left: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

PLAIN_EVERY_SECONDS = 15.0


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


class Progress:
    """Counts ``done`` of ``total`` units; ``total=None`` where the end is not known.

    Use as a context manager; ``update(n, **fields)`` adds ``n`` units and shows the fields (``loss=1.23``).
    ``start`` units count as done before this process began: the rate leaves them out.
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
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty()
        self._clock = clock
        self._began = self._shown = clock()
        self._fields: dict[str, Any] = {}

    def line(self) -> str:
        """The line as it would be shown now."""
        seconds = max(self._clock() - self._began, 1e-9)
        rate = (self.done - self._start) / seconds
        parts = [self.label, f"{quantity(self.done)}" + (f"/{quantity(self.total)}" if self.total else "")]
        parts[-1] += f" {self.unit}" if self.unit else ""
        parts.append(f"{quantity(rate)}{' ' + self.unit if self.unit else ''}/s")
        if self.total and rate > 0 and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        elif self.total and self.done >= self.total:
            parts.append(f"done in {duration(seconds)}")
        for name, value in self._fields.items():
            parts.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
        return " · ".join(parts)

    def update(self, n: float = 1, **fields: Any) -> None:
        self.done += n
        self._fields.update(fields)
        now = self._clock()
        if now - self._shown >= (0.1 if self._live else PLAIN_EVERY_SECONDS):
            self._shown = now
            self._show(end="" if self._live else "\n")

    def _show(self, end: str) -> None:
        start = "\r\x1b[2K" if self._live else ""
        self._stream.write(start + self.line() + end)
        self._stream.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._show(end="\n")
