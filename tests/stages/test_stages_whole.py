"""A whole life on a few kilobytes: from text to an assistant that answers, killed at will and resumed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.run.manifest import damaged_outputs, read_manifest
from fledge.stages.table import stage_names


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    return write_recipe(
        tmp_path_factory.mktemp("whole"),
        n_documents=400,
        training="context_length = 32\nbatch_tokens = 256\nmicro_batch_rows = 4\n",
        pretrain="tokens = 7680\neval_every = 10\nsample_every = 10\ncheckpoint_every = 7",
        sft="tokens = 2560",
        evaluation="heldout_bytes = 2000\nngram_order = 3",
    )


@pytest.fixture(scope="module")
def finished(recipe) -> Path:
    run = recipe.parent / "whole"
    assert main(["run", str(recipe), "--out", str(run)]) == 0
    return run


STAGES = [name for name in stage_names() if name not in ("world", "tools")]


def test_every_stage_leaves_a_manifest_that_holds(finished):
    for stage in STAGES:
        manifest = read_manifest(finished / stage)
        assert manifest.stage == stage and damaged_outputs(finished / stage, manifest, thorough=True) == []
        kinds = [event["kind"] for event in read_events(finished / stage / "events.jsonl")]
        assert kinds[0] == "schema" and kinds[-1] == "stage_ended", stage


def test_training_leaves_losses_heldout_figures_and_samples(finished):
    path = finished / "pretrain" / "events.jsonl"
    assert [event["step"] for event in read_events(path, "step")] == list(range(1, 31))
    heldout = list(read_events(path, "heldout"))
    assert [event["step"] for event in heldout] == [0, 10, 20, 30]
    assert heldout[-1]["bits_per_byte"] < heldout[0]["bits_per_byte"] and heldout[-1]["name"] == "text"
    sample = list(read_events(path, "sample"))[-1]
    assert len(sample["pieces"]) == len(sample["probabilities"]) > 0
    assert all(0 <= p <= 1 for p in sample["probabilities"])
    results = json.loads((finished / "eval" / "results.json").read_text(encoding="utf-8"))
    assert results["bits_per_byte"][0]["ngram"]["order"] == 3


@pytest.mark.parametrize("by_directory", [False, True])
def test_again_does_nothing(finished, recipe, capsys, by_directory):
    assert main(["run", str(finished)] if by_directory else ["run", str(recipe), "--out", str(finished)]) == 0
    out = capsys.readouterr().out
    assert out.count(" done    nothing changed") == len(STAGES) and "starts" not in out


def test_the_assistant_talks_without_a_terminal_and_the_base_model_goes_on(finished, capsys):
    assert main(["chat", str(finished), "--max-tokens", "5"]) == 0
    out = capsys.readouterr().out
    assert out.count("you> ") == 4 and out.count("fledge> ") >= 3
    assert main(["sample", str(finished), "Ann took", "--max-tokens", "5", "--seed", "1", "--n", "2"]) == 0
    first = capsys.readouterr().out
    assert first.count("Ann took") == 2
    main(["sample", str(finished), "Ann took", "--max-tokens", "5", "--seed", "1", "--n", "2"])
    assert capsys.readouterr().out == first


def test_inspect_tells_a_run_and_a_checkpoint(finished, capsys):
    assert main(["inspect", str(finished)]) == 0
    out = capsys.readouterr().out
    assert all(f"{stage}: done in" in out for stage in STAGES) and "depth 1" in out
    checkpoint = finished / "pretrain" / "checkpoints" / "step-00000030"
    assert main(["inspect", str(checkpoint)]) == 0
    assert "whole: every file matches its checksum" in capsys.readouterr().out
    assert main(["inspect", str(finished / "sft" / "conversations")]) == 0
    out = capsys.readouterr().out
    assert "⟨<|user|>⟩" in out and "<|end|>" in out.replace("⟨<|end|>⟩", "", 1)


def test_a_changed_mixture_trains_anew_although_the_shards_are_the_same(finished, recipe, capsys):
    words = ["run", str(recipe), "--out", str(finished), "--until", "pretrain", "--tokens.mixture.text", "2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert 're-run  mixture {} → {"text": 2.0}' in out and "pretrain: starts" in out and "text: starts" not in out
    assert main(["run", str(recipe), "--out", str(finished)]) == 0


def test_killed_at_random_moments_it_ends_with_the_same_bytes(finished, recipe):
    run, chance, kills = recipe.parent / "killed", random.Random(3), 0
    command = [sys.executable, "-m", "fledge.cli.main", "run", str(recipe), "--out", str(run)]
    while kills < 10:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 3.0))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert subprocess.run(command, capture_output=True, timeout=300).returncode == 0
    assert kills >= 2
    for stage in STAGES:
        one, other = (read_manifest(each / stage).outputs for each in (run, finished))
        names = {name for name in one if not name.endswith(("hardware.json", "state.json"))}
        assert names == {name for name in other if not name.endswith(("hardware.json", "state.json"))}
        assert {name: one[name].sha256 for name in names} == {name: other[name].sha256 for name in names}, stage
    losses = [
        [event["loss"] for event in read_events(each / stage / "events.jsonl", "step")]
        for each in (run, finished)
        for stage in ("pretrain", "sft")
    ]
    assert losses[:2] == losses[2:]
