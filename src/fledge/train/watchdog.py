"""Ends a training that hangs, with the stacks of all its threads."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

HANG_CODE = 75
"""Exit status after a hang: EX_TEMPFAIL of sysexits.h, worth another try."""
FIRST_STEP_FACTOR = 4
GRACE_SECONDS = 3.0
LAST_RESORT_SECONDS = 30.0
"""How much later than the watchdog's thread a timer of C ends the process: longer than the grace and the writing."""
STDERR = 2


class Watchdog:
    """While the block runs, ``beat`` must be called every ``seconds``, and at first within four times that; 0 = never.

    Otherwise the stacks go to stderr and to ``directory/stacks-RANK.txt``, and the process ends at once with status 75:
    whatever hangs cannot be asked to stop. Nothing is lost but the steps since the last checkpoint.

    Where no thread of Python can run, because the interpreter's lock is held by what hangs, the timer of faulthandler,
    of which a process has one, writes the stacks to stderr a little later and ends the process with status 1.
    """

    def __init__(self, seconds: float, directory: Path, rank: int = 0) -> None:
        self.seconds, self.directory, self.rank = seconds, directory, rank
        self._step = 0
        self._due = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def beat(self, step: int) -> None:
        """Step ``step`` is done."""
        self._step = step
        self._arm(self.seconds)

    def _arm(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        if self.seconds:
            faulthandler.dump_traceback_later(seconds + LAST_RESORT_SECONDS, exit=True, file=STDERR)

    def __enter__(self) -> Watchdog:
        self._arm(FIRST_STEP_FACTOR * self.seconds)
        if self.seconds:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self.seconds:
            faulthandler.cancel_dump_traceback_later()
            self._thread.join()

    def _watch(self) -> None:
        while (left := self._due - time.monotonic()) > 0:
            if self._ended.wait(left):
                return
        try:
            self._end()
        finally:  # a full disk is no reason to hang on
            os._exit(HANG_CODE)

    def _end(self) -> None:
        path = self.directory / f"stacks-{self.rank}.txt"
        what = f"process {self.rank} did no step for {self.seconds:g} s after step {self._step}, its stacks stand above"
        fix = "run the same command again to go on from the last checkpoint"
        # neither may keep the other from being written: the disk may be what hangs, the terminal may be gone
        with suppress(OSError, ValueError):
            faulthandler.dump_traceback(STDERR, all_threads=True)
            _tell(f"fledge: error: {self.directory}: {what}; {fix}\n")
        with suppress(OSError, ValueError):
            with open(path, "w", encoding="utf-8") as file:
                faulthandler.dump_traceback(file, all_threads=True)
            _tell(f"fledge: the stacks of process {self.rank} are in {path} too\n")
        # the others hang with this one: none may be ended by the loss of it before it has told its own stacks
        time.sleep(GRACE_SECONDS)


def _tell(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
