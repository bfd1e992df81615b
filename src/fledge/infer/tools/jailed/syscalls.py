"""The system calls of x86-64 that confined code may make, by number (arch/x86/entry/syscalls/syscall_64.tbl of Linux).

Files are opened where Landlock lets them be; what Landlock does not see (modes, owners, times, attributes, directories
to work in) is not on the list, nor is anything that makes processes, threads, sockets, or new kinds of memory.
"""

from __future__ import annotations

ARCHITECTURE = 0xC000003E
X32 = 0x40000000

_FILES = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "pipe": 22, "select": 23, "dup": 32,
    "dup2": 33, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "getdents": 78, "getcwd": 79, "rename": 82,
    "mkdir": 83, "rmdir": 84, "unlink": 87, "symlink": 88, "readlink": 89, "umask": 95, "getdents64": 217,
    "openat": 257, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "readlinkat": 267, "faccessat": 269,
    "pselect6": 270, "ppoll": 271, "dup3": 292, "pipe2": 293, "preadv": 295, "pwritev": 296, "renameat2": 316,
    "statx": 332, "close_range": 436, "faccessat2": 439,
}  # fmt: skip
_MEMORY = {"mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "mremap": 25, "madvise": 28}
_SIGNALS = {"rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sigaltstack": 131}
_ITSELF = {
    "sched_yield": 24, "getpid": 39, "exit": 60, "uname": 63, "getrusage": 98, "times": 100, "getuid": 102,
    "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "gettid": 186, "futex": 202,
    "sched_getaffinity": 204, "restart_syscall": 219, "exit_group": 231, "getrandom": 318,
}  # fmt: skip
_TIME = {
    "nanosleep": 35, "gettimeofday": 96, "time": 201, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230
}  # fmt: skip

ALLOWED = sorted({**_FILES, **_MEMORY, **_SIGNALS, **_ITSELF, **_TIME}.values())

_FCNTL, _IOCTL, _CLONE3, _KILL, _TGKILL = 72, 16, 435, 62, 234
PRLIMIT64 = 302

_PLAIN_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
"""Duplicates, flags and locks. Not the owner (8, 15) and signal (10) of a file: through those the kernel would send any
signal to any process of the same user."""

ALLOWED_WITH = {_FCNTL: (1, _PLAIN_FCNTL)}
"""Number: (which argument, the values that it may have)."""

OWN_PROCESS_ONLY = (_KILL, _TGKILL)

ERRNO = {_IOCTL: 25, _CLONE3: 38}
"""Answered as by a file that is no terminal, and by a kernel without the call: their callers then do without."""
