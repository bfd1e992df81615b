"""The user's own files as inputs: what is seen of them, and what becomes of a run when they change, hide or go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_stages import First, Third, job

from fledge.cli.main import main
from fledge.run.manifest import read_manifest
from fledge.stages.graph import run_job
from fledge.stages.job import check_job
from fledge.stages.plan import files_of
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.units import list_units
from fledge.types import FledgeError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "sources"
    path.mkdir()
    (path / "a.txt").write_text("x", encoding="utf-8")
    return path


def decisions(the_job) -> dict:
    check_job(the_job)
    return {each.stage: each for each in run_job(the_job, say=lambda line: None)}


def test_files_behind_links_are_inputs_and_hidden_ones_are_not_as_in_reading(tmp_path, source):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.txt").write_text("x", encoding="utf-8")
    (source / "linked").symlink_to(elsewhere)
    (source / "linked" / "round").symlink_to(source)
    (source / "dangling.txt").symlink_to(tmp_path / "nothing")
    (source / ".git").mkdir()
    (source / ".git" / "c.txt").write_text("x", encoding="utf-8")
    (source / ".lock").write_text("x", encoding="utf-8")
    assert [path.relative_to(source).as_posix() for path in files_of(str(source))] == ["a.txt", "linked/b.txt"]
    read = [Path(unit.path) for unit in list_units([str(source)], SourceSettings()) if unit.problem is None]
    assert read == files_of(str(source))


def test_a_change_behind_a_linked_folder_reruns_the_stage(monkeypatch, tmp_path, source, run):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.txt").write_text("x", encoding="utf-8")
    (source / "linked").symlink_to(elsewhere)
    monkeypatch.setattr("fake_stages.first", lambda context: {})
    alone = {"second": None, "third": None}
    the_job = job(run, first=First(source=str(source)), **alone)
    assert decisions(the_job)["first"].action == "run"
    (elsewhere / "b.txt").write_text("another", encoding="utf-8")
    assert decisions(the_job)["first"].reason.endswith("linked/b.txt changed")


def test_a_file_that_cannot_be_read_stops_nothing_and_is_read_when_it_can_be(monkeypatch, source, run):
    monkeypatch.setattr("fake_stages.first", lambda context: {})
    the_job = job(run, first=First(source=str(source)), second=None, third=None)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("fledge.run.manifest.sha256", refuse)
        assert decisions(the_job)["first"].action == "run"
        assert decisions(the_job)["first"].action == "done"
    assert read_manifest(run / "first").inputs == {(source / "a.txt").as_posix(): ""}
    assert decisions(the_job)["first"].reason.endswith("a.txt changed")


def test_what_is_done_stays_good_when_its_sources_are_gone(tmp_path, run):
    source = tmp_path / "in.txt"
    source.write_text("x", encoding="utf-8")
    decisions(job(run, first=First(source=str(source))))
    source.unlink()
    found = decisions(job(run, first=First(source=str(source)), third=Third(upper=True)))
    assert [each.action for each in found.values()] == ["done", "done", "re-run"]
    assert found["first"].note.endswith("in.txt is no longer there")
    found = decisions(job(run, first=First(source="")))
    assert found["first"].action == "re-run"


def test_a_folder_that_holds_the_run_is_no_input(run, source):
    with pytest.raises(FledgeError, match=r"first\.source, .*: holds what this run writes"):
        decisions(job(run, first=First(source=str(run.parent))))
    assert not run.exists()
    inside = source / "runs" / "run"
    with pytest.raises(FledgeError, match="name other sources, or another --out"):
        decisions(job(inside, first=First(source=os.path.relpath(source))))


def test_a_town_that_cannot_be_made_leaves_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["world", "--out", str(out), "--n-bytes", "20000", "--n-people", "24", "--unasked-share", "0.9"])
    assert "world.unasked_share: leaves" in capsys.readouterr().err and not out.exists()
