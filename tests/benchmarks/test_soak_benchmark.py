"""The soak, for some seconds, and that it sees what it is there to see."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.skipif(os.name != "posix", reason="ends the server by SIGTERM")
def test_some_seconds_of_it(tmp_path: Path) -> None:
    words = ["--seconds", "4", "--clients", "8", "--json", str(tmp_path / "soak.json")]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "soak.py"), *words], capture_output=True, text=True, timeout=90
    )
    result = json.loads((tmp_path / "soak.json").read_text())
    assert [each for each in result["faults"] if "memory" not in each] == [], done.stderr
    assert min(result["counts"][name] for name in ("streams", "left", "malformed", "repeated")) > 5


def test_faults_are_seen() -> None:
    soak = importlib.import_module("soak")

    def client(answer: httpx.Response) -> tuple[object, object]:
        tally = soak.Tally()
        one = soak.Client("http://x", tally, random.Random(1))
        one.http = httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(lambda _: answer))
        return one, tally

    one, tally = client(httpx.Response(500, json={}))
    asyncio.run(one.whole())
    assert tally.counts["faults"] == 1 and ": 500, not 200" in tally.faults[0]
    chunk = {"choices": [{"index": 0, "text": "a", "delta": {"content": "a"}, "finish_reason": None}]}
    one, tally = client(httpx.Response(200, text=f"data: {json.dumps(chunk)}\n\n"))
    one.drawn = lambda **fields: ("/v1/completions", {"stream": True, "n": 1})
    asyncio.run(one.whole())
    assert "a stream ended after {0: 1} chunks, done: False" in tally.faults[0]
    tally.text({"seed": 1}, "a")
    tally.text({"seed": 1}, "b")
    assert (tally.counts["repeated"], tally.counts["differing"]) == (1, 1)
    flat = {"start": 100.0, "quarter": 200.0, "half": 200.0, "end": 201.0}
    assert not soak.grown(flat) and not soak.grown({**flat, "end": None})
    assert soak.grown({**flat, "end": 200.0 * soak.GREATEST_GROWTH + 1})
