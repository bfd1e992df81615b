"""The library of ``decoder.cpp``: compiled once for a machine, by its own compiler, and kept."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from fledge.types import FledgeError

SOURCE = Path(__file__).with_name("decoder.cpp")
FLAGS = ("-O3", "-march=native", "-std=gnu++20", "-shared", "-fPIC", "-pthread")
COMPILERS = ("c++", "g++", "clang++")
COMPILE_SECONDS = 120


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The compiled library, loaded. Raises FledgeError where there is no compiler or it fails."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(os.environ.get("CXX", name)))), None)
    if compiler is None:
        raise FledgeError("no C++ compiler was found", fix="install g++ or clang++ for faster generation")
    path = cache_folder() / f"decoder-{_identity(compiler)}.so"
    if not path.is_file():
        _compile(compiler, path)
    loaded = ctypes.CDLL(str(path))
    loaded.team.restype = ctypes.c_void_p
    return loaded


def cache_folder() -> Path:
    """Where compiled libraries are kept; FLEDGE_CACHE names another place."""
    root = os.environ.get("FLEDGE_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fledge"


def _compile(compiler: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [compiler, *FLAGS, str(SOURCE), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise FledgeError(f"{compiler} took longer than {COMPILE_SECONDS} s", where=SOURCE.name) from None
        if done.returncode:
            raise FledgeError(f"{compiler} failed: {done.stderr.strip()[-300:]}", where=SOURCE.name)
        made.replace(path)


def _identity(compiler: str) -> str:
    """What decides the compiled code: source, flags, compiler and processor."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    sources = sorted(path for path in SOURCE.parent.iterdir() if path.suffix in (".cpp", ".h"))
    parts = [*(path.read_text(encoding="utf-8") for path in sources), *FLAGS, version, platform.machine(), _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
