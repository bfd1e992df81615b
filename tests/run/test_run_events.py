"""The events of a stage that was killed in the middle of a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fledge.run.events import EventLog, read_events


def test_the_event_after_a_half_written_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as events:
        events.write("step", step=1)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    with EventLog(path) as events:
        events.write("step", step=2)
    assert [event["step"] for event in read_events(path, "step")] == [1, 2]
    lines = path.read_text("utf-8").splitlines()
    with EventLog(path):
        pass
    assert path.read_text("utf-8").splitlines() == lines


FILLING = """
import resource, sys
from fledge.run.events import EventLog
from fledge.types import FledgeError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with EventLog(sys.argv[1]) as events:
        while True:
            events.write("step", text="x" * 50)
except FledgeError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files")
def test_a_file_that_can_grow_no_more_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    done = subprocess.run([sys.executable, "-c", FILLING, str(path)], capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.count("\n") == 1
    assert f"{path}: file too large; raise the limit" in done.stdout
