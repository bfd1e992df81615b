"""The speed benchmark: what its children do and tell, who is left out and why, and the ratios made of it."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.stages.page import to_markdown

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
QUICK = ["compile=off", "precision=fp32"]


@pytest.fixture(autouse=True)
def found_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def load(name: str) -> Any:
    return importlib.import_module(name)


def environment() -> dict[str, str]:
    return load("contestants").environment_of(load("contestants").Contestant("fledge", "x"), {}, 1)


def test_a_real_run_times_fledge_and_names_the_peers_that_are_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "speed.py"), "--shapes", "tiny", "--rounds", "2", "--steps", "2"]
    command += ["--only", "fledge, default", "nanogpt, fp32", "transformers, fp32", "litgpt, fp32"]
    command += [
        "--threads",
        "1",
        "--peers-python",
        sys.executable,
        "--json",
        str(tmp_path / "out.json"),
        "--fledge",
        *QUICK,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment()}, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["shapes"]["tiny"]
    rows = {row["name"]: row for row in found["rows"]}
    fledge, transformers = rows["fledge, default"], rows["transformers, fp32 default"]
    assert rows["nanogpt, fp32 default"]["error"] == "no --nanogpt was given"
    assert rows["litgpt, fp32 default"]["error"] == f"{sys.executable} has no litgpt"
    # the same function, so the same parameters; and steps of both rounds
    assert fledge["n_parameters"] == transformers["n_parameters"] > 0
    assert fledge["n_steps"] == transformers["n_steps"] == 4
    assert fledge["hardware"]["compile"] is False
    assert fledge["peak_bytes"] > 50_000_000
    (ratio,) = found["ratios"]
    expected = [
        fledge["tokens_per_second_by_round"][number] / transformers["tokens_per_second_by_round"][number]
        for number in ("1", "2")
    ]
    assert ratio["speed_ratio_by_round"] == pytest.approx(expected)
    assert ratio["speed_ratio"] == pytest.approx(sum(expected) / 2)


def turn(name: str, number: int, step_seconds: list[float], peak: int = 100) -> Any:
    made = load("contestants").Turn(name, number, first_seconds=9.0, step_seconds=step_seconds, peak_bytes=peak)
    made.peak_step_bytes, made.n_parameters = peak, 7
    return made


def test_ratios_are_those_of_one_round_to_the_fastest_and_the_leanest() -> None:
    speed, task = load("speed"), load("peers.task")
    shape = task.SHAPES["tiny"]  # 128 tokens a step
    turns = [
        turn("fledge, default", 1, [1.0, 1.0, 50.0], peak=80),
        turn("litgpt, bf16, compiled", 1, [2.0], peak=100),
        turn("nanogpt, bf16, compiled", 1, [4.0], peak=40),
        turn("nanogpt, bf16, compiled, glibc reuse", 1, [0.5]),
        turn("fledge, default", 2, [2.0]),  # the machine was slower: both of this round are
        turn("litgpt, bf16, compiled", 2, [6.0]),
        load("contestants").Turn("nanochat, fp32 default", 1, error="no --nanochat was given"),
    ]
    found = speed.summary(shape, turns)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["fledge, default"]["tokens_per_second_by_round"] == {1: 128.0, 2: 64.0}
    assert rows["fledge, default"]["compile_seconds"] == pytest.approx(8.0 - 0.5 + 0.0, abs=0.6)
    assert rows["nanochat, fp32 default"]["error"]
    best, levers = found["ratios"]
    assert best["family"] == "best"
    assert best["fastest_peer"] == "litgpt, bf16, compiled"
    assert best["speed_ratio_by_round"] == pytest.approx([2.0, 3.0])
    assert best["speed_ratio"] == pytest.approx(2.5)
    assert best["memory_ratio_to_leanest"] == pytest.approx(90 / 40)
    assert (levers["family"], levers["speed_ratio"]) == ("best with levers", pytest.approx(0.5))
    assert any("2.50 ×" in line for line in speed.table(found))
    kept = {"command": "make bench", "machine": {"cores": 2}, "shapes": {"tiny": found}}
    page = to_markdown("Results", "", [load("results").speed_section("Speed", "Words.", kept)])
    assert "| fledge, default | litgpt, bf16, compiled | 2.50 | 2.00, 3.00 | 2.25 |" in page
    assert "| nanochat, fp32 default | no --nanochat was given |" in page


def test_each_lever_is_taken_from_a_fledge_that_has_the_others() -> None:
    speed, contestants, fledge = load("speed"), load("contestants"), load("peers.fledge_")
    shape, task = load("peers.task").SHAPES["i"], load("peers.task").Task
    everyone = contestants.without_levers({"optim.scale": "0.5"}, bf16=True)
    base, *others = [fledge.settings_of(task("fledge", shape, settings=each.settings)) for each in everyone]
    assert base.optim.scale == 0.5 and all(other.optim.scale == 0.5 for other in others)
    assert sum(other != base for other in others) == len(others) - 1  # patient threads are no setting
    assert [each.environment for each in everyone][-1] == {}
    (small,) = [other for other in others if other.micro_batch_rows]
    assert small.micro_batch_rows == shape.rows
    found = speed.summary(shape, [turn("fledge, default", 1, [1.0]), turn("fledge, without compilation", 1, [2.0])])
    (ratio,) = found["ratios"]
    assert ratio["contestant"] == "fledge, without compilation" and ratio["speed_ratio"] == pytest.approx(0.5)


def test_a_short_bench_runs_what_decides_and_a_full_one_all() -> None:
    speed, contestants, task = load("speed"), load("contestants"), load("peers.task")
    shape = task.SHAPES["tiny"]
    everyone = contestants.contestants({}, bf16=True)

    def names(number: int, turns: list[Any], *words: str) -> list[str]:
        options = speed.parser().parse_args(list(words))
        done, found = list(turns), []
        for each in everyone:
            if speed.wanted(each, shape, number, done, options):
                found.append(each.name)
                seconds = {"litgpt": 1.0, "nanochat": 2.0}.get(each.peer, 3.0)
                broken = each.peer == "transformers"
                done.append(turn(each.name, number, [] if broken else [seconds]))
                done[-1].error = "it broke" if broken else ""
        turns[:] = done
        return found

    turns: list[Any] = []
    first = names(1, turns)
    assert [name for name in first if name.endswith("glibc reuse")] == [
        "litgpt, bf16, compiled, glibc reuse",
        "nanochat, bf16, compiled, glibc reuse",
    ]
    assert [name for name in first if name.endswith("fp32 default")] == [
        "nanogpt, fp32 default",
        "litgpt, fp32 default",
    ]
    second = [name for name in names(2, turns) if not name.startswith("fledge") and "tcmalloc" not in name]
    assert second == ["litgpt, bf16, compiled", "litgpt, bf16, compiled, glibc reuse", "litgpt, fp32 default"]
    assert len(names(1, [], "--full")) == len(everyone)
    assert names(1, [], "--only", "nanochat, fp32") == ["nanochat, fp32 default"]


def test_levers_of_this_process_reach_no_contestant(monkeypatch: pytest.MonkeyPatch) -> None:
    contestants = load("contestants")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    plain, *_ = [c for c in contestants.contestants({}, bf16=True) if c.family == "fp32 default"]
    reused, *_ = [c for c in contestants.contestants({}, bf16=True) if c.family.endswith("glibc reuse")]
    env = contestants.environment_of(plain, {}, 2)
    assert not {"LD_PRELOAD", "OMP_WAIT_POLICY", "MALLOC_TRIM_THRESHOLD_"} & set(env)
    assert env["OMP_NUM_THREADS"] == "2"
    env = contestants.environment_of(reused, {}, 2)
    assert env["OMP_WAIT_POLICY"] == "PASSIVE"
    assert env["MALLOC_TRIM_THRESHOLD_"] == str(2**31 - 1)


def test_without_bf16_units_all_compute_in_fp32() -> None:
    found = load("contestants").contestants({}, bf16=False)
    assert {c.precision for c in found} == {"fp32"}
    assert len({c.name for c in found}) == len(found)


def test_a_child_that_fails_or_hangs_is_told_in_a_line() -> None:
    contestants = load("contestants")
    say = 'print(\'{"event": "ready"}\', flush=True);'
    failing = [sys.executable, "-c", say + "raise ValueError('no such peer')"]
    assert list(contestants.child_events(failing, environment(), 60.0)) == [
        {"event": "ready"},
        {"event": "error", "what": "ended with status 1: ValueError: no such peer"},
    ]
    hanging = [sys.executable, "-c", say + "import time; time.sleep(600)"]
    *_, last = contestants.child_events(hanging, environment(), 2.0)
    assert last == {"event": "error", "what": "did not end within 2 s"}


def test_synthetic_rows_have_documents_whose_borders_are_not_learned() -> None:
    task = load("peers.task")
    shape = task.Shape("x", n_layers=1, d_model=8, n_heads=1, context=256, vocab_size=50, rows=16)
    source = load("peers.fledge_").PackedRows(shape, 0)
    batch, again, other = source.batch(3), source.batch(3), source.batch(4)
    assert np.array_equal(batch.tokens, again.tokens)
    assert not np.array_equal(batch.tokens, other.tokens)
    assert np.array_equal(batch.tokens[:, 1:], batch.targets[:, :-1])
    begins = np.diff(batch.document, axis=1) == 1
    assert set(np.unique(np.diff(batch.document, axis=1))) == {0, 1}
    assert (batch.position[:, 1:][begins] == 0).all()
    assert (batch.position[:, 0] == 0).all()
    assert (np.diff(batch.position, axis=1)[~begins] == 1).all()
    assert (batch.weight[:, :-1] == 1 - begins).all()
    assert 16 * 256 / (begins.sum() + 16) == pytest.approx(120, rel=0.4)


def test_schedules_begin_low_and_end_where_they_say() -> None:
    rates = load("peers.rates")
    values = [rates.cosine(step, 100, warmup=10, final=0.1) for step in range(101)]
    assert values[0] == pytest.approx(1 / 11)
    assert max(values) == values[10] == 1.0
    assert values[-1] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(values[10:]))
    assert rates.warmup_steps(1000, 400) == 40
