"""Work that goes on beside training, a piece at a time: the writing of checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class Background:
    """One thread. What a piece of work raises is raised in the training's thread: at once, or by ``check``.

    On leaving the block the last piece is awaited; if the block ends by an error of its own, that one is told.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._pending: Future[Any] | None = None

    def start(self, work: Callable[[], Any]) -> None:
        """Begin ``work`` when the piece before it is done, which is waited for."""
        self.wait()
        self._pending = self._thread.submit(work)

    def check(self) -> None:
        """Raise what the last piece raised, if it has ended."""
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Until the last piece is done; raises what it raised."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown()
        if kind is None:
            self.wait()
