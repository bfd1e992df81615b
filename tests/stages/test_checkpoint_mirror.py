"""The copy of a training's checkpoints on a store: whole ones only, none lost by whoever goes on from it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from fake_stages import _count
from fsspec.implementations.memory import MemoryFileSystem

from fledge.run.events import EventLog
from fledge.run.files import write_text
from fledge.run.settings import setting
from fledge.run.storage import Store
from fledge.stages.graph import run_job
from fledge.stages.job import Job
from fledge.stages.mirror import CheckpointMirror, mirrored_checkpoints
from fledge.stages.table import StageContext, StageSpec
from fledge.train.checkpoint import FORMAT, Snapshot, checkpoint_steps, latest_checkpoint, remove_old, write_checkpoint
from fledge.types import FledgeError

URL, PLACE = "memory://bucket/run", "checkpoints/learn"


@pytest.fixture(autouse=True)
def empty_store():
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def save(machine: Path, *steps: int) -> Path:
    """Checkpoints of these steps, as a training writes them."""
    for step in steps:
        tensors = {"model.safetensors": {"weight": torch.full((4,), float(step))}}
        write_checkpoint(machine / "checkpoints", Snapshot(step, tensors, {"format": FORMAT, "step": step}))
    return machine


def mirror_of(machine: Path, told: list[str], url: str = URL) -> CheckpointMirror:
    machine.mkdir(exist_ok=True)
    return CheckpointMirror(Store(url), PLACE, machine, told.append)


def steps_there() -> list[int]:
    return [int(name.removeprefix("step-")) for name in Store(URL).names(PLACE)]


def goes_on_at(machine: Path, told: list[str]) -> int:
    """The step that a training on this machine begins after, once the mirror gave what it has."""
    mirror_of(machine, told).restore()
    latest = latest_checkpoint(machine / "checkpoints", told.append, set_aside=True)
    return int(latest.name.removeprefix("step-")) if latest else 0


def damage_file(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_what_one_machine_kept_for_good_stays_when_another_goes_on(tmp_path):
    told: list[str] = []
    mirror_of(save(tmp_path / "first", 1, 2, 4, 100, 200, 250), told).finish()
    second = tmp_path / "second"
    assert goes_on_at(second, told) == 250
    mirror = mirror_of(second, told)
    mirror(None)
    for step in (300, 350):
        save(second, step)
        remove_old(second / "checkpoints", 2, True)
        mirror(None)
    assert checkpoint_steps(second / "checkpoints") == [300, 350]
    mirror.finish()
    # 250 was on the second machine's disk and went from it by its rule; the rest it never had
    assert steps_there() == [1, 2, 4, 100, 200, 300, 350]


def test_a_checkpoint_set_aside_as_damaged_stays_on_the_store(tmp_path):
    told: list[str] = []
    machine = save(tmp_path / "run", 100, 200)
    mirror_of(machine, told).finish()
    damage_file(machine / "checkpoints/step-00000100/model.safetensors")
    os.replace(machine / "checkpoints/step-00000100", machine / "checkpoints/damaged-step-00000100")
    mirror_of(machine, told).finish()
    assert steps_there() == [100, 200]


def test_a_checkpoint_removed_before_its_turn_is_not_committed(tmp_path):
    told: list[str] = []
    machine = save(tmp_path / "run", 100, 200)
    mirror = mirror_of(machine, told)
    names = mirror._local()
    shutil.rmtree(machine / "checkpoints/step-00000200")
    mirror._copy(names)
    assert steps_there() == [100] and told == []
    assert goes_on_at(tmp_path / "other", told) == 100


def test_a_checkpoint_that_lacks_a_file_is_told_and_not_committed_and_the_others_are(tmp_path):
    told: list[str] = []
    machine = save(tmp_path / "run", 100, 200)
    (machine / "checkpoints/step-00000100/model.safetensors").unlink()
    mirror_of(machine, told).finish()
    assert steps_there() == [200] and told == ["step-00000100 is not mirrored: model.safetensors is missing"]


@pytest.mark.parametrize("files", [{}, {"events.jsonl": b""}, {"state.json": b'{"step": 300}'}])
def test_a_committed_checkpoint_that_is_none_is_told_and_the_one_before_it_is_used(tmp_path, files):
    told: list[str] = []
    mirror_of(save(tmp_path / "run", 100, 200), told).finish()
    Store(URL).commit(f"{PLACE}/step-00000300", files)
    assert goes_on_at(tmp_path / "other", told) == 200
    assert told[0].startswith(f"{URL}/{PLACE}/step-00000300: state.json ")
    assert told[0].endswith("; the mirror's checkpoint before it is used") and len(told) == 2
    assert not list((tmp_path / "other").glob(".partial-*"))


def test_a_damaged_checkpoint_on_the_disk_does_not_hide_the_whole_copy(tmp_path):
    told: list[str] = []
    machine = save(tmp_path / "run", 100, 200)
    mirror_of(machine, told).finish()
    damage_file(machine / "checkpoints/step-00000200/model.safetensors")
    assert goes_on_at(machine, told) == 200
    assert "model.safetensors does not match its checksum; it is kept as damaged-step-00000200" in told[0]
    assert told[1:] == [f"step-00000200 is taken from {URL}/{PLACE}"]


def test_a_store_that_fails_is_told_once_for_each_checkpoint(tmp_path):
    (tmp_path / "file").write_text("no folder")
    told: list[str] = []
    machine = save(tmp_path / "run", 100)
    mirror = mirror_of(machine, told, f"file://{(tmp_path / 'file').as_posix()}/below")

    def train(n_steps: int) -> int:
        for _ in range(n_steps):
            mirror(None)
            if mirror._copying:
                mirror._copying.result()
        return len(told)

    assert train(10) == 1 and "checkpoints are not mirrored: file://" in told[0]
    save(machine, 200)
    shutil.rmtree(machine / "checkpoints/step-00000100")
    assert train(10) == 2


def test_the_trackers_runs_are_continued_on_another_machine(tmp_path):
    told: list[str] = []
    runs = {"wandb": "small-pretrain-01234567", "tensorboard": "small-pretrain-89abcdef"}
    first, second = save(tmp_path / "first", 100), tmp_path / "second"
    write_text(first / "trackers.json", json.dumps(runs))
    with EventLog(first / "events.jsonl") as events:
        events.write("step", step=100, loss=1.0)
    mirror_of(first, told).finish()
    assert goes_on_at(second, told) == 100
    assert json.loads((second / "trackers.json").read_text()) == runs
    assert (second / "events.jsonl").read_bytes() == (first / "events.jsonl").read_bytes()


@dataclass(frozen=True)
class Learn:
    steps: int = setting(4, "how many")


def learn(context: StageContext) -> dict:
    """A stage that only makes checkpoints, notes each step, and fails before the step ``STOP_AT``."""
    with mirrored_checkpoints(context, print) as copies:
        begun = max(checkpoint_steps(context.out / "checkpoints"), default=0)
        for step in range(begun + 1, context.settings.steps + 1):
            if os.environ.get("STOP_AT") == str(step):
                raise FledgeError("stopped")
            _count(context, str(step))
            save(context.out, step)
            for copy in copies:
                copy(None)
    write_text(context.out / "model.txt", "learnt")
    return {}


def test_a_stage_forced_anew_takes_no_checkpoint_of_the_store_even_when_it_is_cut_off(tmp_path, monkeypatch):
    specs = (StageSpec("learn", f"{__name__}:learn"),)
    job = Job("small", {"learn": Learn()}, 'name = "small"\n', tmp_path / "run", specs, mirror=URL)

    def steps_run(job: Job = job, start: str | None = "learn") -> list[str]:
        calls = tmp_path / "calls.txt"
        calls.unlink(missing_ok=True)
        try:
            run_job(job, start=start, say=print)
        except FledgeError as error:
            assert error.what == "stopped"
        return calls.read_text().split() if calls.exists() else []

    assert steps_run(start=None) == ["1", "2", "3", "4"]
    other_settings = replace(job, settings_of={"learn": Learn(steps=2)})
    assert steps_run(other_settings, start=None) == ["1", "2"]
    assert steps_run(start=None) == []  # the checkpoint of the same settings and inputs is whole on the store
    assert steps_run() == ["1", "2", "3", "4"]
    monkeypatch.setenv("STOP_AT", "3")
    assert steps_run() == ["1", "2"]
    monkeypatch.delenv("STOP_AT")
    assert steps_run() == ["3+", "4+"]
    shutil.rmtree(job.run)
    assert steps_run() == ["1", "2", "3", "4"]
    places = {path.partition("/")[0] for path in Store(URL).sizes("checkpoints")}
    assert len(places) == 2  # those of other settings are left
