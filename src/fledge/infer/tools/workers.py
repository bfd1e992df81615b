"""Worker processes for isolated tools: started when first needed, kept, killed at a time limit and started anew."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.tool import Tool

LOAD_SECONDS = 60.0
"""For the start of a worker and the import of a tool, which may bring a large library."""

LONGEST_ANSWER = 64 << 20


class WorkerEnded(Exception):
    """The worker is gone: it was killed at the time limit (``late``), or ended by itself."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.late = late


class Worker:
    """One worker process; one question at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._lock = threading.Lock()
        self._ended = self._late = False
        self._loaded: set[str] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fledge.infer.tools.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        return self._ended

    def call(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """The result, hardly longer than may be shown. ToolError, or WorkerEnded, after which it is of no use."""
        if tool.reference not in self._loaded:
            self._ask({"load": tool.reference}, LOAD_SECONDS)
            self._loaded.add(tool.reference)
        given = {**tool.fixed, **arguments}
        question = {"call": tool.reference, "arguments": given, "chars": tool.limits.output_chars}
        text: str = self._ask(question, tool.limits.seconds)["text"]
        return text

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        timer = threading.Timer(seconds, self.kill, kwargs={"late": True})
        timer.daemon = True
        timer.start()
        line = b""
        try:
            assert self._process.stdin and self._process.stdout
            with contextlib.suppress(OSError, ValueError):  # the pipe of a process that was killed
                self._process.stdin.write(json.dumps(question).encode() + b"\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline(LONGEST_ANSWER)
        finally:
            timer.cancel()
            timer.join()
            if not line.endswith(b"\n"):
                self.kill()
        if not line.endswith(b"\n"):
            raise WorkerEnded(self._late)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ToolError(answer["error"], answer["output"])
        return answer

    def kill(self, late: bool = False) -> None:
        """End the process and all that it started. May be called from any thread, and twice."""
        with self._lock:
            if self._ended:
                return
            self._ended, self._late = True, late
            # not waited for until now, so that the number of its group is its own
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


class Workers:
    """At most ``most`` workers; calls from several threads wait for a free one."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        # Linux ends a worker with the thread that started it, so that must be one that lives on
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="fledge-tools")

    def call(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """As :meth:`Worker.call`; ToolError where the time is up or the worker ended."""
        with self._free:
            worker = self._take()
            try:
                return worker.call(tool, arguments)
            except WorkerEnded as end:
                late = f"stopped at the time limit of {tool.limits.seconds:g} s"
                raise ToolError(late if end.late else "the tool's process ended unexpectedly") from end
            except ToolError:
                raise
            except BaseException:  # Ctrl-C: an answer may still come, which would be taken for the next one's
                worker.kill()
                raise
            finally:
                self._give_back(worker)

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise ToolError("the tools are closed")
            worker = self._idle.pop() if self._idle else self._starter.submit(Worker).result()
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if not worker.ended and not self._closed:
                self._idle.append(worker)
                return
        worker.close()

    def close(self) -> None:
        """End every worker; calls under way fail."""
        with self._lock:
            self._closed = True
            workers = [*self._idle, *self._busy]
            self._idle.clear()
        for worker in workers:
            worker.kill()
        self._starter.shutdown()
