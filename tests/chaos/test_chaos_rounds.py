"""A few rounds of the fault suite as it is started by hand; ``make chaos`` strikes a hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = [sys.executable, str(ROOT / "benchmarks" / "chaos.py"), "--until", "pretrain"]


@pytest.mark.skipif(sys.platform != "linux", reason="faults are struck with Linux's means")
def test_runs_struck_by_faults_end_as_undisturbed_ones(tmp_path):
    file = tmp_path / "chaos.json"
    faults = ["SIGKILL in a checkpoint", "flipped checkpoint", "NaN in three batches"]
    command = [*SUITE, "--rounds", "3", "--seed", "3", "--only", *faults, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    result = json.loads(file.read_text(encoding="utf-8"))
    assert done.returncode == 0 and "3 rounds, 0 lost, 0 skipped" in done.stdout, done.stdout + done.stderr
    assert set(result["faults"]) == set(faults) and result["files_compared_a_round"] > 10
    assert "was no number in 3 steps running" in result["faults"]["NaN in three batches"]["told"]
    assert result["most_steps_redone"] <= 2 * result["checkpoint_every"]["pretrain"]


def test_a_run_that_ends_otherwise_is_a_lost_round(tmp_path):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import small_run
    finally:
        sys.path.pop(0)
    calm = tmp_path / "calm"
    for run in (calm, tmp_path / "round" / "run"):
        (run / "pretrain" / "checkpoints" / "step-00000001").mkdir(parents=True)
        (run / "pretrain" / "checkpoints" / "step-00000001" / "model.safetensors").write_bytes(b"at one")
        (run / "pretrain" / "model.safetensors").write_bytes(b"weights")
        (run / "pretrain" / "events.jsonl").write_text('{"kind": "step", "step": 1, "loss": 2.0}\n', encoding="utf-8")
    reference = small_run.Reference(tmp_path / "recipe.toml", tmp_path)
    round_ = small_run.Round.__new__(small_run.Round)
    round_.reference, round_.run, round_.processes = reference, tmp_path / "round" / "run", []
    round_.check()
    for name, harm in {
        "model.safetensors": b"weighty",
        "checkpoints/step-00000001/model.safetensors": b"at two",
        "events.jsonl": b'{"kind": "step", "step": 1, "loss": 2.5}\n',
        ".partial-7-model": b"",
    }.items():
        path = round_.run.joinpath("pretrain", name)
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(harm)
        with pytest.raises(small_run.Lost):
            round_.check()
        path.unlink() if before is None else path.write_bytes(before)
    round_.check()
    stopped = round_.run / "pretrain" / "checkpoints" / "step-00000000"
    stopped.mkdir()
    (stopped / "model.safetensors").write_bytes(b"saved by a stop")
    round_.check()
    (round_.run / "pretrain" / "checkpoints" / "step-00000001" / "model.safetensors").unlink()
    with pytest.raises(small_run.Lost, match="1 files differ"):
        round_.check()
