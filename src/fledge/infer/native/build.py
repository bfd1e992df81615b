"""The library of ``decoder.cpp``: compiled once for a machine, by its own compiler, and kept."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from fledge.types import FledgeError

SOURCE = Path(__file__).with_name("decoder.cpp")
FLAGS = ("-O3", "-march=native", "-std=gnu++20", "-shared", "-fPIC", "-pthread")
COMPILERS = ("c++", "g++", "clang++")
COMPILE_SECONDS = 120
VERSION_SECONDS = 20


def library() -> ctypes.CDLL:
    """The compiled library, loaded. Raises FledgeError where there is no compiler or it fails, from then on at once."""
    found = _library_or_why()
    if isinstance(found, str):
        raise FledgeError(found, fix="generation goes on with torch, more slowly")
    return found


@lru_cache(maxsize=1)
def _library_or_why() -> ctypes.CDLL | str:
    names = [os.environ["CXX"]] if os.environ.get("CXX") else COMPILERS
    compiler = next((words for name in names if shutil.which((words := shlex.split(name))[0])), None)
    if compiler is None:
        return "no C++ compiler was found (g++ or clang++)"
    try:
        name = f"decoder-{_identity(compiler)}.so"
        try:
            path = cache_folder() / name
            if not path.is_file():
                _compile(compiler, path)
            loaded = ctypes.CDLL(str(path))
        except (OSError, RuntimeError):  # no home, no room, no right to write there or to run what lies there
            path = Path(tempfile.mkdtemp(prefix="fledge-")) / name
            _compile(compiler, path)
            loaded = ctypes.CDLL(str(path))
    except FledgeError as error:
        return str(error)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{compiler[0]}: {error}"
    loaded.team.restype = ctypes.c_void_p
    return loaded


def cache_folder() -> Path:
    """Where compiled libraries are kept; FLEDGE_CACHE names another place."""
    root = os.environ.get("FLEDGE_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fledge"


def _compile(compiler: Sequence[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [*compiler, *FLAGS, str(SOURCE), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise FledgeError(f"{compiler[0]} took longer than {COMPILE_SECONDS} s", where=SOURCE.name) from None
        if done.returncode or not made.is_file():
            raise FledgeError(f"{compiler[0]} failed: {done.stderr.strip()[-300:]}", where=SOURCE.name)
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        made.replace(path)


def _identity(compiler: Sequence[str]) -> str:
    """What decides the compiled code: source, flags, compiler and processor."""
    asked = [*compiler, "--version"]
    version = subprocess.run(asked, capture_output=True, text=True, timeout=VERSION_SECONDS, check=False).stdout
    sources = sorted(path for path in SOURCE.parent.iterdir() if path.suffix in (".cpp", ".h"))
    parts = [*(path.read_text(encoding="utf-8") for path in sources), *FLAGS, version, platform.machine(), _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
