"""Damage between two calls: seen before anything is built on it, and mended without training anew."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_stages import Second, job
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.run.manifest import read_manifest
from fledge.stages.graph import run_job
from fledge.types import FledgeError


def flip(path: Path, *, keep_times: bool) -> None:
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_file_that_changed_unseen_is_not_built_upon(tmp_path):
    run = tmp_path / "run"
    run_job(job(run), say=lambda line: None)
    path = run / "first" / "data" / "text.txt"
    flip(path, keep_times=True)
    again = job(run, second=Second(times=5))
    with pytest.raises(FledgeError, match=r"text\.txt: does not match its checksum; remove it and run"):
        run_job(again, say=lambda line: None)
    path.unlink()
    run_job(again, say=lambda line: None)
    assert path.read_text(encoding="utf-8") == "a"
    assert (run / "second" / "part-0.txt").read_text(encoding="utf-8") == "aaaaa0"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mend")
    recipe = write_recipe(
        folder,
        n_documents=100,
        training="context_length = 32\nbatch_tokens = 128\nmicro_batch_rows = 4\n",
        pretrain="tokens = 1280\ncheckpoint_every = 4",
        sft="tokens = 512",
        evaluation="heldout_bytes = 2000",
    )
    assert main(["run", str(recipe), "--out", str(folder / "run"), "--until", "sft"]) == 0
    return folder / "run"


def again(run: Path, capsys) -> str:
    capsys.readouterr()
    assert main(["run", str(run), "--until", "sft"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("stage", ["pretrain", "sft"])
@pytest.mark.parametrize("harm", ["flip", "remove"])
def test_a_damaged_model_comes_back_from_its_checkpoint(finished, capsys, stage, harm):
    before = {each: read_manifest(finished / each).outputs for each in ("pretrain", "sft")}
    losses = [event["loss"] for event in read_events(finished / stage / "events.jsonl", "step")]
    path = finished / stage / "model" / "model.safetensors"
    if harm == "flip":
        flip(path, keep_times=False)
    else:
        path.unlink()
    out = again(finished, capsys)
    word = "has changed since it was written" if harm == "flip" else "is missing"
    assert f"mend    model/model.safetensors {word}" in out and f"{stage}: goes on, model/model.safetensors" in out
    other = "sft" if stage == "pretrain" else "pretrain"
    assert f"{other}: " not in out  # neither trained nor begun again
    after = {each: read_manifest(finished / each).outputs for each in ("pretrain", "sft")}
    for each, outputs in before.items():
        assert {name: entry.sha256 for name, entry in outputs.items()} == {
            name: entry.sha256 for name, entry in after[each].items()
        }
    assert [event["loss"] for event in read_events(finished / stage / "events.jsonl", "step")] == losses
    assert " done    nothing changed" in again(finished, capsys)


def test_old_checkpoints_may_be_removed_to_free_the_disk(finished, capsys):
    for path in sorted((finished / "pretrain" / "checkpoints").iterdir())[:-1]:
        shutil.rmtree(path)
    out = again(finished, capsys)
    assert out.count(" done    nothing changed") == 5 and "  mend" not in out


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to catch")
def test_sigterm_outside_of_training_is_told(tmp_path):
    text = tmp_path / "many.txt"
    text.write_text(
        "\n\n".join(f"This is the text of number {k}, told again." for k in range(300_000)), encoding="utf-8"
    )
    command = [sys.executable, "-m", "fledge", "text", "--sources", str(text), "--split", "blank_lines"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    began = tmp_path / "run" / "text" / "events.jsonl"
    while not began.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (143, "fledge: stopped; the same command goes on from here")
    assert "Traceback" not in out + err
