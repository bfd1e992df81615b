from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.tools.calculator import calculator
from fledge.infer.tools.call import ToolCall
from fledge.infer.tools.named import loaded
from fledge.infer.tools.results import cut, failure, harmless
from fledge.infer.tools.tool import Limits, tool
from fledge.infer.tools.toolbox import Toolbox
from fledge.types import FledgeError

Text = Callable[..., str]
NAMES = ("add", "nap", "hang", "fail", "pid")


@pytest.fixture
def box(toolfile: Path) -> Iterator[Toolbox]:
    with Toolbox([calculator, *(loaded(f"{toolfile}:{name}") for name in NAMES)], workers=2) as box:
        yield box


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be taken note of does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_a_tool_in_a_file_of_the_users_own(box: Toolbox, written: Text) -> None:
    assert box.names == ("calculator", *NAMES)
    assert box.openai[1]["function"]["name"] == "add"
    assert len(box.descriptions) == len(box.names)
    result = box.run(written("add", a=2, b=40))
    assert (result.text, result.failed, result.name) == ("42", False, "add")
    assert box.run(written("add", a=2)).text == "3"
    assert box.run(written("calculator", expression="12*7")).text == "84"


def test_the_five_lines_of_the_page(tmp_path: Path, written: Text) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
    lines = page.partition("## Five lines")[2].partition("\n\n")[2].partition("\nIts name")[0]
    (tmp_path / "mine.py").write_text(textwrap.dedent(lines))
    with Toolbox([loaded(f"{tmp_path / 'mine.py'}:weather")]) as box:
        assert box.run(written("weather", city="Zug")).text == "18 C in Zug"


def test_isolated_tools_run_in_another_process_that_is_kept(box: Toolbox, written: Text) -> None:
    first = int(box.run(written("pid")).text)
    assert first != os.getpid()
    assert int(box.run(written("pid")).text) == first


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("ad",), "there is no tool 'ad'; the tools are: calculator, add, nap, hang, fail, pid; did you mean add?"),
        (("add",), 'the argument "a" is missing'),
        (("add", "1"), '"a" must be a whole number, not "1"'),
    ],
)
def test_wrong_calls_are_told(box: Toolbox, call: tuple[str, ...], told: str) -> None:
    result = box.run(ToolCall(call[0], {"a": call[1]} if len(call) > 1 else {}).text())
    assert result.failed
    assert result.text.startswith(f"error: {told}")


def test_failures_come_back(box: Toolbox, written: Text, capfd: pytest.CaptureFixture[str]) -> None:
    assert box.run(written("fail", how="bad")).text == "error: ValueError: bad"
    assert box.run(written("fail", how="exit")).text == "error: SystemExit: bye"
    assert box.run(written("fail", how="die")).text == "error: the tool's process ended unexpectedly"
    assert box.run(written("add", a=1)).text == "2"
    flood = box.run(written("fail", how="flood"))
    assert len(flood.text) == 2_000
    assert flood.text.endswith("x\n[cut after 1972 characters]")
    assert box.run(written("fail", how="odd")).text == "\ufffd[2J\ufffd\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["nap", "hang"])
def test_what_takes_too_long_is_stopped(box: Toolbox, written: Text, name: str) -> None:
    before = int(box.run(written("pid")).text)
    box.run(written("nap", seconds=0))
    started = time.monotonic()
    result = box.run(written(name, seconds=30) if name == "nap" else written(name))
    assert result.text == "error: stopped at the time limit of 0.3 s"
    assert result.failed
    assert time.monotonic() - started < 3
    assert not alive(before)
    assert int(box.run(written("pid")).text) != before


@pytest.mark.skipif(os.name != "posix", reason="processes have groups on POSIX only")
def test_what_a_tool_started_ends_with_it(box: Toolbox, written: Text, tmp_path: Path) -> None:
    result = box.run(written("nap", seconds=30, note="child"))
    assert "time limit" in result.text
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert "sleep 60" not in done.splitlines()


def test_several_threads_at_once(box: Toolbox, written: Text) -> None:
    results: dict[int, str] = {}

    def work(n: int) -> None:
        results[n] = box.run(written("add", a=n, b=n) if n % 5 else written("nap", seconds=30)).text

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for n in range(20):
        assert results[n] == (str(2 * n) if n % 5 else "error: stopped at the time limit of 0.3 s")


def test_a_worker_outlives_the_thread_that_needed_it_first(box: Toolbox, written: Text) -> None:
    pids: list[str] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: pids.append(box.run(written("pid")).text))
        thread.start()
        thread.join()
        time.sleep(0.1)
    assert pids[0] == pids[1]


def test_close_ends_the_workers_and_the_calls_under_way(toolfile: Path, written: Text) -> None:
    box = Toolbox([replace(loaded(f"{toolfile}:{name}"), limits=Limits(60)) for name in NAMES])
    pid = int(box.run(written("pid")).text)
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(box.run(written("hang")).text))
    thread.start()
    time.sleep(0.3)
    box.close()
    thread.join(5)
    assert results == ["error: the tool's process ended unexpectedly"]
    box.close()
    assert not alive(pid)
    assert box.run(written("add", a=1)).text == "error: the tools are closed"


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize("name", ["nap", "hang"])
def test_workers_die_with_a_parent_that_is_killed(toolfile: Path, tmp_path: Path, name: str) -> None:
    noted = tmp_path / "pid"
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time, threading\n"
        "from dataclasses import replace\n"
        "from fledge.infer.tools.call import ToolCall\n"
        "from fledge.infer.tools.named import loaded\n"
        "from fledge.infer.tools.tool import Limits\n"
        "from fledge.infer.tools.toolbox import Toolbox\n"
        f"tools = [replace(loaded({str(toolfile)!r} + ':' + n), limits=Limits(60)) for n in ('nap', 'hang', 'pid')]\n"
        "box = Toolbox(tools)\n"
        "pid = box.run(ToolCall('pid', {}).text()).text\n"
        f"call = ToolCall({name!r}, {{'seconds': 60}} if {name!r} == 'nap' else {{}})\n"
        "threading.Thread(target=box.run, args=(call.text(),)).start()\n"
        "time.sleep(0.3)\n"
        f"open({str(noted)!r} + '.part', 'w').write(pid)\n"
        f"import os; os.rename({str(noted)!r} + '.part', {str(noted)!r})\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 60
    while not noted.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(noted.read_text())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)


def test_a_reply_has_a_number_of_calls(box: Toolbox, written: Text) -> None:
    session = box.session(max_calls=2)
    assert [session.run(written("calculator", expression="1+1")).text for _ in range(2)] == ["2", "2"]
    last = session.run(written("calculator", expression="1+1"))
    assert last.failed
    assert "at most 2 calls" in last.text


@tool(isolated=False)
def here(how: str) -> str:
    """Fail in this process."""
    if how == "exit":
        raise SystemExit("bye")
    if how == "deep":
        return here(how)
    raise KeyError(how)


def test_tools_of_this_process_do_not_take_it_down(written: Text) -> None:
    with Toolbox([here]) as box:
        assert box.run(written("here", how="x")).text == "error: KeyError: 'x'"
        assert box.run(written("here", how="exit")).text == "error: SystemExit: bye"
        assert "RecursionError" in box.run(written("here", how="deep")).text


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(FledgeError, match="two tools named calculator"):
        Toolbox([calculator, calculator])


ANY = st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Lu"]))
SHARED = Toolbox([calculator, here])


@settings(max_examples=300, deadline=None)
@given(
    ANY
    | st.builds(lambda e: ToolCall("calculator", {"expression": e}).text(), ANY)
    | st.builds(lambda n, a: ToolCall(n, {"how": a}).text(), st.sampled_from(["here", "calculator", "x"]), ANY)
)
def test_run_never_raises(text: str) -> None:
    result = SHARED.run(text)
    assert len(result.text) <= Limits().output_chars
    result.text.encode("utf-8")
    assert harmless(result.text) == result.text


@settings(deadline=None)
@given(ANY, ANY, st.integers(100, 300))
def test_results_fit(text: str, output: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit
    told = failure(text, output, limit)
    assert len(told) <= limit
    assert told.rpartition("\n")[2].startswith(("error:", "[cut after"))
