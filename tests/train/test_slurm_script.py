"""What ``scripts/slurm.sh`` does with each way in which the processes may end; srun and scontrol are stood in for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "slurm.sh"
SRUN = """#!/bin/bash
echo "srun $* with $SRUN_CPUS_PER_TASK processors each, $MASTER_ADDR"
exit $STATUS
"""
SCONTROL = """#!/bin/bash
case $1 in show) echo first; echo second ;; *) echo "scontrol $*" ;; esac
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script of bash")


def ended(folder: Path, status: int, **environment: str) -> subprocess.CompletedProcess[str]:
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_PER_TASK": "6", "STATUS": str(status)}
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", str(SCRIPT), "recipe.toml", "--out", "shared"]
    return subprocess.run(
        command, env={**os.environ, **slurm, "PATH": path, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(("status", "requeued"), [(0, 0), (1, 0), (2, 0), (75, 1), (138, 1), (143, 1), (137, 0)])
def test_what_is_put_back_into_the_queue(tmp_path, status, requeued):
    done = ended(tmp_path, status)
    assert done.returncode == status and done.stdout.count("scontrol requeue 17") == requeued
    assert ("not put back into the queue" in done.stderr) == (status == 1)
    assert "with 6 processors each, first" in done.stdout and "--wait=120" in done.stdout
    assert "recipe.toml --out shared" in done.stdout


def test_a_job_that_was_put_back_often_enough_ends(tmp_path):
    assert "requeue" not in ended(tmp_path, 75, SLURM_RESTART_COUNT="3", MAX_RESTARTS="3").stdout
    assert "requeue 17" in ended(tmp_path, 75, SLURM_RESTART_COUNT="2", MAX_RESTARTS="3").stdout
