"""An engine in a process of its own, with the surface of one in this."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from fledge.infer.driving import Driven
from fledge.infer.request import Completion, Event, GenerateRequest
from fledge.types import FledgeError

CALLS = ("load", "check", "submit", "_step", "_cancel", "logprobs", "embed", "fingerprint", "update_weights")
END_SECONDS = 10


class RemoteEngine(Driven):
    """Loads ``path`` in a process of its own (see :func:`fledge.infer.load.load_engine` for ``settings``).

    A context manager; :meth:`close` ends the process, which also ends when this one does. Raises FledgeError for what
    the engine refuses, and where its process is gone.
    """

    def __init__(self, path: str | Path, *, threads: int = 0, **settings: Any) -> None:
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, str(path), threads, settings), daemon=True)
        self._process.start()
        theirs.close()
        self._calling = threading.Lock()
        self._n_calls = 0
        self.context_length, self.vocab_size = self._answer(0)

    def check(self, request: GenerateRequest) -> None:
        self._call("check", request)

    def submit(self, request: GenerateRequest) -> int:
        return self._call("submit", request)

    def _cancel(self, request: int) -> Completion | None:
        return self._call("_cancel", request)

    def _step(self) -> list[Event]:
        return self._call("_step")

    def logprobs(self, sequences: Sequence[Sequence[int]]) -> list[Any]:
        """As :meth:`fledge.infer.engine.Engine.logprobs`."""
        return self._call("logprobs", [list(ids) for ids in sequences])

    def embed(self, sequences: Sequence[Sequence[int]]) -> list[Any]:
        """As :meth:`fledge.infer.engine.Engine.embed`."""
        return self._call("embed", [list(ids) for ids in sequences])

    def fingerprint(self) -> str:
        """SHA-256 over the names and values of all weights."""
        return self._call("fingerprint")

    def update_weights(self, path: str | Path, version: int) -> None:
        """Go on with the weights of a checkpoint or ``model/`` folder; what was read with the old ones is read anew."""
        self._call("update_weights", str(path), version)

    def close(self) -> None:
        """End the process; requests under way are lost."""
        self._pipe.close()
        self._process.join(END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._calling:
            self._n_calls += 1
            try:
                self._pipe.send((self._n_calls, name, arguments))
            except OSError:
                raise self._gone() from None
            return self._answer(self._n_calls)

    def _answer(self, call: int) -> Any:
        """What came of a call; answers to earlier ones, whose callers were interrupted, are passed over."""
        while True:
            try:
                number, good, value = self._pipe.recv()
            except (EOFError, OSError):
                raise self._gone() from None
            if number == call:
                break
        if good:
            return value
        raise FledgeError(value[0], where=value[1], fix=value[2])

    def _gone(self) -> FledgeError:
        self._process.join(END_SECONDS)
        return FledgeError(f"the engine's process ended (exit code {self._process.exitcode})", fix="load it again")


def _serve(pipe: Connection, path: str, threads: int, settings: dict[str, Any]) -> None:
    """Answer one call after the other until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who drives
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from fledge.infer.load import load_engine, read_decoder

    if threads:
        torch.set_num_threads(threads)
    engine: Any = None

    def answered(name: str, arguments: tuple[Any, ...]) -> Any:
        nonlocal engine
        assert name in CALLS
        if name == "load":
            engine = load_engine(path, **settings)[0]
            return engine.context_length, engine.vocab_size
        if name == "update_weights":
            arguments = (read_decoder(Path(arguments[0]))[0], arguments[1])
        return getattr(engine, name)(*arguments)

    number, name, arguments = 0, "load", ()
    while True:
        try:
            answer = (number, True, answered(name, arguments))
        except FledgeError as error:
            answer = (number, False, (error.what, error.where, error.fix))
        except Exception as error:  # a fault of a request ends no other
            answer = (number, False, (f"{type(error).__name__}: {error}", name, ""))
        try:
            pipe.send(answer)
            if engine is None:
                return
            number, name, arguments = pipe.recv()
        except (EOFError, OSError):
            return
