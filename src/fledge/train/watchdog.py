"""Ends a training that hangs, with the stacks of all its threads."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

HANG_CODE = 75
"""Exit status after a hang: EX_TEMPFAIL of sysexits.h, worth another try."""
FIRST_STEP_FACTOR = 4
GRACE_SECONDS = 3.0


class Watchdog:
    """While the block runs, ``beat`` must be called every ``seconds``, and at first within four times that; 0 = never.

    Otherwise the stacks go to ``directory/stacks-RANK.txt`` and to stderr, and the process ends at once with status 75:
    whatever hangs cannot be asked to stop. Nothing is lost but the steps since the last checkpoint.
    """

    def __init__(self, seconds: float, directory: Path, rank: int = 0) -> None:
        self.seconds, self.directory, self.rank = seconds, directory, rank
        self._step = 0
        self._due = time.monotonic() + FIRST_STEP_FACTOR * seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def beat(self, step: int) -> None:
        """Step ``step`` is done."""
        self._step, self._due = step, time.monotonic() + self.seconds

    def __enter__(self) -> Watchdog:
        if self.seconds:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self.seconds:
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
        with open(path, "w+", encoding="utf-8") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            stacks = file.read()
        what = f"process {self.rank} did no step for {self.seconds:g} s after step {self._step}"
        fix = "run the same command again to go on from the last checkpoint"
        sys.stderr.write(f"{stacks}fledge: error: {self.directory}: {what}, its stacks are in {path}; {fix}\n")
        sys.stderr.flush()
        # the others hang with this one: none may be ended by the loss of it before it has told its own stacks
        time.sleep(GRACE_SECONDS)
