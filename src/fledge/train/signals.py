"""Ctrl-C, SIGTERM and SIGUSR1 during training save and stop; a second Ctrl-C ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from fledge.types import FledgeError


class Stopped(FledgeError):
    """Training was asked to stop and did. ``exit_code`` is the shell's for the signal.

    Everything is saved, but not ``saved`` amid steps whose loss is no number.
    """

    def __init__(self, signal_number: int, step: int, n_steps: int, *, saved: bool = True) -> None:
        self.exit_code = 128 + signal_number
        how, fix = "saved", "run the same command again to go on"
        if not saved:
            how, fix = "where the loss is no number, so not saved", f"{fix} from the last checkpoint"
        super().__init__(f"stopped at step {step} of {n_steps}, {how}", fix=fix)


@dataclass
class StopRequest:
    """``signal_number`` is 0 until somebody asks."""

    signal_number: int = 0


CAUGHT = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


@contextmanager
def stop_requests(*, patient: bool = False) -> Iterator[StopRequest]:
    """Catch SIGINT, SIGTERM and SIGUSR1 (of Slurm, before a job's time is up) inside the block.

    Outside the main thread, where Python forbids it, nothing is caught. ``patient``: a second Ctrl-C does nothing
    either; where a launcher passes on what the terminal sends too, each process gets two of one.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if request.signal_number and number == signal.SIGINT and not patient:
            raise KeyboardInterrupt
        request.signal_number = request.signal_number or number

    previous: dict[int, Any] = {}
    try:
        for caught in CAUGHT:
            previous[caught] = signal.signal(caught, handle)
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
