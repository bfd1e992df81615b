"""Full CPython for code that a model wrote: a process of its own behind Landlock and seccomp, or none at all.

Each call starts a fresh interpreter (``jailed/``) that confines itself before it reads the code: the only files are
Python's own library, read only, and an empty private directory; there are no sockets, processes, threads or signals to
others, no environment, no inherited files. This side counts time, output and disk, and kills.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.scratch import emptied, used
from fledge.types import FledgeError

COMMAND = (sys.executable, "-I", "-S", "-B", "-X", "utf8", str(Path(__file__).with_name("jailed")))
TICK_SECONDS = 0.05
GRACE_CPU_SECONDS = 2
START_SECONDS = 10.0


@dataclass(frozen=True)
class JailLimits:
    """``seconds`` of wall time from when the code is handed over; bytes of memory, files, one file, output."""

    seconds: float = 5.0
    memory_bytes: int = 512 << 20
    disk_bytes: int = 16 << 20
    file_bytes: int = 8 << 20
    files: int = 500
    output_bytes: int = 1 << 20


@dataclass
class Ended:
    """How a confined process ended: its output and its errors, cut, and why it was killed, if it was."""

    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    status: int = 0
    killed: str = ""


def run_jailed(code: str, limits: JailLimits | None = None) -> str:
    """What ``code`` printed, and the value of its last expression. ToolError where it fails, is killed, or crashes.

    Raises FledgeError where this machine cannot confine a process.
    """
    limits = limits or JailLimits()
    require()
    ended = _confined(code, limits)
    output = ended.output.decode(errors="replace")
    if ended.killed:
        raise ToolError(ended.killed, output)
    if ended.status < 0:
        raise ToolError(_crashed(-ended.status), output)
    if ended.status:
        raise ToolError(ended.errors.decode(errors="replace") or f"ended with status {ended.status}", output)
    return output.removesuffix("\n")


@cache
def unavailable() -> str:
    """Why this machine cannot confine a process, "" if it can: all walls are raised once and asked for."""
    if sys.platform != "linux":
        return "needs Linux"
    ended = _confined("", JailLimits(seconds=START_SECONDS))
    if ended.status == 0 and not ended.killed:
        return ""
    return ended.killed or (ended.output + ended.errors).decode(errors="replace").strip() or "cannot be started"


def require() -> None:
    """FledgeError where :func:`unavailable`."""
    if reason := unavailable():
        raise FledgeError(f"cannot be used here: {reason}", where="python jail", fix="use the default sandbox")


def _crashed(number: int) -> str:
    known: dict[int, str] = {
        signal.SIGXCPU: "used too much processor time",
        signal.SIGSYS: "made a forbidden system call",
    }
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"the code {known.get(number, f'crashed Python ({name})')}"


def _confined(code: str, limits: JailLimits) -> Ended:
    scratch = Path(tempfile.mkdtemp(prefix="fledge-jail-"))
    asked = {
        "code": code,
        "scratch": str(scratch),
        "parent": os.getpid(),
        "cpu_seconds": math.ceil(limits.seconds) + GRACE_CPU_SECONDS,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
    }
    try:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={},
            start_new_session=True,
        )
        try:
            return _watched(process, json.dumps(asked).encode(), scratch, limits)
        finally:
            if process.returncode is None:  # not yet waited for, so the number is still this process's
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
    finally:
        emptied(scratch)


def _watched(process: subprocess.Popen[bytes], asked: bytes, scratch: Path, limits: JailLimits) -> Ended:
    """Hand the code over and read what comes, until the process ends or has to be killed."""
    ended = Ended()
    assert process.stdin and process.stdout and process.stderr
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(asked)
        process.stdin.close()
    deadline = time.monotonic() + limits.seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, ended.output)
        selector.register(process.stderr, selectors.EVENT_READ, ended.errors)
        checked = 0.0
        while selector.get_map() or not _exited(process):
            if not selector.get_map():
                time.sleep(TICK_SECONDS / 5)
            for key, _ in selector.select(TICK_SECONDS):
                piece = os.read(key.fd, 1 << 16)
                kept: bytearray = key.data
                kept += piece[: max(0, limits.output_bytes - len(kept))]
                if not piece:
                    selector.unregister(key.fileobj)
            now = time.monotonic()
            if now > deadline:
                ended.killed = f"stopped at the time limit of {limits.seconds:g} s"
            elif now - checked > TICK_SECONDS:
                checked = now
                ended.killed = _over(scratch, limits)
            if ended.killed:
                return ended
    ended.status = process.wait()
    return ended


def _over(scratch: Path, limits: JailLimits) -> str:
    size, count = used(scratch, limits.files)
    if size > limits.disk_bytes:
        return f"stopped: its files took more than {limits.disk_bytes >> 20} MB"
    return f"stopped: it made more than {limits.files} files" if count > limits.files else ""


def _exited(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it is not waited for yet, so that its number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
