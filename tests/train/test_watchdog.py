"""Hangs that the watchdog ends, and how each is told; each in a process of its own, which does not come back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fledge.train.watchdog import HANG_CODE

HANGING = """
import ctypes, sys
from pathlib import Path
from fledge.train import watchdog
watchdog.GRACE_SECONDS, watchdog.LAST_RESORT_SECONDS = 0.1, 2.0
def hang():
    (ctypes.PyDLL if sys.argv[1] == "holding" else ctypes.CDLL)(None).sleep(200)
with watchdog.Watchdog(0.2, Path(sys.argv[2]), 3) as guard:
    guard.beat(7)
    hang()
"""
ENDING = """
import sys, time
from pathlib import Path
from fledge.train import watchdog
watchdog.LAST_RESORT_SECONDS = 0.2
with watchdog.Watchdog(0.5, Path(sys.argv[1])) as guard:
    for step in range(4):
        time.sleep(0.2)
        guard.beat(step)
time.sleep(1.0)
print("alive")
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="calls the C library")


def hanging(how: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HANGING, how, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_hang_is_told_on_stderr_and_in_a_file(tmp_path):
    done = hanging("free", tmp_path)
    assert done.returncode == HANG_CODE
    assert "process 3 did no step for 0.2 s after step 7, its stacks stand above; run the same" in done.stderr
    path = tmp_path / "stacks-3.txt"
    assert f"the stacks of process 3 are in {path} too" in done.stderr
    assert "in hang" in done.stderr and "in hang" in path.read_text("utf-8")


def test_a_directory_that_takes_no_file_keeps_nothing_from_stderr(tmp_path):
    done = hanging("free", tmp_path / "absent")
    assert done.returncode == HANG_CODE
    assert "in hang" in done.stderr and "process 3 did no step" in done.stderr
    assert "Traceback" not in done.stderr and "too" not in done.stderr.splitlines()[-1]


def test_a_hang_that_holds_the_interpreter_is_ended_too(tmp_path):
    done = hanging("holding", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Timeout (") and "in hang" in done.stderr


def test_a_block_that_ended_is_watched_no_more(tmp_path):
    done = subprocess.run([sys.executable, "-c", ENDING, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
    assert list(tmp_path.iterdir()) == []
