"""A host with things to steal and to break, and what was stolen or broken of it by code that ran in a sandbox."""

from __future__ import annotations

import os
import re
import resource
import secrets
import select
import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEPT_PROCESSES = ("fledge.infer.tools.worker", "monty subprocess")


@dataclass
class Host:
    """A folder with a secret file, listeners, a secret in the environment and one in an inheritable pipe."""

    folder: Path
    secrets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.canary = self.folder / "canary"
        self.canary.write_text(self._secret())
        (self.folder / "canary_module.py").write_text(f"SECRET = print({self._secret()!r})")
        self.token = self._secret()
        self.variable = f"FLEDGE_CANARY_{id(self)}"
        os.environ[self.variable] = self.token
        self.pipe, end = os.pipe()
        os.write(end, self._secret().encode())
        os.close(end)
        os.set_inheritable(self.pipe, True)
        self.abstract = f"\0fledge-{os.getpid()}-{id(self)}"
        self.shared = Path(f"/dev/shm/fledge-{os.getpid()}-{id(self)}")
        self.listeners = [self._listener(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))]
        self.port = self.listeners[0].getsockname()[1]
        self.unix = str(self.folder / "socket")
        self.listeners += [
            self._listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port)),
            self._listener(socket.AF_UNIX, socket.SOCK_STREAM, self.unix),
            self._listener(socket.AF_UNIX, socket.SOCK_STREAM, self.abstract),
        ]
        self.names = {
            "CANARY": str(self.canary),
            "OUTSIDE": str(self.folder),
            "PORT": self.port,
            "UNIX": self.unix,
            "ABSTRACT": self.abstract,
            "SHARED": str(self.shared),
            "HOST": os.getpid(),
            "FD": self.pipe,
        }

    def close(self) -> None:
        del os.environ[self.variable]
        os.close(self.pipe)
        for listener in self.listeners:
            listener.close()
        self.shared.unlink(missing_ok=True)

    def code(self, escape: str) -> str:
        """``escape`` with the names that it uses set before it."""
        used = [f"{name} = {value!r}" for name, value in self.names.items() if re.search(rf"\b{name}\b", escape)]
        return "; ".join(used) + "\n" + escape if used else escape

    def state(self) -> dict[str, Any]:
        """All that a sandbox must leave as it is."""
        return {
            "files": {path.name: _file(path) for path in sorted(self.folder.iterdir())},
            "shared memory": self.shared.exists(),
            "environment": dict(os.environ),
            "directory": Path.cwd(),
            "handlers": [signal.getsignal(number) for number in range(1, 32)],
            "limits": [resource.getrlimit(kind) for kind in range(16)],
            "threads": {t.name for t in threading.enumerate() if not t.name.startswith("fledge-tools")},
            "open files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            "priority": os.getpriority(os.PRIO_PROCESS, 0),
            "processors": os.sched_getaffinity(0),
            "processes": set(self._processes()),
        }

    def breaches(self, before: dict[str, Any], result: str) -> list[str]:
        """What got out or was broken since ``before``; ``result`` is what came back."""
        found = [f"a secret came back: {secret}" for secret in self.secrets if secret in result]
        after = self.state()
        found += [f"{name} changed" for name in before if name != "processes" and before[name] != after[name]]
        left = after["processes"] - before["processes"]
        found += [f"process {pid} is left: {name}" for pid, name in left]
        found += [f"{self.listeners.index(one)} was reached" for one in select.select(self.listeners, [], [], 0)[0]]
        return found

    def _secret(self) -> str:
        self.secrets.append(secrets.token_hex(12))
        return self.secrets[-1]

    def _listener(self, family: int, kind: int, address: Any) -> socket.socket:
        listener = socket.socket(family, kind)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        return listener

    def _processes(self) -> list[tuple[int, str]]:
        """Living processes that come from this one and are not kept on purpose."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                # jails of another run beside this one are children of that one
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                jail = "tools/jailed" in line and parent in (1, os.getpid())
                ours = jail or self.token.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if ours and not any(kept in line for kept in KEPT_PROCESSES):
                found.append((int(entry.name), line[:100]))
        return found


def _file(path: Path) -> tuple[Any, ...]:
    told = path.lstat()
    content = path.read_bytes() if path.is_file() else b""
    return content, told.st_mode, told.st_uid, told.st_mtime_ns, told.st_nlink, tuple(os.listxattr(path))


def outcome(text: str, failed: bool) -> str:
    """What happened, in a word or two."""
    if not failed:
        return "output cut" if re.search(r"\[cut after \d+ characters\]$", text) else "ran"
    error = text.rpartition("\n")[2].removeprefix("error: ")
    for part, word in {
        "stopped at the time limit": "time limit",
        "used too much processor time": "time limit",
        "its files took more than": "disk limit",
        "it made more than": "disk limit",
        "made a forbidden system call": "forbidden system call",
        "crashed Python": "crash",
        "the sandbox ended unexpectedly": "crash",
        "the tool's process ended unexpectedly": "crash",
        "this Python has no": "no such syntax",
    }.items():
        if part in error:
            return word
    named = re.match(r"\w+(?=:|$| \(line)", error)
    return named[0] if named else error
