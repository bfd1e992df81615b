"""The real command, as a process: what it says, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from safetensors.torch import save_file

from fledge.cli.main import main
from fledge.model.config_json import write_config
from fledge.model.decoder import Decoder
from fledge.run.files import write_json
from fledge.run.manifest import Manifest, hash_outputs, write_manifest
from fledge.serve.start import model_name
from fledge.tokens.tokenizer import Tokenizer

posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any, model: Decoder, tokenizer: Tokenizer) -> Path:
    """A run with an assistant."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    tokenizer.save(run / "tokenizer")
    (run / "recipe.toml").write_text("")
    weights = run / "sft" / "model"
    weights.mkdir(parents=True)
    save_file({k: v.detach().clone() for k, v in model.state_dict().items()}, weights / "model.safetensors")
    write_json(weights / "config.json", write_config(model.config, context_length=4_096))
    now = time.time()
    write_manifest(run / "sft", Manifest("sft", "", {}, hash_outputs(run / "sft"), {}, now, now, 0.0))
    return run


class Process:
    def __init__(self, *words: str, **environment: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fledge.cli.main", "serve", *words, "--port", "0", "--max-batch", "4"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        self.url = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if found := re.match(r"(http://\S+)/v1 answers", line):
                self.url = found[1]
            if line.startswith("Ctrl-C"):
                break
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(self.url + "/health")
                return
            except httpx.TransportError:
                time.sleep(0.02)

    def ends(self, seconds: float) -> tuple[int, list[str]]:
        assert self.process.stdout is not None
        try:
            status = self.process.wait(seconds)
        finally:
            self.process.kill()
        return status, self.process.stdout.read().splitlines()


@pytest.fixture
def served(run: Path) -> Iterator[Process]:
    process = Process(str(run), "--drain-seconds", "60")
    yield process
    process.process.kill()


@posix
def test_what_runs_is_finished_after_sigterm_and_nothing_new_is_taken(served: Process) -> None:
    assert re.fullmatch(
        r"tiny: an assistant of \S+k parameters, 4096 tokens of context, float32 on cpu, up to 4 completions at once",
        served.lines[0],
    )
    client = openai.OpenAI(base_url=served.url + "/v1", api_key="x", max_retries=0)
    body = {"model": "tiny", "prompt": "the", "max_tokens": 700, "logit_bias": {"281": -100}}
    stream = client.completions.create(**body, stream=True)
    pieces = [next(stream).choices[0]]
    served.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 5
    while httpx.get(served.url + "/health").status_code == 200:
        assert time.monotonic() < until
    with pytest.raises(openai.InternalServerError, match="the server is stopping"):
        client.completions.create(**body)
    pieces += [chunk.choices[0] for chunk in stream]
    assert pieces[-1].finish_reason == "length"
    status, rest = served.ends(60)
    assert (status, rest) == (0, ["stopped"])


@posix
def test_what_does_not_end_in_time_is_ended(run: Path) -> None:
    served = Process(str(run), "--drain-seconds", "0.5")
    body = {"model": "tiny", "prompt": "the", "max_tokens": 4_000, "logit_bias": {"281": -100}}
    client = openai.OpenAI(base_url=served.url + "/v1", api_key="x", max_retries=0)
    stream = client.completions.create(**body, stream=True, n=4)
    next(stream)
    served.process.send_signal(signal.SIGINT)
    with pytest.raises(openai.APIError, match="the server stopped before this was done"):
        list(stream)
    assert served.ends(60) == (0, ["stopped"])


@posix
def test_a_tool_of_the_command_line(run: Path) -> None:
    served = Process(str(run), "--tool", "calculator")
    client = openai.OpenAI(base_url=served.url + "/v1", api_key="x", max_retries=0)
    given = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "the cat"}],
        tool_choice={"type": "function", "function": {"name": "calculator"}},
        max_tokens=300,
        seed=1,
        logit_bias={"281": -100, str(ord('"')): 6},
    )
    assert [each["name"] for each in given.choices[0].message.executed_tools][:1] == ["calculator"]
    served.process.send_signal(signal.SIGTERM)
    assert served.ends(60)[0] == 0


@posix
def test_a_key_of_the_environment(run: Path) -> None:
    served = Process(str(run), "--name", "mine", FLEDGE_API_KEY="sesame")
    assert httpx.get(served.url + "/v1/models").status_code == 401
    given = httpx.get(served.url + "/v1/models", headers={"authorization": "Bearer sesame"}).json()
    assert given["data"][0]["id"] == "mine"
    assert "(with the key)" in served.lines[1] and "sesame" not in "".join(served.lines)
    served.process.send_signal(signal.SIGTERM)
    assert served.ends(60)[0] == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["no"], "no: is not there"),
        (["no", "--host", "0.0.0.0"], "--host: 0.0.0.0 can be reached from other machines"),
        (["no", "--port", "70000"], "--port: must be from 0 to 65535"),
        (["no", "--max-batch", "0"], "--max-batch: must be at least 1"),
        (["no", "--host", "no.such.host.invalid", "--api-key", "k"], "no.such.host.invalid: cannot listen there"),
        (["no", "--tool", "abacus"], "there is no tool 'abacus'"),
        (["no", "--queue", "-1"], "queue: must"),
        (["no", "--precision", "float8"], "precision"),
    ],
)
def test_each_fault_is_one_line(capsys: Any, words: list[str], line: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *words, *([] if "--port" in words else ["--port", "0"])]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("fledge: error: ") and captured.err.count("\n") == 1
    assert line in captured.err


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(capsys: Any, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", str(tmp_path / "no"), "--port", str(port)]) == 2
    assert f"127.0.0.1:{port}: cannot listen there" in capsys.readouterr().err


def test_the_name_of_a_run(run: Path, tmp_path: Path) -> None:
    assert model_name(run) == model_name(run / "sft") == model_name(run / "sft" / "model") == "tiny"
    assert model_name(tmp_path) == tmp_path.name


def test_without_the_extra_it_says_what_to_install(capsys: Any, monkeypatch: Any) -> None:
    for name in [name for name in sys.modules if name.startswith(("fledge.serve.app", "fledge.serve.server"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "no", "--port", "0"]) == 2
    assert "serving needs uvicorn; pip install 'fledge[serve]'" in capsys.readouterr().err


def test_help_loads_no_web_server() -> None:
    code = (
        "import sys, fledge; from fledge.cli.main import main; main(['serve', '--help']); "
        "print([n for n in ('torch', 'fastapi', 'uvicorn', 'pydantic', 'llguidance') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
