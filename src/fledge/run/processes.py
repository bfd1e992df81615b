"""Processes that work for this one: Ctrl-C, which a terminal sends to all of them, is the parent's to handle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

T = TypeVar("T")


def usable_processors() -> frozenset[int]:
    """The processors that this process may run on, by number: fewer than the machine's where it is bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Processes that start inside never see Ctrl-C; the parent ends them by itself.

    A process takes over which signals its parent has blocked, so there is no moment at which a half-started one could
    be hit. A Ctrl-C that comes meanwhile reaches the parent at the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # which unblocks the signal when it begins
    caught: list[int] = []
    # another thread may be the one that the signal meets; its handler runs here all the same
    handler = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, handler)
        if caught:
            signal.raise_signal(signal.SIGINT)


def map_in_processes(workers: int, function: Callable[..., T], *arguments: Iterable[Any]) -> Iterator[T]:
    """``map``, in this process with one worker, else in spawned ones, as every platform has them.

    Whatever ends the iteration early, an error or Ctrl-C, ends the processes at once.
    """
    if workers <= 1:
        yield from map(function, *arguments)
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        with children_ignore_interrupts():
            results = pool.map(function, *arguments)
        yield from results
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
