from __future__ import annotations

import importlib.util
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("the host is watched through /proc", allow_module_level=True)

from fledge.infer.tools.call import ToolCall
from fledge.infer.tools.python import python_tool
from fledge.infer.tools.tool import Limits
from fledge.infer.tools.toolbox import Toolbox, ToolResult

SECONDS, ENDLESS_SECONDS = 10.0, 0.5
LATE_SECONDS = 20.0  # for a busy machine: what is not stopped at all takes for ever
SHOWN = 300_000
HOST_KIB, CHILD_KIB = 100 << 10, 700 << 10


def neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"infer_tools_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


escapes, hosts = neighbour("escapes"), neighbour("host")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    host = hosts.Host(tmp_path_factory.mktemp("host"))
    yield host
    host.close()


def boxes(jail: bool) -> Iterator[dict[bool, Toolbox]]:
    """A toolbox for what ends by itself and one for what does not, both warm."""
    made = {
        endless: Toolbox([python_tool(jail=jail, limits=Limits(seconds, SHOWN))], workers=1)
        for endless, seconds in ((False, SECONDS), (True, ENDLESS_SECONDS))
    }
    assert all(map(answers, made.values()))
    yield made
    for box in made.values():
        box.close()


@pytest.fixture(scope="module")
def monty(host: Any) -> Iterator[dict[bool, Toolbox]]:
    yield from boxes(jail=False)


@pytest.fixture(scope="module")
def jail(host: Any, jailed: None) -> Iterator[dict[bool, Toolbox]]:
    yield from boxes(jail=True)


def run(box: Toolbox, code: str) -> ToolResult:
    return box.run(ToolCall("python", {"code": code}).text())


def answers(box: Toolbox) -> bool:
    """On a busy machine a worker may take longer to start than an endless call is given."""
    return any(run(box, "1 + 1").text == "2" for _ in range(40))


def contained(host: Any, box: Toolbox, escape: Any, known: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Run ``escape`` and see that nothing got out, that the host is as it was, and that what came of it is known."""
    before, memory = host.state(), own_kib()
    started = time.monotonic()
    result = run(box, host.code(escape.code))
    seconds = time.monotonic() - started
    assert answers(box)  # also starts anew what was killed
    assert host.breaches(before, result.text) == []
    assert capfd.readouterr() == ("", "")
    assert hosts.outcome(result.text, result.failed) in known.split(" or ")
    assert seconds < (ENDLESS_SECONDS if escape.endless else SECONDS) + LATE_SECONDS
    assert own_kib() - memory < HOST_KIB


def own_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * (resource.getpagesize() // 1024)


@pytest.mark.parametrize("escape", escapes.ESCAPES, ids=lambda escape: escape.name)
def test_nothing_gets_out_of_the_default_sandbox(
    escape: Any, host: Any, monty: dict[bool, Toolbox], capfd: pytest.CaptureFixture[str]
) -> None:
    contained(host, monty[escape.endless], escape, escape.monty, capfd)


@pytest.mark.parametrize("escape", escapes.ESCAPES, ids=lambda escape: escape.name)
def test_nothing_gets_out_of_the_jail(
    escape: Any, host: Any, jail: dict[bool, Toolbox], capfd: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    contained(host, jail[escape.endless], escape, escape.jail, capfd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after == before or after < CHILD_KIB


def test_no_scratch_directory_is_left(
    jail: dict[bool, Toolbox], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = (
        "import os\nfor tree in range(3):\n    path = f't{tree}'\n    for _ in range(90):\n        os.mkdir(path)\n"
        "        path += '/' + 'd' * 20\n    path = path.rpartition('/')[0]\n"
        "    if tree:\n        os.rename(f't{tree - 1}', path + '/t')\nopen('f', 'w').close()\nos.mkdir('closed', 0)"
    )
    run(jail[False], deep)
    assert list(tmp_path.iterdir()) == []


def test_the_names_are_distinct_and_many() -> None:
    names = [escape.name for escape in escapes.ESCAPES]
    assert len(names) == len(set(names)) >= 60


def test_the_page_tells_what_happens() -> None:
    page = escapes.PAGE.read_text(encoding="utf-8")
    assert escapes.page_with_table(page) == page


class Unconfined:
    """Python as it is, with the run of the host: what the checks must see through."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def breaches(self, code: str) -> list[str]:
        before = self.host.state()
        done = subprocess.run(
            [sys.executable, "-c", self.host.code(code)],
            capture_output=True,
            close_fds=False,
            cwd=self.host.folder,
            timeout=20,
        )
        found: list[str] = self.host.breaches(before, (done.stdout + done.stderr).decode(errors="replace"))
        for pid, _ in self.host.state()["processes"] - before["processes"]:
            os.kill(pid, signal.SIGKILL)
        return found


DAEMON = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.closerange(0, 3)\n    time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("print(open(CANARY).read())", "a secret came back"),
        ("import os\nprint(os.environ)", "a secret came back"),
        ("import os\nprint(os.read(FD, 100))", "a secret came back"),
        ("import sys\nsys.path.insert(0, OUTSIDE)\nimport canary_module", "a secret came back"),
        ("print(open('/proc/self/environ').read())", "a secret came back"),
        ("import os\nos.chmod(CANARY, 0o640)", "files changed"),
        ("open(OUTSIDE + '/new', 'w').close()", "files changed"),
        ("import os\nos.mkdir(OUTSIDE + '/d')", "files changed"),
        ("import os\nos.link(CANARY, OUTSIDE + '/l')", "files changed"),
        ("open(SHARED, 'w').close()", "shared memory changed"),
        ("import os\nos.sched_setaffinity(HOST, {min(os.sched_getaffinity(HOST))})", "processors changed"),
        ("import resource\nresource.prlimit(HOST, resource.RLIMIT_CORE, (0, 0))", "limits changed"),
        ("import socket\nsocket.create_connection(('127.0.0.1', PORT))", "0 was reached"),
        (
            "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
            "1 was reached",
        ),
        ("import socket\nsocket.socket(socket.AF_UNIX).connect(UNIX)", "2 was reached"),
        ("import socket\nsocket.socket(socket.AF_UNIX).connect(ABSTRACT)", "3 was reached"),
        (DAEMON, "is left"),
    ],
)
def test_the_checks_see_what_gets_out_of_no_sandbox(code: str, seen: str, tmp_path: Path) -> None:
    host = hosts.Host(tmp_path)
    processors, core = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (core[1], core[1]))
    try:
        assert any(seen in breach for breach in Unconfined(host).breaches(code))
    finally:
        os.sched_setaffinity(0, processors)
        host.close()


def test_the_checks_see_what_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-c", "print('out')"])
    assert capfd.readouterr() == ("out\n", "")
