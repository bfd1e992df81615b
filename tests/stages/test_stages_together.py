"""A recipe started in two processes by torchrun, as one would on two devices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.run.manifest import damaged_outputs, read_manifest
from fledge.stages.table import stage_names

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gloo and torchrun")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    return write_recipe(
        tmp_path_factory.mktemp("together"),
        n_documents=400,
        training="context_length = 32\nbatch_tokens = 256\nmicro_batch_rows = 4\n",
        pretrain="tokens = 2560\neval_every = 5\nsample_every = 5\ncheckpoint_every = 4",
        sft="tokens = 1024",
        evaluation="heldout_bytes = 2000\nngram_order = 3",
    )


def by_two(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "fledge"]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=240)


def test_a_recipe_by_two_processes_gives_what_it_gives_by_one(recipe):
    one, two = recipe.parent / "one", recipe.parent / "two"
    assert main(["run", str(recipe), "--out", str(one)]) == 0
    done = by_two("run", str(recipe), "--out", str(two), "--pretrain.parallel", "fsdp")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and done.stdout.count("pretrain: done in") == 1
    for stage in [name for name in stage_names() if name not in ("world", "tools")]:
        assert damaged_outputs(two / stage, read_manifest(two / stage), thorough=True) == []
    for stage, kinds in (("pretrain", ("step", "heldout", "sample")), ("sft", ("step", "sample"))):
        for kind in kinds:
            left, right = ([*read_events(run / stage / "events.jsonl", kind)] for run in (one, two))
            assert len(left) == len(right) > 0
            figure = {"step": "loss", "heldout": "bits_per_byte", "sample": "probabilities"}[kind]
            for first, second in zip(left, right, strict=True):
                assert first[figure] == pytest.approx(second[figure], rel=1e-3, abs=1e-3)
    again = by_two("run", str(two))
    assert again.returncode == 0 and again.stdout.count(" done    nothing changed") == 6


def test_what_the_first_process_refuses_ends_all_and_is_told_once(recipe):
    missing = str(recipe.parent / "absent.txt")
    done = by_two("run", str(recipe), "--out", str(recipe.parent / "refused"), "--text.sources", missing)
    assert done.returncode != 0
    assert sum("fledge:" in line and missing in line for line in done.stderr.splitlines()) == 1
