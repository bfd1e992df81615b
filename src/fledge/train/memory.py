"""The machine's memory: how much is free, and how to stop giving it back after every step."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import time
from pathlib import Path

import torch

FALLBACK_BYTES = 4 * 2**30
CGROUP = Path("/sys/fs/cgroup")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
DEFAULT_BYTES, KEPT_BYTES = 128 * 1024, 2**31 - 1


def keep_buffers(on: bool = True) -> bool:
    """Make glibc keep freed memory instead of giving it back, or do as by itself; False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    threshold = KEPT_BYTES if on else DEFAULT_BYTES
    try:
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(M_MMAP_THRESHOLD, threshold)) and bool(libc.mallopt(M_TRIM_THRESHOLD, threshold))
    except (OSError, AttributeError):  # another C library
        return False


@functools.cache
def reuse_gain() -> float:
    """How many times faster 64 MB of kept memory fills than fresh memory, whose every page faults; 0 without glibc.

    Measured once in a process, before it keeps any; leaves it keeping.
    """

    def fill() -> float:
        start = time.perf_counter()
        torch.empty(2**24).fill_(1.0)
        return time.perf_counter() - start

    fresh = min(fill() for _ in range(5))
    if not keep_buffers():
        return 0.0
    fill()
    return fresh / min(fill() for _ in range(5))


def available_bytes(device: torch.device) -> int:
    """Free memory of ``device``: of the GPU, of the control group, or of the machine; 4 GB where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_meminfo(), _cgroup(), _physical()]
    return min((n for n in found if n), default=FALLBACK_BYTES)


def obtainable_bytes(device: torch.device) -> int:
    """The most memory of ``device`` that a training can get now; 0 where nobody says.

    More than :func:`available_bytes`, which is for choosing among what works: files that the system keeps in memory
    give way, and nothing is left for others.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_meminfo(), _cgroup(cached_is_free=True)]
    return min((n for n in found if n), default=2 * _physical())


def _meminfo() -> int:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _cgroup(cached_is_free: bool = False) -> int:
    try:
        limit = (CGROUP / "memory.max").read_text("ascii").strip()
        used = int((CGROUP / "memory.current").read_text("ascii"))
        if cached_is_free:
            rows = (line.split() for line in (CGROUP / "memory.stat").read_text("ascii").splitlines())
            used -= sum(int(n_bytes) for name, n_bytes in rows if name in ("active_file", "inactive_file"))
        return 0 if limit == "max" else max(1, int(limit) - used)
    except (OSError, ValueError):
        return 0


def _physical() -> int:
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    except (AttributeError, OSError, ValueError):  # Windows
        return 0
