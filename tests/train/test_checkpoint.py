from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.train import checkpoint as checkpoints
from fledge.train.checkpoint import (
    checkpoint_steps,
    damage,
    kept_steps,
    latest_checkpoint,
    load_checkpoint,
    load_model,
    remove_old,
    rng_state,
    save_model,
    set_rng_state,
    take_snapshot,
    write_checkpoint,
)
from fledge.types import FledgeError

CONFIG = ModelConfig(vocab_size=20, n_layers=1, d_model=16, n_heads=2, n_kv_heads=1, head_dim=8, d_ff=16)


def save(directory: Path, step: int, seed: int = 0) -> Path:
    model = Decoder(CONFIG, seed=seed)
    snapshot = take_snapshot(step, {"policy": model}, {"momentum": torch.ones(3)}, {"tokens": step * 10})
    return write_checkpoint(directory, snapshot)


def test_what_was_saved_comes_back(tmp_path):
    path = save(tmp_path, 7, seed=3)
    loaded = load_checkpoint(path)
    assert (loaded.step, loaded.state["tokens"], path.name) == (7, 70, "step-00000007")
    model, _ = load_model(path)
    assert model.config == CONFIG
    for name, tensor in Decoder(CONFIG, seed=3).state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)
    assert torch.equal(loaded.tensors["optimizer.safetensors"]["momentum"], torch.ones(3))


def test_a_copied_snapshot_stays_when_training_goes_on(tmp_path):
    model, momentum = Decoder(CONFIG, seed=3), torch.ones(3)
    copied = take_snapshot(7, {"policy": model}, {"momentum": momentum}, {}).copied()
    with torch.no_grad():
        for tensor in (*model.parameters(), momentum):
            tensor.zero_()
    loaded = load_checkpoint(write_checkpoint(tmp_path, copied))
    for name, tensor in Decoder(CONFIG, seed=3).state_dict().items():
        assert torch.equal(loaded.tensors["model.safetensors"][name], tensor)
    assert torch.equal(loaded.tensors["optimizer.safetensors"]["momentum"], torch.ones(3))


@pytest.mark.parametrize("harm", ["flip", "cut", "missing", "state", "no state", "format"])
def test_every_kind_of_damage_is_seen_and_the_one_before_is_used(tmp_path, harm):
    older, newer = save(tmp_path, 1), save(tmp_path, 2)
    weights, state = newer / "model.safetensors", newer / "state.json"
    data = bytearray(weights.read_bytes())
    if harm == "flip":
        data[-1] ^= 128
        weights.write_bytes(data)
    elif harm == "cut":
        weights.write_bytes(data[:-4])
    elif harm == "missing":
        weights.unlink()
    elif harm == "state":
        state.write_text(state.read_text("utf-8")[:-20], encoding="utf-8")
    elif harm == "no state":
        state.unlink()
    else:
        state.write_text(json.dumps({**json.loads(state.read_text("utf-8")), "format": 99}), encoding="utf-8")
    told = []
    assert latest_checkpoint(tmp_path, told.append) == older
    assert len(told) == 1 and str(newer) in told[0] and "\n" not in told[0]
    with pytest.raises(FledgeError):
        load_checkpoint(newer)


def test_setting_a_damaged_one_aside_keeps_its_bytes(tmp_path):
    older, newer = save(tmp_path, 1), save(tmp_path, 2)
    (newer / "model.safetensors").write_bytes(b"half")
    told = []
    assert latest_checkpoint(tmp_path, told.append, set_aside=True) == older
    assert "it is kept as damaged-step-00000002, and the checkpoint before it is used" in told[0]
    assert (tmp_path / "damaged-step-00000002" / "model.safetensors").read_bytes() == b"half"
    assert checkpoint_steps(tmp_path) == [1]


def test_every_single_byte_counts(tmp_path):
    path = save(tmp_path, 1)
    assert damage(path) == ""
    for name in ("model.safetensors", "optimizer.safetensors"):
        original = (path / name).read_bytes()
        for at in range(0, len(original), max(1, len(original) // 50)):
            harmed = bytearray(original)
            harmed[at] ^= 1
            (path / name).write_bytes(harmed)
            assert name in damage(path)
        (path / name).write_bytes(original)


def rewritten(path: Path, **changes) -> None:
    body = json.loads((path / "state.json").read_text("utf-8")) | changes
    kept = {key: value for key, value in body.items() if value is not None}
    (path / "state.json").write_text(json.dumps(kept), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [{"step": 3}, {"tokens": 21}, {"sha256": {}}, {"models": {}}, {"format": 1}, {"state_sha256": None}, {"rng": "x"}],
)
def test_a_changed_value_of_the_state_is_damage(tmp_path, change):
    older, newer = save(tmp_path, 1), save(tmp_path, 2)
    rewritten(newer)
    assert damage(newer) == ""
    rewritten(newer, **change)
    assert damage(newer).startswith("state.json ")
    assert latest_checkpoint(tmp_path, lambda line: None) == older
    with pytest.raises(FledgeError, match=r"state\.json"):
        load_checkpoint(newer)


def test_every_single_byte_of_the_state_that_means_something_counts(tmp_path):
    path = save(tmp_path, 1) / "state.json"
    original = path.read_bytes()
    for at in range(len(original)):
        if not original[at : at + 1].isspace():
            path.write_bytes(original[:at] + bytes([original[at] ^ 1]) + original[at + 1 :])
            assert damage(path.parent), original[at - 20 : at + 20]


def test_a_checkpoint_under_the_name_of_another_step_is_damage(tmp_path):
    moved = save(tmp_path, 2).rename(tmp_path / "step-00000003")
    assert damage(moved) == "state.json is of step 2"
    assert damage(moved.rename(tmp_path / "best")) == ""


def test_a_checkpoint_from_before_the_state_had_a_checksum_is_read(tmp_path):
    path = save(tmp_path, 2)
    rewritten(path, format=1, state_sha256=None)
    assert damage(path) == "" and load_checkpoint(path).state["tokens"] == 20
    (path / "optimizer.safetensors").write_bytes(b"")
    assert "optimizer.safetensors" in damage(path)


def test_none_where_there_is_nothing(tmp_path):
    assert latest_checkpoint(tmp_path / "absent") is None
    (tmp_path / "step-xyz").mkdir()
    (tmp_path / ".partial-1-step-00000009").mkdir()
    assert latest_checkpoint(tmp_path) is None
    with pytest.raises(FledgeError, match="holds no model"):
        load_model(tmp_path)


@given(st.sets(st.integers(1, 5000), min_size=1), st.integers(1, 5))
def test_retention(steps, keep):
    kept = kept_steps(sorted(steps), keep, True)
    assert max(steps) in kept and kept <= steps
    assert {s for s in steps if (s & (s - 1)) == 0} <= kept
    assert kept_steps(sorted(steps), keep, False) == set(sorted(steps)[-keep:])


def test_old_ones_are_removed_and_the_rest_stays_whole(tmp_path):
    for step in (1, 3, 4, 5, 6, 7):
        save(tmp_path, step)
    remove_old(tmp_path, 2, True)
    assert checkpoint_steps(tmp_path) == [1, 4, 6, 7]
    assert all(damage(tmp_path / f"step-{step:08d}") == "" for step in (1, 4, 6, 7))
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("step-")) == []


def test_a_full_disk_is_one_line_and_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    older = save(tmp_path, 1)

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise checkpoints.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(FledgeError, match=r"no space left on device.*free some space"):
        save(tmp_path, 2)
    assert latest_checkpoint(tmp_path) == older and [p.name for p in tmp_path.iterdir()] == [older.name]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small tmpfs")
def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount")
    try:
        older = save(disk, 1)
        with pytest.raises(FledgeError, match="no space left on device"):
            for step in range(2, 50):
                save(disk, step)
        assert older.exists() and latest_checkpoint(disk, lambda line: pytest.fail(line)) is not None
        assert not [p for p in disk.iterdir() if p.name.startswith(".partial")]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_other_faults_of_the_file_system_keep_their_number(tmp_path, monkeypatch):
    def broken(tensors, path, metadata):
        raise checkpoints.SafetensorError(f"I/O error (os error {errno.EIO})")

    monkeypatch.setattr(checkpoints, "save_file", broken)
    with pytest.raises(OSError) as caught:
        save(tmp_path, 2)
    assert caught.value.errno == errno.EIO


def test_weights_of_another_shape_are_refused(tmp_path):
    path = save_model(Decoder(CONFIG), tmp_path / "model", context_length=8)
    values = json.loads((path / "config.json").read_text("utf-8"))
    (path / "config.json").write_text(json.dumps({**values, "intermediate_size": 24}), encoding="utf-8")
    with pytest.raises(FledgeError, match="another model"):
        load_model(path)


def test_tied_weights_are_written_once_and_come_back_tied(tmp_path):
    config = ModelConfig(**{**CONFIG.to_dict(), "tie_embeddings": True})
    model = Decoder(config, seed=1)
    save_model(model, tmp_path / "model", context_length=8)
    write_checkpoint(tmp_path, take_snapshot(1, {"policy": model}, {"x": torch.ones(1)}, {}))
    for path in (tmp_path / "model", tmp_path / "step-00000001"):
        again, _ = load_model(path)
        assert again.lm_head.weight is again.model.embed_tokens.weight
        assert torch.equal(again.lm_head.weight, model.lm_head.weight)


def test_random_state_comes_back():
    torch.manual_seed(4)
    state = rng_state()
    first = torch.rand(5)
    set_rng_state(state)
    assert torch.equal(first, torch.rand(5))
