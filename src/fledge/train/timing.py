"""How long pieces of work take, compared on a machine that has other things to do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

BUDGET_SECONDS = 0.5


def best_seconds(works: Mapping[str, Callable[[], Any]], device: torch.device) -> dict[str, float]:
    """The shortest time of each piece of work, called in turns: what else runs on the machine strikes all alike.

    Every piece is called once to warm up and then two to ten times, as ``BUDGET_SECONDS`` allow.
    """
    best = dict.fromkeys(works, math.inf)
    began = time.perf_counter()
    for turn in range(11):
        if turn > 2 and time.perf_counter() - began > BUDGET_SECONDS:
            break
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            elif device.type == "mps":
                torch.mps.synchronize()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


@contextmanager
def one_thread() -> Iterator[None]:
    """Compare in one thread: with more, a busy machine makes each wait for the others, and counts the waiting."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n)
