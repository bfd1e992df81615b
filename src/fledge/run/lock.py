"""One process per run directory: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fledge.run.files import told
from fledge.types import FledgeError

LOCK_NAME = ".lock"
_WINDOWS_LOCKED_BYTE = 1 << 30


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the lock of a run directory; raises FledgeError that names the holder where another process has it.

    Reading a run needs no lock. The file stays behind unlocked, since removing it would race with the next holder.
    """
    path = run / LOCK_NAME
    with told(path):
        run.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")
    with file:
        if not _take(file):
            raise FledgeError(
                f"another process works on this run ({holder(run)})",
                where=str(run),
                fix="wait for it, stop it, or choose another directory with --out",
            )
        try:
            with told(path):
                file.truncate(0)
                file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
                file.flush()
            yield
        finally:
            _release(file)


def holder(run: Path) -> str:
    """``process 123 on host``: who last took the lock."""
    try:
        noted = json.loads((run / LOCK_NAME).read_bytes())
        return f"process {noted['pid']} on {noted['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "process unknown"


def in_use(run: Path) -> bool:
    """Whether another process holds the lock; needs to read only."""
    try:
        file = open(run / LOCK_NAME, "rb")
    except OSError:
        return False
    with file:
        if not _take(file, shared=True):
            return True
        _release(file)
        return False


if os.name == "nt":
    import msvcrt

    def _take(file: IO[bytes], *, shared: bool = False) -> bool:
        file.seek(_WINDOWS_LOCKED_BYTE)  # a byte beyond the text, which others may then still read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        return True

    def _release(file: IO[bytes]) -> None:
        file.seek(_WINDOWS_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined, unused-ignore]

else:
    import fcntl

    def _take(file: IO[bytes], *, shared: bool = False) -> bool:
        # record locks, not flock: forked workers that outlive a killed parent would go on holding a flock
        try:
            fcntl.lockf(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise FledgeError(
                f"this file system cannot lock files ({error.strerror})",
                where=str(file.name),
                fix="choose a directory on another disk with --out",
            ) from error
        return True

    def _release(file: IO[bytes]) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN)
