"""The graph decides what to do, says why, and leaves one whole version in place whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_stages import First, Second, Third, job

from fledge.run.manifest import read_manifest
from fledge.stages.graph import run_job
from fledge.stages.job import check_job
from fledge.types import FledgeError

HERE = Path(__file__).parent


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


def go(the_job, **options):
    """Run; gives (calls made, decisions by stage, text said)."""
    calls = the_job.run.parent / "calls.txt"
    calls.unlink(missing_ok=True)
    said = []
    check_job(the_job, **options)
    decisions = run_job(the_job, say=said.append, **options)
    made = calls.read_text(encoding="utf-8").split() if calls.exists() else []
    return made, {each.stage: each for each in decisions}, "\n".join(said)


def test_all_stages_run_once_then_nothing_is_done_again(run):
    made, _, said = go(job(run))
    assert made == ["first", "second", "third"]
    assert "second     run     not done yet" in said and "third: done in" in said
    made, decisions, said = go(job(run))
    assert made == [] and {each.action for each in decisions.values()} == {"done"}
    assert "nothing changed" in said


def test_a_changed_setting_reruns_its_stage_and_what_depends_on_it_and_names_the_key(run):
    go(job(run))
    made, decisions, said = go(job(run, second=Second(times=5)))
    assert made == ["second", "third"]
    assert decisions["second"].reason == "times 2 → 5" and "times 2 → 5" in said
    assert (run / "third" / "out.txt").read_text(encoding="utf-8") == "aaaaa0"
    assert decisions["third"].reason == "the output of second changed"
    assert "third: starts, the output of second changed" in said


def test_a_rerun_with_equal_output_leaves_what_depends_on_it(run):
    go(job(run, first=First(letter="m")))
    made, decisions, said = go(job(run, first=First(letter="z")))
    assert made == ["first"] and decisions["second"].action == "done"
    assert "second     re-run? only if the output of first changes" in said
    assert (run / "first" / "aside.txt").read_text(encoding="utf-8") == "z"


def test_a_setting_that_does_not_affect_results_reruns_nothing(run):
    go(job(run))
    assert go(job(run, first=First(workers=8)))[0] == []


def test_a_setting_that_is_new_counts_as_its_default(run):
    go(job(run))
    path = run / "second" / "settings.json"
    begun = json.loads(path.read_text(encoding="utf-8"))
    del begun["settings"]["parts"]
    path.write_text(json.dumps(begun), encoding="utf-8")
    assert go(job(run))[0] == []
    assert go(job(run, second=Second(parts=4)))[1]["second"].reason == "parts 3 → 4"


def test_changed_contents_of_a_source_file_are_seen(run, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("x", encoding="utf-8")
    go(job(run, first=First(source=str(source))))
    os.utime(source, (1, 1))
    assert go(job(run, first=First(source=str(source))))[0] == []
    source.write_text("y", encoding="utf-8")
    made, decisions, _ = go(job(run, first=First(source=str(source))))
    assert made == ["first", "second", "third"]
    assert decisions["first"].reason.endswith("in.txt changed")


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_output_is_named_and_made_again(run, damage):
    go(job(run))
    path = run / "second" / "part-1.txt"
    good = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(good[:-1] if damage == "cut" else bytes([good[0] ^ 1]) + good[1:])
    made, decisions, _ = go(job(run))
    assert made == ["second"] and "part-1.txt" in decisions["second"].reason
    assert path.read_bytes() == good


def test_until_and_from(run):
    assert go(job(run), until="second")[0] == ["first", "second"]
    assert go(job(run))[0] == ["third"]
    made, decisions, _ = go(job(run), start="second")
    assert made == ["second", "third"] and decisions["second"].reason == "asked for with --from"
    assert go(job(run))[0] == []
    with pytest.raises(FledgeError, match="after --until"):
        go(job(run), start="third", until="first")
    with pytest.raises(FledgeError, match='--until: there is no stage "secnd"; did you mean second'):
        go(job(run), until="secnd")


def test_from_that_was_cut_off_goes_on_where_it_stopped(run, monkeypatch):
    go(job(run))
    monkeypatch.setattr("fake_stages.third", lambda context: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(job(run), start="first")
    monkeypatch.undo()
    assert go(job(run), start="first")[0] == ["third+"]
    assert go(job(run), start="first")[0] == ["first", "second", "third"]


def child(run: Path, **environment: str) -> subprocess.CompletedProcess:
    code = "from pathlib import Path; from fake_stages import *; from fledge.stages.graph import run_job;"
    code += f"run_job(job(Path({str(run)!r}), second=Second(times=int(os.environ.get('TIMES', 2)))), say=print)"
    env = {**os.environ, "PYTHONPATH": str(HERE), **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


def test_a_killed_stage_resumes_and_ends_as_if_it_had_not_been_killed(run):
    killed = child(run, KILL_AT="2")
    assert killed.returncode != 0 and "done" not in killed.stdout.split("second: starts")[1]
    assert not (run / "second" / "manifest.json").exists()
    made, decisions, _ = go(job(run))
    assert made == ["second+", "third"] and decisions["second"].reason == "was cut off"
    assert not list(run.rglob(".partial-*"))
    whole = run.parent / "whole"
    go(job(whole))
    assert read_manifest(run / "second").outputs.keys() == read_manifest(whole / "second").outputs.keys()
    for name in read_manifest(whole / "second").outputs:
        assert (run / "second" / name).read_bytes() == (whole / "second" / name).read_bytes()


def test_from_drops_what_was_cut_off_before_it(run, monkeypatch):
    child(run, KILL_AT="2")
    monkeypatch.setattr("fake_stages.third", lambda context: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(job(run), start="second")
    monkeypatch.undo()
    assert (run.parent / "calls.txt").read_text(encoding="utf-8").split() == ["second"]
    assert go(job(run), start="second")[0] == ["third+"]
    child(run, TIMES="4", KILL_AT="1")
    made, decisions, _ = go(job(run, second=Second(times=4)), start="second")
    assert made == ["second", "third"] and decisions["second"].reason == "times 2 → 4; asked for with --from"


def test_a_killed_stage_with_other_settings_starts_afresh(run):
    child(run, KILL_AT="2")
    made, decisions, _ = go(job(run, second=Second(times=1)))
    assert made == ["second", "third"] and "begun before, but times 2 → 1" in decisions["second"].reason
    assert (run / "second" / "part-0.txt").read_text(encoding="utf-8") == "a0"


def test_the_old_output_stays_until_the_new_one_is_whole(run):
    go(job(run))
    old = (run / "second" / "part-0.txt").read_text(encoding="utf-8")
    assert child(run, TIMES="4", KILL_AT="1").returncode != 0
    assert (run / "second" / "part-0.txt").read_text(encoding="utf-8") == old
    assert (run / "second.next" / "part-0.txt").exists()
    made, decisions, _ = go(job(run, second=Second(times=4)))
    assert made == ["second+", "third"] and "a re-run was cut off (times 2 → 4)" in decisions["second"].reason
    assert not (run / "second.next").exists()
    assert (run / "second" / "part-0.txt").read_text(encoding="utf-8") == "aaaa0"


def test_going_back_to_the_old_settings_drops_the_unfinished_rerun(run):
    go(job(run))
    child(run, TIMES="4", KILL_AT="1")
    assert go(job(run))[0] == []
    assert not (run / "second.next").exists()


@pytest.mark.parametrize("old_moved", [False, True])
def test_a_swap_that_was_cut_off_is_finished(run, old_moved):
    go(job(run, second=Second(times=4)))
    os.replace(run / "second", run / "second.next")
    if not old_moved:
        (run / "second").mkdir()
    assert go(job(run, second=Second(times=4)))[0] == []
    assert (run / "second" / "part-0.txt").exists() and not (run / "second.next").exists()


def test_the_directory_of_another_recipe_is_refused(run):
    go(job(run))
    with pytest.raises(FledgeError, match="holds a run of the recipe fake, not of other; choose another directory"):
        go(job(run, name="other"))


def test_a_directory_that_holds_something_else_is_refused(run):
    run.mkdir()
    (run / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FledgeError, match="is not empty and holds no run"):
        go(job(run))
    assert [path.name for path in run.iterdir()] == ["letter.txt"]


def test_a_recipe_that_lacks_a_stage_is_refused(run):
    with pytest.raises(FledgeError, match=r"\[third\] needs \[second\] in the recipe fake"):
        go(job(run, second=None))
    with pytest.raises(FledgeError, match="has no stage third; add a"):
        go(job(run, third=None), until="third")


def test_one_stage_by_itself_needs_its_upstream(run):
    with pytest.raises(FledgeError, match="second reads from first, which is not done"):
        go(job(run), only="second")
    assert go(job(run), only="first")[0] == ["first"]
    assert go(job(run), only="second")[0] == ["second"]
    go(job(run, first=First(letter="b")), only="first")
    with pytest.raises(
        FledgeError, match=r"second, which is out of date \(the output of first changed\); run fledge second --out"
    ):
        go(job(run, first=First(letter="b")), only="third")
    go(job(run, first=First(letter="b")))
    with pytest.raises(FledgeError, match=r"first, which is out of date \(letter .b. → .c.\)"):
        go(job(run, first=First(letter="c")), only="second")


def test_another_version_is_told_and_reruns_nothing(run):
    go(job(run))
    path = run / "first" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["versions"]["fledge"] = "0.0.1"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    made, decisions, said = go(job(run))
    assert made == [] and decisions["first"].note.startswith("made by fledge 0.0.1") and "0.0.1" in said


def test_an_unreadable_manifest_reruns_the_stage(run):
    go(job(run))
    (run / "third" / "manifest.json").write_text("{", encoding="utf-8")
    made, decisions, _ = go(job(run, third=Third()))
    assert made == ["third"] and "not valid JSON" in decisions["third"].reason
