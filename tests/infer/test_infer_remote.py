"""An engine behind a process border gives what one in this process gives."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from fledge.infer.engine import Engine
from fledge.infer.environments import ToolLoop, run_episodes
from fledge.infer.load import load_engine
from fledge.infer.remote import RemoteEngine
from fledge.infer.request import Constraint, GenerateRequest
from fledge.infer.tools.tool import tool
from fledge.infer.tools.toolbox import Toolbox
from fledge.model.config_json import write_config
from fledge.model.decoder import Decoder
from fledge.model.weights import exported_weights
from fledge.run.files import write_json
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message


def written(model: Decoder, tokenizer: Tokenizer, folder: Path, context_length: int = 48) -> Path:
    tokenizer.save(folder)
    save_file(
        {name: tensor.contiguous() for name, tensor in exported_weights(model).items()}, folder / "model.safetensors"
    )
    write_json(folder / "config.json", write_config(model.config, context_length=context_length))
    return folder


@pytest.fixture(scope="module")
def folder(model: Decoder, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(model, tokenizer, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def remote(folder: Path):
    with RemoteEngine(folder, threads=1, max_batch=3) as engine:
        yield engine


def test_it_gives_the_same(remote: RemoteEngine, folder: Path) -> None:
    here: Engine = load_engine(folder, max_batch=3)[0]
    requests = [
        GenerateRequest([i + 1, 5, 6], max_tokens=3 + i, temperature=i % 2 * 0.9, seed=i, top_logprobs=2)
        for i in range(7)
    ]
    assert remote.generate(requests) == here.generate(requests)
    assert list(remote.stream(requests[3])) == list(here.stream(requests[3]))
    for a, b in zip(remote.logprobs([[1, 2, 3], [4, 5]]), here.logprobs([[1, 2, 3], [4, 5]]), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(remote.embed([[1, 2]])[0], here.embed([[1, 2]])[0])
    assert remote.fingerprint() == here.fingerprint()
    assert (remote.context_length, remote.vocab_size) == (48, here.vocab_size)


def test_what_is_refused_there_is_told_here(remote: RemoteEngine) -> None:
    with pytest.raises(FledgeError, match="the prompt has 49 tokens and the model reads 48; shorten the prompt"):
        remote.generate([GenerateRequest([1] * 49)])
    pytest.importorskip("llguidance")
    with pytest.raises(FledgeError, match="regex"):
        remote.submit(GenerateRequest([1], constraint=Constraint("regex", "(")))
    number = remote.submit(GenerateRequest([1], max_tokens=9))
    remote.step()
    left = remote.cancel(number)
    assert left is not None and len(left.ids) == 1


def test_a_tool_loop_runs_there_as_it_does_here(model: Decoder, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Calls by force of a grammar, as a model without sense makes none; their results are read by both."""
    pytest.importorskip("llguidance")
    folder = written(model, tokenizer, tmp_path, context_length=200)
    here: Engine = load_engine(folder, max_batch=3)[0]

    @tool(isolated=False)
    def up(n: int) -> int:
        """One more."""
        return n + 1

    call = r"""start: <|tool_call|> "{\"name\": \"up\", \"arguments\": {\"n\": " /[1-9]/ "}}" <|/tool_call|> /x*/"""
    request = GenerateRequest([0], max_tokens=60, temperature=1.0, stop_ids=(tokenizer.end,), seed=5)
    request = replace(request, constraint=Constraint("grammar", call), logit_bias={tokenizer.end: 30.0})
    found = []
    with Toolbox([up]) as toolbox, RemoteEngine(folder, threads=1, max_batch=3) as remote:
        for engine in (remote, here):
            asked = Conversation((Message("user", "the cat"),))
            loops = [ToolLoop(tokenizer, asked, toolbox.session()) for _ in range(3)]
            episodes = run_episodes(engine, loops, request, max_turns=2)
            found.append((episodes, [loop.calls for loop in loops]))
    assert found[0] == found[1]
    episodes, calls = found[0]
    assert len({made[0].text for made in calls}) > 1
    for episode, made in zip(episodes, calls, strict=True):
        assert made and all(int(each.result) == json.loads(each.text)["arguments"]["n"] + 1 for each in made)
        assert sum(episode.weight) < len(episode.ids) and episode.finish_reason == "length"


def test_new_weights_come_by_their_place(
    remote: RemoteEngine, random_model, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    other = random_model(tokenizer.vocab_size, seed=9)
    before = remote.generate([GenerateRequest([1, 2], max_tokens=8)])[0]
    remote.update_weights(written(other, tokenizer, tmp_path), version=3)
    after = remote.generate([GenerateRequest([1, 2], max_tokens=8)])[0]
    assert after.weights_version == 3 and after.ids != before.ids
    assert after.ids == Engine(other, context_length=48).generate([GenerateRequest([1, 2], max_tokens=8)])[0].ids


def test_a_process_that_is_gone_is_told(folder: Path, tmp_path: Path) -> None:
    engine = RemoteEngine(folder, threads=1)
    pid = engine._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(FledgeError, match=r"process ended \(exit code -9\)"):
        engine.generate([GenerateRequest([1])])
    engine.close()
    with pytest.raises(FledgeError, match=str(tmp_path)):
        RemoteEngine(tmp_path)


def test_an_answer_that_nobody_waited_for_is_passed_over(remote: RemoteEngine, monkeypatch) -> None:
    def interrupted(call: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote, "_answer", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remote.logprobs([[1, 2, 3]])
    assert isinstance(remote.fingerprint(), str)
    assert len(remote.generate([GenerateRequest([1], max_tokens=3)])[0].ids) == 3


def test_a_fault_of_one_call_ends_no_other(remote: RemoteEngine) -> None:
    number = remote.submit(GenerateRequest([1], max_tokens=4))
    for call in (lambda: remote.logprobs([[1, 99_999]]), lambda: remote.submit(GenerateRequest([1], stop=("\ud800",)))):
        with pytest.raises(FledgeError):
            call()
    with pytest.raises(FledgeError):
        remote.update_weights("/nowhere", version=9)
    while not any(event.completion and event.request == number for event in remote.step()):
        pass
