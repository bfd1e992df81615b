"""Worker processes that may die: the chunk of a dead one is tried again alone, then without the record that kills."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from fledge.run.processes import children_ignore_interrupts
from fledge.text.chunks import Chunk, process_chunk
from fledge.text.clean import Cleaner
from fledge.text.config import TextConfig
from fledge.text.sources.records import RawRecord
from fledge.types import FledgeError, Reject


def worker_main(connection: Connection, config: TextConfig, work: Path) -> None:
    """Take (chunk, dead records, whether to tell each record) from ``connection`` until it closes; send results."""
    import pyarrow as pa

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends its workers
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with contextlib.ExitStack() as stack:
        cleaner = Cleaner(config, _extraction(config, stack))
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                try:
                    chunk, dead, tell = connection.recv()
                except OSError:  # the main process ended in the middle of a message
                    return
                records = _telling(chunk, connection) if tell else chunk.records
                try:
                    summary = process_chunk(chunk, records, cleaner, config, work, dead)
                except FledgeError as error:
                    connection.send(("error", (error.what, error.where, error.fix)))
                else:
                    connection.send(("done", summary))


def _extraction(config: TextConfig, stack: contextlib.ExitStack) -> Callable[[RawRecord], RawRecord | Reject]:
    """HTML and PDF to text, by a child process that begins with the first page and ends with ``stack``."""

    @functools.cache
    def extractor() -> Any:
        from fledge.text.sources.extract import Extractor

        return stack.enter_context(Extractor(config.source))

    return lambda record: extractor().read(record)


def _telling(chunk: Chunk, connection: Connection) -> Iterator[Any]:
    for number, record in enumerate(chunk.records):
        connection.send(("record", number))
        yield record


class _Worker:
    """One process and the chunk that it is at."""

    def __init__(self, config: TextConfig, work: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=worker_main, args=(theirs, config, work), name="fledge-text")
        self.chunk: Chunk | None = None
        try:
            with children_ignore_interrupts():
                self.process.start()
                theirs.close()
        except BaseException:
            if self.process.pid is not None:
                self.end()
            raise

    def give(self, chunk: Chunk, dead: frozenset[int] = frozenset(), tell: bool = False) -> None:
        self.chunk = chunk
        with contextlib.suppress(OSError):  # a worker that died meanwhile is found when its answer is read
            self.connection.send((chunk, dead, tell))

    def answer(self) -> tuple[str, Any]:
        """What it says next; ("died", None) where it is no more. Raises the FledgeError that it met."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            return "died", None
        if kind == "error":
            what, where, fix = value
            raise FledgeError(what, where=where, fix=fix)
        return kind, value

    def end(self) -> None:
        self.connection.close()
        self.process.join(timeout=2)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(timeout=2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def run_chunks(
    chunks: Iterable[Chunk | dict[str, Any]], config: TextConfig, work: Path, *, workers: int
) -> Iterator[dict[str, Any]]:
    """Yield the summaries of all chunks as they are finished; at most ``workers`` + 1 chunks are in memory.

    Of ``chunks``, summaries of what is done already pass through. Raises FledgeError for what no chunk could survive,
    such as a full disk.
    """
    pool: list[_Worker] = []
    waiting = iter(chunks)
    try:
        following = next(waiting, None)
        while following is not None or any(worker.chunk for worker in pool):
            if isinstance(following, dict):
                yield following
                following = next(waiting, None)
                continue
            idle = next((worker for worker in pool if worker.chunk is None), None)
            if following is not None and (idle is not None or len(pool) < workers):
                if idle is None:
                    idle = _Worker(config, work)
                    pool.append(idle)
                idle.give(following)
                following = next(waiting, None)
                continue
            busy = {worker.connection: worker for worker in pool if worker.chunk is not None}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                kind, value = worker.answer()
                if kind == "done":
                    worker.chunk = None
                    yield value
                else:
                    yield from _after_a_death(worker, pool, config, work)
                    break
    finally:
        for worker in pool:
            worker.end()


def _after_a_death(dead: _Worker, pool: list[_Worker], config: TextConfig, work: Path) -> Iterator[dict[str, Any]]:
    """Let the others finish, then run the chunk of ``dead`` by itself, so that it has all the memory."""
    pool.remove(dead)
    dead.end()
    chunk = dead.chunk
    assert chunk is not None
    lost = []
    for worker in list(pool):
        if worker.chunk is not None:
            kind, value = worker.answer()
            if kind == "done":
                yield value
            else:
                lost.append(worker.chunk)
            worker.chunk = None
        worker.end()
        pool.remove(worker)
    for each in (chunk, *lost):
        yield _alone(each, config, work)


def _alone(chunk: Chunk, config: TextConfig, work: Path) -> dict[str, Any]:
    """Run one chunk with nothing beside it; each record at which the worker dies again is left out from then on."""
    killers: frozenset[int] = frozenset()
    while True:
        worker = _Worker(config, work)
        try:
            worker.give(chunk, killers, tell=True)
            at = -1
            kind, value = worker.answer()
            while kind == "record":
                at = value
                kind, value = worker.answer()
        finally:
            worker.end()
        if kind == "done":
            return value
        if at < 0 or at in killers:
            raise FledgeError(
                "worker processes die before they read a record", where="text", fix="see whether memory is short"
            )
        killers |= {at}
