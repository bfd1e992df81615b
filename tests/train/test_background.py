from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from fledge.run.events import read_events
from fledge.run.files import TEMPORARY
from fledge.train.background import Background
from fledge.train.checkpoint import checkpoint_steps, damage, latest_checkpoint, load_checkpoint
from fledge.types import FledgeError

HELPER = Path(__file__).with_name("training_fixtures.py")
_spec = importlib.util.spec_from_file_location("training_fixtures_background", HELPER)
helper = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helper)


def test_the_next_piece_waits_for_the_one_before():
    order, may_end = [], threading.Event()
    with Background() as background:
        background.start(lambda: (may_end.wait(), order.append("first")))
        assert order == []
        threading.Timer(0.05, may_end.set).start()
        background.start(lambda: order.append("second"))
        assert order[0] == "first"
    assert order == ["first", "second"]


def fail(line: str):
    raise FledgeError(line)


def test_an_error_is_raised_once_it_is_known_and_only_once():
    with Background() as background:
        background.start(lambda: fail("the disk is full"))
        with pytest.raises(FledgeError, match="the disk is full"):
            for _ in range(1000):
                background.check()
                time.sleep(0.01)
        background.check()
        background.start(lambda: fail("again"))
        with pytest.raises(FledgeError, match="again"):
            background.start(lambda: None)
    with pytest.raises(FledgeError, match="at the end"), Background() as background:
        background.start(lambda: fail("at the end"))


def test_an_error_of_the_block_itself_is_the_one_that_is_told_and_the_work_is_finished():
    done = []
    with pytest.raises(KeyError), Background() as background:
        background.start(lambda: (time.sleep(0.05), done.append(1), fail("later")))
        raise KeyError
    assert done == [1]


def states(directory: Path) -> dict[int, tuple]:
    found = {}
    for step in checkpoint_steps(directory / "checkpoints"):
        loaded = load_checkpoint(directory / "checkpoints" / f"step-{step:08d}")
        digests = loaded.state.pop("sha256")
        for timed in ("seconds", "state_sha256"):
            loaded.state.pop(timed)
        found[step] = (digests, loaded.state)
    return found


def test_every_checkpoint_is_the_same_in_the_background_and_not(tmp_path):
    changes = {"checkpoint_every": 1, "keep": 100}
    helper.train(tmp_path / "fore", 20, background_checkpoints=False, **changes)
    helper.train(tmp_path / "back", 20, **changes)
    fore, back = states(tmp_path / "fore"), states(tmp_path / "back")
    assert len(fore) == 20 and fore == back
    for name, expected in (("fore", [False] * 20), ("back", [True] * 19 + [False])):
        events = list(read_events(tmp_path / name / "events.jsonl", "checkpoint"))
        assert [e["background"] for e in events] == expected and [e["step"] for e in events] == list(range(1, 21))


def test_the_memory_of_a_copy_is_in_the_estimate(tmp_path):
    helper.train(tmp_path, 3)
    held = max(event["n_bytes"] for event in read_events(tmp_path / "events.jsonl", "checkpoint"))
    # AdamW also keeps a step count for each tensor
    assert helper.MODEL.checkpoint_bytes() <= held <= helper.MODEL.checkpoint_bytes() + 4 * 20


def test_killed_in_the_middle_of_a_write_and_resumed_equals_uninterrupted(tmp_path):
    n_steps = 150
    killed, checkpoints = tmp_path / "killed", tmp_path / "killed" / "checkpoints"
    caught = 0
    for _ in range(5):
        changes = json.dumps({"checkpoint_every": 1}, separators=(",", ":"))
        process = subprocess.Popen([sys.executable, str(HELPER), str(killed), str(n_steps), changes])
        before = max(checkpoint_steps(checkpoints), default=0)
        while process.poll() is None:
            if max(checkpoint_steps(checkpoints), default=0) > before and any(checkpoints.glob(f"{TEMPORARY}*-step-*")):
                process.kill()
            time.sleep(0.0005)
        process.wait()
        caught += any(checkpoints.glob(f"{TEMPORARY}*-step-*"))
        if caught:
            break
    assert caught and max(checkpoint_steps(checkpoints)) < n_steps
    assert all(damage(checkpoints / f"step-{step:08d}") == "" for step in checkpoint_steps(checkpoints))
    resumed = helper.train(killed, n_steps, checkpoint_every=0)
    whole = helper.train(tmp_path / "whole", n_steps, checkpoint_every=0)
    for one, two in zip(resumed.models["policy"].parameters(), whole.models["policy"].parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small tmpfs")
def test_a_full_disk_ends_training_by_one_line_and_leaves_the_older_checkpoint(tmp_path):
    disk = tmp_path / "checkpoints"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount")
    try:
        with pytest.raises(FledgeError, match=r"no space left on device.*free some space"):
            helper.train(tmp_path, 200, checkpoint_every=1, keep=100)
        assert latest_checkpoint(disk, pytest.fail) is not None
        assert not [path for path in disk.iterdir() if path.name.startswith(TEMPORARY)]
        last = max(event["step"] for event in read_events(tmp_path / "events.jsonl", "step"))
        assert last <= max(checkpoint_steps(disk)) + 3
    finally:
        subprocess.run(["umount", str(disk)], check=True)
