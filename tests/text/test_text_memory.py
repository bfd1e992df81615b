"""The measurement of the text stage's memory runs as its help says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "text_memory.py"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell shared memory apart")
def test_it_measures_two_corpora_and_writes_its_figures(tmp_path):
    words = ["--small", "0.2", "--large", "0.4", "--workers", "1", "--scratch", tmp_path, "--json", tmp_path / "m.json"]
    done = subprocess.run([sys.executable, BENCHMARK, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "m.json").read_text("utf-8"))
    small, large = figures["runs"]
    assert 200_000 <= small["corpus_bytes"] < 220_000 and 400_000 <= large["corpus_bytes"] < 420_000
    assert figures["large_to_small"] == round(large["peak_bytes"] / small["peak_bytes"], 3)
    assert small["peak_bytes"] > 20_000_000 and large["documents_kept"] > small["documents_kept"] > 10
    assert large["documents_rejected"] > 0 and f"large / small = {figures['large_to_small']}" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"], "the corpora are removed"
