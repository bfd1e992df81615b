"""The snippets of docs/serving.md run as they stand, at a server that has their model."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Running, serving

from fledge.infer.engine import Engine
from fledge.model.decoder import Decoder
from fledge.serve.config import Limits
from fledge.tokens.tokenizer import Tokenizer

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(python|sh)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TASK = """\
task: mine
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{query}}"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{metric: acc}]
"""


@pytest.fixture(scope="module")
def demo(model: Decoder, tokenizer: Tokenizer) -> Iterator[Running]:
    engine = Engine(model, context_length=512, max_batch=4, tokenizer=tokenizer)
    with serving(engine, tokenizer, name="demo") as server:
        yield server


def here(text: str, server: Running) -> str:
    assert "127.0.0.1:8000" in text
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("text", [text for kind, text in SNIPPETS if kind == "python"])
def test_python(demo: Running, text: str) -> None:
    needed = re.findall(r"^from (\w+) import", text, re.MULTILINE)
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    done = subprocess.run([sys.executable, "-c", here(text, demo)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_shell(demo: Running) -> None:
    (text,) = (text for kind, text in SNIPPETS if kind == "sh" and "curl" in text)
    done = subprocess.run(["sh", "-ec", here(text, demo)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"error"' not in done.stdout, done.stdout + done.stderr
    assert '"text_completion"' in done.stdout and '"count":' in done.stdout and "data: [DONE]" in done.stdout


def test_every_limit_is_as_it_says() -> None:
    limits = Limits()
    assert (limits.body_bytes, limits.choices, limits.top_logprobs, limits.stop_texts) == (8 * 2**20, 128, 20, 16)
    assert (limits.schema_chars, limits.body_seconds, limits.stall_seconds) == (64 * 1024, 20, 30)
    for told in ("8 MiB", "128 completions", "20 log-prob", "16 stop texts", "64 KiB", "within 20 s", "within 30 s"):
        assert told in PAGE
    for path in re.findall(r"`(\w+\.py)`", PAGE):
        assert (Path(__file__).parents[2] / "src" / "fledge" / "serve" / path).is_file()


def test_the_harness(demo: Running, tmp_path: Path) -> None:
    pytest.importorskip("tenacity", reason="lm-eval[api] is not whole here")
    pytest.importorskip("lm_eval")
    (text,) = (text for kind, text in SNIPPETS if kind == "sh" and "lm_eval" in text)
    rows = ['{"query": "the cat sat on the", "choices": ["mat", "door"], "gold": 0}'] * 3
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(TASK.replace("DATA", str(tmp_path / "rows.jsonl")), encoding="utf-8")
    words = here(text, demo).replace("\\\n", " ").replace("TASKS", "mine").split()
    words = [sys.executable, "-m", *words, "--include_path", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0 and "|mine" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
