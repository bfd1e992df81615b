"""One process per run directory, and a lock that dies with its process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from fledge.run.lock import in_use, locked
from fledge.types import FledgeError

HOLD = """
import sys, time
from pathlib import Path
from fledge.run.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_with_the_holders_name(tmp_path, holder):
    with pytest.raises(FledgeError) as caught, locked(tmp_path):
        pass
    line = str(caught.value)
    assert in_use(tmp_path)
    assert f"process {holder.pid} on " in line and "choose another directory with --out" in line


def test_the_lock_dies_with_its_process(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert not in_use(tmp_path)
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text(encoding="utf-8")


def test_the_lock_is_given_back(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_forked_children_that_live_on_hold_nothing(tmp_path):
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom fledge.run.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(20)\n        os._exit(0)\n"
        "    print(child, flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.wait()
    try:
        with locked(tmp_path):
            pass
    finally:
        os.kill(child, 9)
        process.stdout.close()
