"""Time to quality: what each loader gives, what is measured on, how targets are read off curves, and a whole run."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.stages.page import to_markdown
from fledge.tokens.tokenizer import Tokenizer

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "the",
    "mat",
    "and",
    "the",
    "dog",
    "ran",
    "to",
    "the",
    "door",
    "while",
    "rain",
    "fell",
    "on",
    "every",
    "roof",
    "of",
    "town",
]


@pytest.fixture(scope="module", autouse=True)
def found_scripts() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def load(name: str) -> Any:
    return importlib.import_module(name)


def stream_of(lengths: list[int]) -> Any:
    """Documents that begin with 0 and go on with numbers that occur once in the stream."""
    documents = []
    number = 1
    for length in lengths:
        documents.append([0, *range(number, number + length - 1)])
        number += length - 1
    return load("peers.loaders").Stream(np.concatenate(documents).astype(np.uint16))


def test_random_crops_are_pieces_of_the_stream() -> None:
    stream = stream_of([40, 7, 30])
    crops = next(load("peers.loaders").random_crops(stream, 64, 9, seed=0))
    windows = {tuple(stream.tokens[i : i + 9]) for i in range(len(stream.tokens) - 8)}
    assert {tuple(row) for row in crops} <= windows
    assert len({row[0] for row in crops.tolist()}) > 20


def test_shuffled_blocks_give_every_block_once_an_epoch() -> None:
    stream = stream_of([50, 31])  # 9 blocks of 9
    batches = load("peers.loaders").shuffled_blocks(stream, 3, 9, seed=0)
    first, second = ([tuple(row) for _ in range(3) for row in next(batches)] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(tuple(stream.tokens[i : i + 9]) for i in range(0, 81, 9))
    assert first != second


def test_heldout_rows_cover_the_text_and_count_its_bytes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = "the dog ran to the cat \u00e9\u00e9 and the door " * 20
    path = tmp_path / "held.txt"
    path.write_text(text, encoding="utf-8")
    told = load("time_to_quality").write_heldout(path, tokenizer, 16, tmp_path, 600)
    held = np.load(told["path"])
    assert (held["rows"][1:, 0] == held["rows"][:-1, -1]).all()
    assert held["rows"][0, 0] == tokenizer.bos
    spelled = tokenizer.decode_bytes(held["rows"][:, 1:].ravel().tolist())
    assert text.encode()[:600].startswith(spelled)
    assert told["n_bytes"] == len(spelled) == held["row_bytes"].sum()
    assert len(spelled) > 500


def points(*values: tuple[float, int, float]) -> list[dict[str, Any]]:
    return [{"seconds": s, "tokens": t, "bits": {"x": b}} for s, t, b in values]


def test_the_time_to_a_target_lies_on_the_line_between_two_points() -> None:
    crossing = load("time_to_quality").crossing
    curve = points((10.0, 100, 4.0), (20.0, 200, 3.0), (40.0, 300, 2.0))
    assert crossing(curve, "x", 2.25) == pytest.approx((35.0, 275.0))
    assert crossing(curve, "x", 4.5) == (10.0, 100)
    assert crossing(curve, "x", 1.9) is None


def test_a_target_is_where_the_best_peer_ends_and_every_seed_must_reach_it() -> None:
    def run(name: str, seed: int, curve: list[dict[str, Any]], first: float) -> dict[str, Any]:
        bits = curve[-1]["bits"]
        common = {"name": name, "seed": seed, "points": curve, "bits": bits, "error": ""}
        return {**common, "first_seconds": first, "seconds": curve[-1]["seconds"]}

    runs = [
        run("fledge, default", 0, points((2.0, 50, 3.0), (4.0, 100, 1.0)), 1.0),
        run("fledge, default", 1, points((4.0, 50, 3.0), (6.0, 100, 1.0)), 3.0),
        run("nanogpt, AdamW", 0, points((8.0, 100, 2.5)), 1.0),
        run("nanogpt, AdamW", 1, points((8.0, 100, 2.3)), 1.0),
        run("nanochat, Muon", 0, points((9.0, 100, 2.2)), 1.0),
        run("nanochat, Muon", 1, points((9.0, 100, 1.8)), 1.0),
        {"name": "litgpt, AdamW", "seed": 0, "points": [], "error": "gone"},
    ]
    (found,) = load("time_to_quality").targets(runs, {})
    assert found["bits"] == pytest.approx(2.0)
    rows = {row["contestant"]: row for row in found["reached"]}
    assert rows["fledge, default"]["seconds"] == pytest.approx((3.0 + 5.0) / 2)
    assert rows["fledge, default"]["seconds_after_first_step"] == pytest.approx(4.0 - 2.0)
    assert rows["fledge, default"]["tokens"] == pytest.approx(75)
    assert rows["nanochat, Muon"]["seconds"] is None  # one seed did not
    assert "litgpt, AdamW" not in rows
    kept = {"command": "make quality", "targets": [found], "runs": runs}
    page = to_markdown("Results", "", [load("results").quality_section("Quality", "Words.", kept)])
    assert "| fledge, default | 1.000 | 4 | 2 | 75 |" in page
    assert "| nanochat, Muon | 2.000 | not reached | – | – |" in page
    assert "litgpt, AdamW: gone" in page
    (end,) = (each for each in load("time_to_quality").ends(runs) if each["peer"] == "nanochat, Muon")
    assert (end["bits"], end["seconds"]) == (pytest.approx(2.0), 9.0)
    assert end["fledge, default, share"] == pytest.approx(((3.0 + 5.0) / 2) / 9.0)
    with_ends = {"command": "", "targets": [found], "runs": runs, "ends": [end]}
    page = to_markdown("Results", "", [load("results").quality_section("Quality", "Words.", with_ends)])
    assert "| x | nanochat, Muon | 0.44 |" in page
    (given,) = load("time_to_quality").targets(runs, {"x": "2.4"})
    assert given["bits"] == 2.4


def test_a_whole_run_learns_and_names_who_is_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, n in (("train.txt", 3000), ("held.txt", 300)):
        paragraphs = [" ".join(rng.choice(WORDS, 40)) + "." for _ in range(n // 10)]
        (tmp_path / name).write_text("\n\n".join(paragraphs), encoding="utf-8")
    command = [sys.executable, str(BENCHMARKS / "time_to_quality.py"), "--shape", "tiny", "--steps", "8"]
    command += ["--text", str(tmp_path / "train.txt"), "--heldout", str(tmp_path / "held.txt"), "--points", "2"]
    command += ["--vocab-size", "300", "--heldout-bytes", "3000", "--curve-bytes", "1000", "--threads", "1"]
    command += ["--no-compile", "--precision", "fp32", "--fledge", "compile=off", "precision=fp32"]
    command += ["--peers-python", sys.executable, "--only", "fledge", "transformers", "nanogpt"]
    command += ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.png")]
    contestants = load("contestants")
    env = contestants.environment_of(contestants.Contestant("fledge", "x"), {}, 1)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    runs = {run["name"]: run for run in found["runs"]}
    assert runs["nanogpt, AdamW"]["error"] == "no --nanogpt was given"
    for name in ("fledge, default", "transformers, AdamW"):
        first, last = runs[name]["points"]
        assert (first["step"], last["step"], last["tokens"]) == (4, 8, 8 * 128)
        assert first["seconds"] < last["seconds"]
        assert 0 < last["bits"]["held"] < math.log2(300)
        assert runs[name]["first_seconds"] > 0
    assert runs["fledge, default"]["bits"]["held"] < runs["fledge, default"]["points"][0]["bits"]["held"]
    assert (tmp_path / "out.png").stat().st_size > 10_000
    assert "held: " in done.stdout
