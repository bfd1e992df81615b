"""Trackers follow a training's events; one that fails is told once, and nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import EventLog, cut_events_after, read_events
from fledge.stages import track
from fledge.stages.config import TrackConfig
from fledge.stages.recipe import recipe_from
from fledge.stages.table import StageContext
from fledge.stages.track import check_trackers, tracked
from fledge.types import FledgeError


class Recorder:
    """A tracker that keeps what it is given, and breaks at a step."""

    runs: dict[str, list] = {}  # noqa: RUF012
    breaks_at = -1

    def __init__(self, project: str, run: str, directory: Path, after: int) -> None:
        self.points = self.runs.setdefault(f"{project}/{run}", [])
        self.points.append(("after", after))

    def log(self, step, values):
        if step == self.breaks_at:
            raise ConnectionError("no\nanswer")
        self.points.append((step, dict(values)))

    def text(self, step, name, text):
        self.points.append((step, name, text))

    def close(self):
        self.points.append("closed")


@pytest.fixture
def recorded(monkeypatch):
    Recorder.runs, Recorder.breaks_at = {}, -1
    monkeypatch.setitem(track.ADAPTERS, "trackio", Recorder)
    return Recorder.runs


def context(folder: Path, *to: str, every: int = 1) -> StageContext:
    folder.mkdir(exist_ok=True)
    config = TrackConfig(to, every=every)  # type: ignore[arg-type]
    return StageContext(folder.parent, folder, None, {}, {}, False, stage="pretrain", name="small", track=config)


def follow(given: StageContext, steps: range, *, killed: bool = False, n_steps: int = 20) -> list[str]:
    """What a training of these steps would write, followed; ``killed`` leaves without a word."""
    told: list[str] = []
    state = SimpleNamespace(step=0, last=False)
    state.due = lambda every: state.last or state.step % every == 0
    if steps.start:
        cut_events_after(given.out / "events.jsonl", steps.start - 1)
    with EventLog(given.out / "events.jsonl") as events, tracked(given, told.append) as callbacks:
        for step in steps:
            state.step, state.last = step, step == n_steps
            if step:
                events.write("step", step=step, loss=1 / step, tokens=step * 8, name="not a number", ok=True)
            if step % 5 == 0:
                events.write("heldout", step=step, name="world", bits_per_byte=2.0)
                events.write("sample", step=step, prompt="", text="Once <b>")
            for callback in callbacks:
                callback(state)
        if killed:
            for callback in callbacks:
                callback._trackers.clear()
    return told


def curve(points: list, name: str = "loss") -> list[tuple[int, float]]:
    return [(each[0], each[1][name]) for each in points if isinstance(each[1], dict) and name in each[1]]


def test_every_event_arrives_once_and_in_order(tmp_path, recorded):
    assert follow(context(tmp_path / "pretrain", "trackio"), range(21)) == []
    ((name, points),) = recorded.items()
    assert name.startswith(f"small/{tmp_path.name}-pretrain-")
    assert points[0] == ("after", -1) and points.pop() == "closed"
    assert curve(points) == [(step, 1 / step) for step in range(1, 21)]
    assert {key for each in points if isinstance(each[1], dict) for key in each[1]} == {
        "loss",
        "tokens",
        "heldout/world/bits_per_byte",
    }
    assert [each for each in points if len(each) == 3] == [
        (s, "sample/(nothing)", "Once <b>") for s in (0, 5, 10, 15, 20)
    ]


def test_a_resumed_training_continues_the_same_run_after_its_checkpoint(tmp_path, recorded):
    given = context(tmp_path / "pretrain", "trackio")
    follow(given, range(12), killed=True)
    follow(given, range(9, 21))  # its checkpoint was that of step 8
    ((_, points),) = recorded.items()
    second = points[points.index(("after", 8)) :]
    assert curve(second[:-1])[:1] == [(9, 1 / 9)] and curve(second[:-1])[-1] == (20, 1 / 20)
    assert set(dict(curve([each for each in points if each != "closed"]))) == set(range(1, 21))


def test_tensorboard_whose_files_lie_on_another_machine_gets_all_of_it(tmp_path, recorded, monkeypatch):
    monkeypatch.setitem(track.ADAPTERS, "tensorboard", Recorder)
    given = context(tmp_path / "pretrain", "trackio", "tensorboard")
    follow(given, range(12), killed=True)
    follow(given, range(9, 13), killed=True)  # here trackers.json came with the checkpoint, tensorboard/ did not
    (given.out / "tensorboard").mkdir()
    follow(given, range(12, 21))
    begun = {name: [each[1] for each in points if each[0] == "after"] for name, points in recorded.items()}
    runs = json.loads((given.out / "trackers.json").read_text("utf-8"))
    assert begun[f"small/{runs['trackio']}"] == [-1, 8, 11]
    assert begun[f"small/{runs['tensorboard']}"] == [-1, -1, 11]


def test_a_tracker_turned_on_later_gets_all_of_it(tmp_path, recorded):
    follow(context(tmp_path / "pretrain"), range(12))
    assert not recorded
    follow(context(tmp_path / "pretrain", "trackio"), range(12, 21))
    ((_, points),) = recorded.items()
    assert [step for step, _ in curve(points[:-1])] == list(range(1, 21))


def test_a_training_that_fails_before_its_first_step_tells_its_own_error(tmp_path, recorded):
    with pytest.raises(FledgeError, match="out of memory"), tracked(context(tmp_path / "x", "trackio"), print):
        raise FledgeError("out of memory")
    assert not recorded


def test_points_every_few_steps_lose_nothing(tmp_path, recorded):
    follow(context(tmp_path / "pretrain", "trackio", every=7), range(21))
    ((_, points),) = recorded.items()
    assert [step for step, _ in curve(points[:-1])] == list(range(1, 21))


def test_one_that_raises_is_told_once_and_the_others_go_on(tmp_path, recorded, monkeypatch):
    class Broken(Recorder):
        breaks_at = 7

    class Absent(Recorder):
        def __init__(self, *arguments):
            raise RuntimeError("no login")

    monkeypatch.setitem(track.ADAPTERS, "wandb", Broken)
    monkeypatch.setitem(track.ADAPTERS, "tensorboard", Absent)
    told = follow(context(tmp_path / "pretrain", "wandb", "trackio", "tensorboard"), range(21))
    assert told == [
        "tensorboard is off for the rest of this training (RuntimeError: no login); everything stands in events.jsonl",
        "wandb is off for the rest of this training (ConnectionError: no answer); everything stands in events.jsonl",
    ]
    lengths = sorted(len(curve([each for each in points if each != "closed"])) for points in recorded.values())
    assert lengths == [6, 20]


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(track.PACKAGES, "wandb", "a_package_that_nobody_has")
    with pytest.raises(FledgeError, match=r"wandb: needs the package .*; pip install a_package_that_nobody_has"):
        check_trackers(TrackConfig(("wandb",)))


def test_the_setting_is_typed():
    data = {"name": "x", "text": {"sources": ["a"]}}
    assert recipe_from({**data, "track": {"to": ["wandb", "trackio"]}}, {}).track.to == ("wandb", "trackio")
    for bad, told in (({"to": ["wandbb"]}, "trackio, wandb, tensorboard"), ({"to": ["wandb", "wandb"]}, "twice")):
        with pytest.raises(FledgeError, match=told):
            recipe_from({**data, "track": bad}, {})


def test_tensorboard_files_hold_the_curves(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    given = context(tmp_path / "pretrain", "tensorboard")
    follow(given, range(12))
    follow(given, range(9, 21))
    events = EventAccumulator(str(given.out / "tensorboard"))
    events.Reload()
    points = events.Scalars("loss")
    assert [(each.step, pytest.approx(each.value)) for each in points] == [(s, 1 / s) for s in range(1, 21)]
    assert [each.step for each in events.Scalars("heldout/world/bits_per_byte")] == [0, 5, 10, 15, 20]
    assert "sample/(nothing)/text_summary" in events.Tags()["tensors"]


def test_trackio_keeps_the_curves_in_one_run(tmp_path):
    pytest.importorskip("trackio", reason="trackio is not installed")
    folder = tmp_path / "store"
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_stages_track import context, follow
given = context(Path({str(tmp_path)!r}, "pretrain"), "trackio")
print(follow(given, range(12)), follow(given, range(12, 21)))
from trackio.sqlite_storage import SQLiteStorage
(run,) = SQLiteStorage.get_runs("small")
print("LOSSES", [(e["step"], e["loss"]) for e in SQLiteStorage.get_logs("small", run) if "loss" in e])
"""
    environment = {"TRACKIO_DIR": str(folder)}
    done = in_a_process(code, environment)
    assert json.loads(done.split("LOSSES ")[1].replace("(", "[").replace(")", "]")) == [
        [s, 1 / s] for s in range(1, 21)
    ]


def test_wandb_works_offline(tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed")
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_stages_track import context, follow
given = context(Path({str(tmp_path)!r}, "pretrain"), "wandb")
print("TOLD", follow(given, range(12)) + follow(given, range(12, 21)))
"""
    done = in_a_process(code, {"WANDB_MODE": "offline", "WANDB_SILENT": "true"})
    assert "TOLD []" in done
    runs = list((tmp_path / "pretrain" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(runs) == 2 and len({path.name for path in runs}) == 1  # two parts of one run


def in_a_process(code: str, environment: dict[str, str]) -> str:
    """Libraries that start servers and threads of their own leave none in this process."""
    options = {"capture_output": True, "text": True, "timeout": 120, "env": {**os.environ, **environment}}
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_real_run_is_followed(tmp_path, recorded, monkeypatch):
    recipe = write_recipe(
        tmp_path,
        n_documents=60,
        training="context_length = 32\nbatch_tokens = 128\nmicro_batch_rows = 4\n",
        pretrain="tokens = 1280",
        sft="tokens = 512",
        evaluation="heldout_bytes = 2000",
    )
    words = ["run", str(recipe), "--out", str(tmp_path / "run"), "--until", "sft", "--track.to", "trackio"]
    monkeypatch.setitem(track.PACKAGES, "trackio", "json")  # one that is there
    assert main(words) == 0
    by_stage = {name.split("-")[1]: points for name, points in recorded.items()}
    for stage, n_steps in (("pretrain", 10), ("sft", 4)):
        wanted = [
            (each["step"], each["loss"]) for each in read_events(tmp_path / "run" / stage / "events.jsonl", "step")
        ]
        assert curve(by_stage[stage][:-1]) == wanted and len(wanted) == n_steps
