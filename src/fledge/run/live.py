"""The rows of work under way at the foot of a terminal, drawn by rich; imported only where there is a terminal."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
from typing import Protocol, TextIO

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fledge.run.progress import Figures

LEAST_BAR, MOST_BAR = 8, 40
"""Cells; where not even the least fits, there is no bar."""


class Row(Protocol):
    """A piece of work, as :class:`fledge.run.progress.Progress` is."""

    label: str
    total: float | None
    done: float

    def figures(self) -> Figures: ...

    def line(self) -> str: ...


def fitted(row: Row, width: int) -> tuple[int, str]:
    """(cells of the bar, figures) of a row ``width`` cells wide: the count first of all, then what fits of the rest."""
    figures = row.figures()
    parts = [figures.count, figures.rate, figures.left, *figures.fields]
    room = width - cell_len(row.label) - 1 - cell_len(figures.count)
    shown, bar = {0}, 0
    for index in (2, -1, 1, *range(3, len(parts))):
        if index < 0:
            bar = LEAST_BAR if row.total and room > LEAST_BAR else 0
            room -= bar + 1 if bar else 0
        elif parts[index] and cell_len(parts[index]) + 3 <= room:
            shown.add(index)
            room -= cell_len(parts[index]) + 3
    bar += min(room, MOST_BAR - LEAST_BAR) if bar else 0
    return bar, " · ".join(parts[index] for index in sorted(shown))


def drawn(row: Row, width: int) -> Table:
    """One line: label, bar where the total is known, figures."""
    bar, figures = fitted(row, width)
    cells = [Text(row.label, style="bold"), Text(figures)]
    if bar:
        cells.insert(1, ProgressBar(row.total, row.done, width=bar))  # type: ignore[arg-type]
    grid = Table.grid(padding=(0, 1))
    for _ in cells:
        grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(*cells)
    return grid


class Screen:
    """The rows of one terminal, oldest first. What else this process prints there meanwhile appears above them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rows = stream, list[Row]()
        self._live: Live | None = None
        self._console = Console(
            file=stream,
            force_terminal=True,
            force_interactive=True,
            force_jupyter=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def show(self, row: Row) -> None:
        """Draw ``row`` as it is now, and the others."""
        if row not in self._rows:
            self._rows.append(row)
        self._measure()
        if self._live is not None:
            self._live.refresh()
            return
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            auto_refresh=False,
            transient=True,
            redirect_stdout=self._is_here(sys.stdout),
            redirect_stderr=self._is_here(sys.stderr),
        )
        self._live.start(refresh=True)
        self._console.show_cursor(True)  # rich hides it, and a kill would leave it so

    def close(self, row: Row) -> None:
        """Take ``row`` away and leave its last line."""
        if row in self._rows:
            self._rows.remove(row)
        self._measure()
        if self._live is not None and self._rows:
            self._live.refresh()
        elif self._live is not None:
            live, self._live = self._live, None
            live.stop()
        self._console.print(Text(row.line()), soft_wrap=True)

    def end(self) -> None:
        """Close what an error or Ctrl-C left open; a terminal that is gone is left alone."""
        with contextlib.suppress(OSError, ValueError):
            for row in list(self._rows):
                self.close(row)

    def _drawn(self) -> Group:
        width = max(1, self._console.width - 1)  # some terminals wrap a line that ends in the last column
        return Group(*(drawn(row, width) for row in self._rows))

    def _measure(self) -> None:
        """The terminal's size as it is now, whatever COLUMNS says, which windows outgrow."""
        with contextlib.suppress(OSError, ValueError):
            columns, lines = os.get_terminal_size(self._stream.fileno())
            if columns and lines:
                self._console.size = (columns, lines)

    def _is_here(self, other: TextIO | None) -> bool:
        """Whether ``other`` writes to this terminal; a file or another terminal gets its text as ever."""
        try:
            return other is not None and other.isatty() and os.path.sameopenfile(other.fileno(), self._stream.fileno())
        except (OSError, ValueError):
            return False


@functools.cache
def screen_of(stream: TextIO) -> Screen:
    """The one screen of a terminal, for all that is under way on it."""
    screen = Screen(stream)
    atexit.register(screen.end)
    return screen
