from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from fledge.infer.load import load_engine
from fledge.model.config_json import write_config
from fledge.model.decoder import Decoder
from fledge.run.files import sha256, write_json
from fledge.run.manifest import Manifest, hash_outputs, write_manifest
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError


def write_model(directory: Path, model: Decoder, scale: float = 1.0) -> None:
    directory.mkdir(parents=True)
    save_file({k: v.detach().clone() * scale for k, v in model.state_dict().items()}, directory / "model.safetensors")
    write_json(directory / "config.json", write_config(model.config, context_length=32))


def finish(stage: Path) -> None:
    now = time.time()
    write_manifest(stage, Manifest(stage.name, "", {}, hash_outputs(stage), {}, now, now, 0.0))


@pytest.fixture
def run(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    run = tmp_path / "run"
    tokenizer.save(run / "tokenizer")
    (run / "recipe.toml").write_text("")
    return run


def test_the_newest_finished_stage_is_taken(run: Path, model: Decoder) -> None:
    with pytest.raises(FledgeError, match="has no finished model yet"):
        load_engine(run)
    write_model(run / "pretrain" / "model", model)
    with pytest.raises(FledgeError, match="has no finished model yet"):
        load_engine(run)
    finish(run / "pretrain")
    engine, tokenizer, kind = load_engine(run)
    assert (kind, engine.context_length, tokenizer.vocab_size) == ("base", 32, model.config.vocab_size)
    write_model(run / "sft" / "model", model, scale=0.5)
    assert load_engine(run)[2] == "base"
    finish(run / "sft")
    tuned, _, kind = load_engine(run)
    assert kind == "chat"
    assert not np.allclose(tuned.logprobs([[1, 2, 3]])[0], engine.logprobs([[1, 2, 3]])[0])
    again = load_engine(run / "pretrain")[0].logprobs([[1, 2, 3]])[0]
    np.testing.assert_array_equal(again, engine.logprobs([[1, 2, 3]])[0])
    assert load_engine(run / "sft" / "model", context_length=7)[0].context_length == 7


def test_a_checkpoint_is_verified(run: Path, model: Decoder) -> None:
    step = run / "sft" / "checkpoints" / "step-00000004"
    step.mkdir(parents=True)
    save_file({k: v.detach().clone() for k, v in model.state_dict().items()}, step / "model.safetensors")
    state = {
        "models": {"policy": model.config.to_dict()},
        "sha256": {"model.safetensors": sha256(step / "model.safetensors")},
    }
    write_json(step / "state.json", state)
    with pytest.raises(FledgeError, match="context length"):
        load_engine(step)
    write_json(run / "sft" / "settings.json", {"settings": {"context_length": 24}})
    engine, _, kind = load_engine(step)
    assert (kind, engine.context_length) == ("chat", 24)
    write_model(run / "sft" / "model", model)
    finish(run / "sft")
    assert load_engine(run)[2] == "chat"
    flipped = bytearray((step / "model.safetensors").read_bytes())
    flipped[-1] ^= 1
    (step / "model.safetensors").write_bytes(flipped)
    with pytest.raises(FledgeError, match="does not match its checksum"):
        load_engine(step)
    assert load_engine(run)[2] == "chat"
    weights = run / "sft" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(FledgeError, match="has changed since it was written"):
        load_engine(run)


def test_what_is_missing_is_told(run: Path, model: Decoder, tmp_path: Path) -> None:
    with pytest.raises(FledgeError, match="is not there"):
        load_engine(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FledgeError, match="holds no finished model"):
        load_engine(tmp_path / "empty")
    write_model(tmp_path / "alone", model)
    with pytest.raises(FledgeError, match=r"no tokenizer.json"):
        load_engine(tmp_path / "alone")


def test_a_damaged_file_is_told(run: Path, model: Decoder) -> None:
    write_model(run / "pretrain" / "model", model)
    (run / "pretrain" / "model" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(FledgeError, match="cannot be read"):
        load_engine(run / "pretrain" / "model")


def test_another_tokenizer_is_refused(run: Path, model: Decoder) -> None:
    write_model(run / "pretrain" / "model", model)
    bigger = Tokenizer.train(["some quite different words in a longer text of many letters " * 9], 340)
    bigger.save(run / "pretrain" / "model")
    with pytest.raises(FledgeError, match="use the tokenizer that the model was trained with"):
        load_engine(run / "pretrain" / "model")
