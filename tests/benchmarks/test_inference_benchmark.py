"""The benchmark of generation, on the smallest task."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_a_round_of_it(tmp_path: Path) -> None:
    few = ["--shapes", "demo", "--only", "fledge", "--rounds", "1", "--repeats", "1", "--rows", "2", "--tokens", "48"]
    words = [*few, "--threads", "1", "--work", str(tmp_path / "work"), "--json", str(tmp_path / "found.json")]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "inference.py"), *words], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    rows = found["engines, demo"]
    assert set(rows) == {"fledge, bfloat16", "fledge, int8", "fledge, float32"}
    for row in rows.values():
        assert all(value > 0 for value in row.values())
    assert found["first_compilation_seconds"] > 0 and found["bandwidth_gigabytes_per_second, demo"] > 0
