"""One contestant in a process of its own: ``python -m peers.child TASK``; JSON lines come out.

{"event": "ready", "seconds", "n_parameters", …}, {"event": "step", "seconds", "kind": "first"|"warm"|"timed"} …,
{"event": "end", "peak_bytes", "peak_step_bytes"}: the first step compiles, the peaks are of resident memory over the
whole process and since the warm-up.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from peers.task import Task

MODULES = {
    "nanogpt": "peers.nanogpt",
    "litgpt": "peers.litgpt_",
    "transformers": "peers.transformers_",
    "nanochat": "peers.nanochat_",
}


class Lines:
    """The pipe to the parent. What libraries print goes to standard error instead."""

    def __init__(self) -> None:
        self.file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def write(self, event: str, **values: Any) -> None:
        self.file.write(json.dumps({"event": event, **values}) + "\n")
        self.file.flush()


def peak_bytes() -> int:
    """The most memory that was resident at once since the start, or since :func:`forget_peak`."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> bool:
    """Count the peak anew from here; False where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


class Stopwatch:
    """Reports steps as they end: the first, the warm-up, then timed ones until there are enough."""

    def __init__(self, task: Task, lines: Lines) -> None:
        self.task, self.lines = task, lines
        self.done = 0
        self.timed_seconds = 0.0
        self.peak_before = 0

    def stepped(self, seconds: float) -> bool:
        """Whether that was the last step."""
        timed = self.done - self.task.warmup
        kind = "first" if self.done == 0 else "warm" if timed <= 0 else "timed"
        self.lines.write("step", seconds=seconds, kind=kind)
        self.done += 1
        if kind == "timed":
            self.timed_seconds += seconds
            return timed >= self.task.least_steps and self.timed_seconds >= self.task.seconds
        if timed == 0:
            self.peak_before = peak_bytes()
            if not forget_peak():
                self.peak_before = 0
        return False

    def end(self) -> None:
        since = peak_bytes()
        self.lines.write("end", peak_bytes=max(self.peak_before, since), peak_step_bytes=since)


def time_peer(task: Task, lines: Lines, stopwatch: Stopwatch, began: float) -> None:
    import numpy as np
    import torch

    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    peer = import_module(MODULES[task.peer]).build(task)
    lines.write(
        "ready",
        seconds=time.perf_counter() - began,
        n_parameters=peer.n_parameters,
        versions={"torch": torch.__version__, **peer.versions},
    )
    shape, number, last = task.shape, 0, False
    rng = np.random.default_rng(task.seed)
    while not last:
        rows = torch.from_numpy(rng.integers(0, shape.vocab_size, (shape.rows, shape.context + 1)))
        tokens, targets = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
        start = time.perf_counter()
        peer.step(number, tokens, targets)
        last = stopwatch.stepped(time.perf_counter() - start)
        number += 1


def time_fledge(task: Task, lines: Lines, stopwatch: Stopwatch, began: float) -> None:
    import torch
    from peers.fledge_ import train

    import fledge

    def ready(n_parameters: int, hardware: dict[str, Any]) -> None:
        versions = {"torch": torch.__version__, "fledge": fledge.__version__}
        told = {"n_parameters": n_parameters, "versions": versions, "hardware": hardware}
        lines.write("ready", seconds=time.perf_counter() - began, **told)

    train(task, stopwatch.stepped, ready)


def main() -> None:
    began = time.perf_counter()
    lines = Lines()
    task = Task.load(sys.argv[1])
    stopwatch = Stopwatch(task, lines)
    (time_fledge if task.peer == "fledge" else time_peer)(task, lines, stopwatch, began)
    stopwatch.end()


if __name__ == "__main__":
    main()
