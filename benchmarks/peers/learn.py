"""One contestant learns a text: ``python -m peers.learn TASK``; JSON lines come out.

{"event": "ready", "n_parameters", …}; {"event": "first", "seconds"} after the first step, which compiles; at the steps
of ``task.quality["evaluate"]`` {"event": "point", "step", "tokens", "seconds", "bits"}: bits per byte of the held-out
texts, and the seconds of training up to there, building and compiling included and evaluation left out. The last point
scores all of the held-out texts, those before it the first ``curve_rows`` rows of each; {"event": "end", "peak_bytes"}.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.child import MODULES, Lines, peak_bytes
from peers.loaders import LOADERS, Stream
from peers.task import Task

ROWS_AT_ONCE = 8


class Curve:
    """The clock of a training, stopped while it is evaluated."""

    def __init__(self, task: Task, lines: Lines) -> None:
        self.task, self.lines = task, lines
        self.quality = task.quality
        self.began, self.evaluating = time.perf_counter(), 0.0

    def after(self, step: int, nats: Callable[[Any, Any], Any]) -> None:
        """Evaluate if it is time to; ``step`` counts finished steps."""
        if step == 1:
            self.lines.write("first", seconds=time.perf_counter() - self.began)
        if step not in self.quality["evaluate"]:
            return
        start = time.perf_counter()
        seconds = start - self.began - self.evaluating
        limit = None if step == self.task.n_steps else self.quality["curve_rows"]
        bits = {name: self._bits(Path(path), nats, limit) for name, path in self.quality["heldout"].items()}
        tokens = step * self.task.shape.tokens
        self.lines.write("point", step=step, tokens=tokens, seconds=seconds, bits=bits)
        self.evaluating += time.perf_counter() - start

    def _bits(self, path: Path, nats: Callable[[Any, Any], Any], limit: int | None) -> float:
        """Bits per byte of the rows of a held-out text, of the first ``limit`` of them if given."""
        held = np.load(path)
        rows, n_bytes = torch.from_numpy(held["rows"].astype(np.int64)), held["row_bytes"]
        n = len(rows) if limit is None else min(limit, len(rows))
        total = 0.0
        for first in range(0, n, ROWS_AT_ONCE):
            piece = rows[first : min(n, first + ROWS_AT_ONCE)]
            total += float(nats(piece[:, :-1].contiguous(), piece[:, 1:].contiguous()).double().sum())
        return total / math.log(2) / int(n_bytes[:n].sum())


def learn_peer(task: Task, lines: Lines) -> None:
    shape, curve = task.shape, Curve(task, lines)
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    peer = import_module(MODULES[task.peer]).build(task)
    versions = {"torch": torch.__version__, **peer.versions}
    lines.write("ready", n_parameters=peer.n_parameters, versions=versions)
    stream = Stream.open(Path(task.quality["data"]))
    loader = LOADERS[task.peer](stream, shape.rows, shape.context + 1, task.seed)
    for number in range(task.n_steps):
        rows = torch.from_numpy(next(loader))
        peer.step(number, rows[:, :-1].contiguous(), rows[:, 1:].contiguous())
        curve.after(number + 1, peer.nats)


def learn_fledge(task: Task, lines: Lines) -> None:
    from peers.fledge_ import learn

    import fledge

    curve = Curve(task, lines)
    versions = {"torch": torch.__version__, "fledge": fledge.__version__}

    def ready(n_parameters: int, hardware: dict[str, Any]) -> None:
        lines.write("ready", n_parameters=n_parameters, versions=versions, hardware=hardware)

    learn(task, curve.after, ready)


def main() -> None:
    lines = Lines()
    task = Task.load(sys.argv[1])
    (learn_fledge if task.peer == "fledge" else learn_peer)(task, lines)
    lines.write("end", peak_bytes=peak_bytes())


if __name__ == "__main__":
    main()
