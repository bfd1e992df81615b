"""The walls around model-written CPython on Linux: resource limits, Landlock, no capabilities, a list of system calls.

Standard library only, for it runs in the process to be confined. Whatever the kernel refuses raises OSError, and
nothing is run behind walls of which one is missing. Follows Documentation/userspace-api/landlock.rst and
seccomp_filter.rst of Linux.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from syscalls import ALLOWED, ALLOWED_WITH, ARCHITECTURE, ERRNO, OWN_PROCESS_ONLY, PRLIMIT64, X32

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
SECCOMP, CAPSET = 317, 126
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SYM, REFER, TRUNCATE = 1 << 7, 1 << 8, 1 << 12, 1 << 13, 1 << 14
READ = READ_FILE | READ_DIR
KEEP = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER
ON_FILES = READ_FILE | WRITE_FILE | TRUNCATE

RET_ALLOW, RET_ERRNO, RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
AT_NUMBER, AT_ARCHITECTURE, AT_ARGUMENTS = 0, 4, 16
EPERM = 1
LEAST_LANDLOCK = 3

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    """A system call; integers are passed as 64 bits."""
    given = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = _libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return int(result)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def landlock_version() -> int:
    """The version of Landlock that the running kernel offers; OSError where it offers none, or one too old.

    Before version 3 a file that may be read could be emptied.
    """
    try:
        version = _call(LANDLOCK_CREATE, None, 0, 1)
    except OSError as error:
        raise OSError(error.errno, "the kernel offers no Landlock") from error
    if version < LEAST_LANDLOCK:
        raise OSError(0, f"the kernel offers Landlock {version}, and {LEAST_LANDLOCK} (Linux 6.2) is needed")
    return version


def limit_resources(*, cpu_seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Hard limits, all inherited and none to be raised. ``file_bytes`` holds for one file."""
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_STACK: 8 << 20,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def restrict_files(rights: Sequence[tuple[Path, int]]) -> None:
    """From now on this process opens files only as ``rights`` say: (a file or all below a directory, what may be done).

    Paths that are not there are passed over. From version 4 on TCP, from 6 on signals and abstract sockets too.
    """
    version = landlock_version()
    handled = (1 << (15 if version < 5 else 16)) - 1
    ruleset_attr = struct.pack("QQQ", handled, 0b11, 0b11)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(LANDLOCK_CREATE, ctypes.c_char_p(ruleset_attr), len(ruleset_attr), 0)
    for path, right in rights:
        if not path.exists():
            continue
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = right if path.is_dir() else right & ON_FILES
        _call(LANDLOCK_ADD, ruleset, 1, ctypes.c_char_p(struct.pack("=Qi", allowed, place)), 0)
        os.close(place)
    _call(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def drop_capabilities() -> None:
    """Root without capabilities: limits can no longer be raised, nor others' files be read."""
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _call(CAPSET, ctypes.c_char_p(header), ctypes.c_char_p(none))


def _filter(pid: int) -> bytes:
    """The BPF program: each system call on the list passes, with the arguments that are listed; others are refused."""
    code: list[tuple[int, int, int, int]] = [
        (LOAD, 0, 0, AT_ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, ARCHITECTURE),
        (RETURN, 0, 0, RET_KILL),
        (LOAD, 0, 0, AT_NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, RET_KILL),
    ]
    for number in ALLOWED:
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ALLOW)]
    for number, error in ERRNO.items():
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ERRNO | error)]
    checked = {**ALLOWED_WITH, **dict.fromkeys(OWN_PROCESS_ONLY, (0, (pid,)))}
    for number, (argument, values) in checked.items():
        code += [(JUMP_EQUAL, 0, 2 + 2 * len(values), number), (LOAD, 0, 0, AT_ARGUMENTS + 8 * argument)]
        for value in values:
            code += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, RET_ALLOW)]
        code += [(RETURN, 0, 0, RET_ERRNO | EPERM)]
    # limits may be read: of this process, with no new ones given
    code += [(JUMP_EQUAL, 0, 7, PRLIMIT64), (LOAD, 0, 0, AT_ARGUMENTS), (JUMP_EQUAL, 0, 5, 0)]
    code += [(LOAD, 0, 0, AT_ARGUMENTS + 16), (JUMP_EQUAL, 0, 3, 0), (LOAD, 0, 0, AT_ARGUMENTS + 20)]
    code += [(JUMP_EQUAL, 0, 1, 0), (RETURN, 0, 0, RET_ALLOW)]
    code += [(RETURN, 0, 0, RET_ERRNO | EPERM)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def restrict_calls() -> None:
    """Install the filter of system calls."""
    program = _filter(os.getpid())
    buffer = ctypes.create_string_buffer(program, len(program))
    pointed = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    try:
        _call(SECCOMP, 1, 0, ctypes.c_char_p(pointed))
    except OSError as error:
        raise OSError(error.errno, "the kernel takes no filter of system calls") from error


def die_with(parent: int) -> None:
    """End with the process ``parent``, which started this one, however it ends."""
    _prctl(PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def enter(scratch: Path, readable: Sequence[Path], *, cpu_seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Confine this process for good. OSError where a wall cannot be raised."""
    if os.uname().machine != "x86_64" or sys.maxsize < 2**32:
        raise OSError(0, f"the list of system calls is of x86-64, not of {os.uname().machine}")
    limit_resources(cpu_seconds=cpu_seconds, memory_bytes=memory_bytes, file_bytes=file_bytes)
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    devices = [(Path("/dev/null"), READ_FILE | WRITE_FILE), (Path("/dev/urandom"), READ_FILE)]
    restrict_files([(scratch, KEEP), *((path, READ) for path in readable), *devices])
    drop_capabilities()
    restrict_calls()
