from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fledge.infer.tools import jail
from fledge.infer.tools.call import ToolCall, ToolError
from fledge.infer.tools.python import MODULES, python_tool, run_monty
from fledge.infer.tools.toolbox import Toolbox
from fledge.types import FledgeError

MEMORY = 64 << 20


def run_default(code: str) -> str:
    return run_monty(code, 2.0, MEMORY)


@pytest.fixture(params=["default", "jail"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    if request.param == "jail":
        request.getfixturevalue("jailed")
    yield run_default if request.param == "default" else jail.run_jailed


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("1 + 2", "3"),
        ("x = 3", ""),
        ("None", ""),
        ("", ""),
        ("'abc'", "'abc'"),
        ("print('hi')\nx = 4\nx * 2", "hi\n8"),
        ("x = [3,\n4]\nx[0] + \\\n 1", "4"),
        ("'ü'; 5  # five", "5"),
        ("\r\n1 + 1\r\n", "2"),
        ("for _ in range(3):\n    pass", ""),
        ("print('a', end='')", "a"),
        ("import math\nmath.sqrt(16)", "4.0"),
        ("def f(n):\n    return n * 2\nf(21)", "42"),
    ],
)
def test_shows_what_is_printed_and_the_last_value(run: Callable[[str], str], code: str, result: str) -> None:
    assert run(code) == result


@pytest.mark.parametrize(
    ("code", "told", "output"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (line 1: 1 / 0)", ""),
        ("def f():\n    return x\nf()", "NameError: name 'x' is not defined (line 2: return x)", ""),
        ("print('before')\nraise ValueError('x')", "ValueError: x (line 2: raise ValueError('x'))", "before\n"),
        ("x = (", "SyntaxError: '(' was never closed (line 1: x = ()", ""),
    ],
)
def test_errors_name_the_line(run: Callable[[str], str], code: str, told: str, output: str) -> None:
    with pytest.raises(ToolError) as caught:
        run(code)
    assert str(caught.value) == told
    assert caught.value.output == output


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("class A: pass\nclass B(A): pass", "this Python has no class inheritance and metaclasses (line 2"),
        ("def f():\n    yield 1", "this Python has no yield expressions (line 2: yield 1)"),
        ("import heapq", f"No module named 'heapq' (line 1: import heapq); the modules here are: {MODULES}"),
    ],
)
def test_the_default_says_what_it_lacks(code: str, told: str) -> None:
    with pytest.raises(ToolError) as caught:
        run_default(code)
    assert told in str(caught.value)


def test_the_modules_named_are_there() -> None:
    run_default("\n".join(f"import {name}" for name in MODULES.split()))


def test_nothing_is_kept_between_calls(run: Callable[[str], str]) -> None:
    run("x = 1")
    with pytest.raises(ToolError, match="NameError"):
        run("x")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.text(alphabet="()[]{}'\"\\\n \t:=+-_x1#"))
def test_any_text_is_code_or_a_fault(code: str) -> None:
    try:
        assert isinstance(run_default(code), str)
    except ToolError as error:
        assert str(error)


def test_the_jail_has_the_standard_library_and_a_scratch_directory(jailed: None) -> None:
    code = (
        "import csv, ctypes, decimal, hashlib, heapq, json, random, re, sqlite3, statistics, tempfile, uuid\n"
        "import pathlib\nfrom zipfile import ZipFile\n"
        "with tempfile.TemporaryDirectory() as folder, ZipFile(folder + '/z', 'w') as z:\n    z.writestr('a', 'b')\n"
        "pathlib.Path('d').mkdir()\npathlib.Path('d/x').write_text('s')\n"
        "sqlite3.connect('db').execute('create table t (x)')\n"
        "sorted(str(path) for path in pathlib.Path('.').rglob('*'))"
    )
    assert jail.run_jailed(code) == "['d', 'd/x', 'db']"


def test_the_jail_is_small(jailed: None) -> None:
    """What the code can see of the host besides Python's own files: whether a path is there, and its size."""
    assert jail.run_jailed("import os\n(os.path.exists('/etc/passwd'), os.stat('/etc/passwd').st_size > 0)") == (
        "(True, True)"
    )
    assert jail.run_jailed("import os\ndict(os.environ)") in ("{'LC_CTYPE': 'C.UTF-8'}", "{}")


WITHOUT = """
import ctypes, os, struct, sys
number, error = {number}, 38
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | error), (6, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("=HBBI", *one) for one in code)
buffer = ctypes.create_string_buffer(program, len(program))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
pointed = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
assert libc.prctl(22, 2, pointed) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("number", "told"),
    [(444, "offers no Landlock"), (317, "takes no filter of system calls"), (446, "system call 446")],
)
def test_a_kernel_without_walls_is_refused(
    jailed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    script = tmp_path / "without.py"
    script.write_text(WITHOUT.replace("{number}", str(number)))
    monkeypatch.setattr(jail, "COMMAND", (sys.executable, "-I", str(script), *jail.COMMAND))
    jail.unavailable.cache_clear()
    try:
        with pytest.raises(FledgeError) as caught:
            python_tool(jail=True)
        assert told in str(caught.value)
        with pytest.raises(FledgeError):
            jail.run_jailed("1")
    finally:
        jail.unavailable.cache_clear()


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    jail.unavailable.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    try:
        with pytest.raises(FledgeError, match="python jail: cannot be used here: needs Linux; use the default sandbox"):
            jail.require()
    finally:
        jail.unavailable.cache_clear()


def test_the_jail_dies_with_a_parent_that_is_killed(jailed: None, tmp_path: Path) -> None:
    script = (
        "import tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from fledge.infer.tools.jail import JailLimits, run_jailed\n"
        'run_jailed(\'open("started", "w").close()\\nwhile True: pass\', JailLimits(seconds=60))'
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("*/started")) and time.monotonic() < deadline:
        time.sleep(0.05)
    (scratch,) = tmp_path.iterdir()
    children = [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _parent(entry) == parent.pid
    ]
    assert len(children) == 1
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{children[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{children[0]}").exists()
    assert scratch.exists()


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def test_several_jails_at_once(jailed: None) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Toolbox([python_tool(jail=True)]) as box, ThreadPoolExecutor(8) as pool:
        calls = [ToolCall("python", {"code": f"{n} * 2"}).text() for n in range(16)]
        assert [result.text for result in pool.map(box.run, calls)] == [str(2 * n) for n in range(16)]


def test_tools_load_no_torch() -> None:
    code = (
        "import sys, json, fledge.infer.tools.named as named, fledge.infer.tools.search, fledge.infer.tools.toolbox\n"
        "named.named('calculator'), named.named('python')\nprint(json.dumps('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=os.environ)
    assert json.loads(done.stdout) is False
