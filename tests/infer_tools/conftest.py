from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fledge.infer.tools.call import ToolCall
from fledge.infer.tools.jail import unavailable


@pytest.fixture(scope="session")
def jailed() -> None:
    """For tests that need the jail."""
    if reason := unavailable():
        pytest.skip(f"no jail here: {reason}")


@pytest.fixture
def toolfile(tmp_path: Path) -> Path:
    """A user's file of tools."""
    path = tmp_path / "mytools.py"
    path.write_text(
        "import os, subprocess, sys, time\n"
        "from typing import Literal\n"
        "from fledge.infer.tools.tool import Limits, tool\n"
        "@tool\n"
        "def add(a: int, b: int = 1) -> int:\n    'Add two numbers.'\n    return a + b\n"
        "@tool(limits=Limits(seconds=0.3))\n"
        "def nap(seconds: float, note: str = '') -> str:\n    'Sleep.'\n"
        "    child = subprocess.Popen(['sleep', '60']) if note == 'child' else None\n"
        "    if note.startswith('/'):\n        open(note, 'w').write(str(child.pid if child else os.getpid()))\n"
        "    time.sleep(seconds)\n    return 'slept'\n"
        "@tool(limits=Limits(seconds=0.3))\n"
        "def hang() -> int:\n    'Stay in C.'\n    return sum(range(10**14))\n"
        "@tool\n"
        "def fail(how: str) -> str:\n    'Fail.'\n"
        "    print('to stdout', flush=True)\n"
        "    os.write(1, b'{}\\n')\n"
        "    if how == 'exit':\n        sys.exit('bye')\n"
        "    if how == 'die':\n        os._exit(3)\n"
        "    if how == 'flood':\n        return 'x' * 10_000_000\n"
        "    if how == 'odd':\n        return '\\x1b[2J\\ud800\\r\\n'\n"
        "    raise ValueError(how)\n"
        "@tool\n"
        "def pid() -> int:\n    'The process.'\n    return os.getpid()\n"
    )
    return path


@pytest.fixture
def written() -> Callable[..., str]:
    """The text of a call."""

    def text(name: str, **arguments: Any) -> str:
        return ToolCall(name, arguments).text()

    return text
