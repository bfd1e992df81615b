"""Switches beside the default: differences seed by seed, and a whole run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(variant: str, seed: int, bits: float) -> dict[str, Any]:
    return {"variant": variant, "seed": seed, "bits": {"x": bits}, "seconds": 1.0, "error": ""}


def test_differences_are_taken_seed_by_seed() -> None:
    runs = [run("default", 0, 2.0), run("default", 1, 3.0), run("a", 0, 1.9), run("a", 1, 2.7)]
    runs.append({"variant": "b", "seed": 0, "error": "gone"})
    default, a, b = importlib.import_module("switches").compared(runs)
    assert default["x"] == 2.5 and "x, difference" not in default
    assert a["x, difference"] == pytest.approx(-0.2)
    assert a["x, ± 1 standard error"] == pytest.approx(0.1)  # of -.1 and -.3
    assert b == {"variant": "b", "error": "gone"}


def test_the_variants_of_the_page_are_settings_that_exist() -> None:
    from fledge.run.flags import parse_flags
    from fledge.train.config import PretrainConfig

    for settings in importlib.import_module("switches").VARIANTS.values():
        parse_flags(PretrainConfig, [f"--{each}" for each in settings])


def test_a_whole_run(tmp_path: Path) -> None:
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "mats",
        "and",
        "a",
        "dog",
        "ran",
        "while",
        "rain",
        "fell",
        "over",
        "this",
        "town",
    ]
    rng = np.random.default_rng(0)
    for name, n in (("train.txt", 300), ("held.txt", 30)):
        paragraphs = [" ".join(rng.choice(words, 40)) + "." for _ in range(n)]
        (tmp_path / name).write_text("\n\n".join(paragraphs), encoding="utf-8")
    command = [sys.executable, str(BENCHMARKS / "switches.py"), "--depth", "1", "--tokens", "16384", "--seeds", "0"]
    command += ["--text", str(tmp_path / "train.txt"), "--heldout", str(tmp_path / "held.txt"), "--threads", "1"]
    command += ["--vocab-size", "300", "--work", str(tmp_path / "work"), "--json", str(tmp_path / "out.json")]
    command += ["--variant", "still", "optim.scale=0.0", "--variant", "absurd", "model.head_dim=-1"]
    contestants = importlib.import_module("contestants")
    env = contestants.environment_of(contestants.Contestant("fledge", "x"), {}, 1)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=280)
    assert done.returncode == 0, done.stderr
    default, still, absurd = json.loads((tmp_path / "out.json").read_text())["variants"]
    assert still["held, difference"] > 0.1 and still["held"] > default["held"]
    assert "head_dim" in absurd["error"]
