from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.optim.config import OptimConfig
from fledge.run.events import read_events
from fledge.tokens.decontaminate import build_index
from fledge.tokens.shards import open_shards
from fledge.tokens.tokenizer import Tokenizer
from fledge.train.checkpoint import save_model
from fledge.train.objective import TokenCrossEntropy
from fledge.tune.config import SftConfig
from fledge.tune.sft import run_sft, sft_source, sft_steps, write_sft_shards
from fledge.types import FledgeError

CONFIG = SftConfig(
    context_length=48,
    batch_tokens=48 * 4,
    epochs=12,
    threads=1,
    device="cpu",
    precision="fp32",
    compile="off",
    attention="products",
    checkpoint_every=0,
    log_spaced_checkpoints=False,
    optim=OptimConfig(scale=0.5),
)


@pytest.fixture(autouse=True)
def torch_as_before():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(
        ["hello there, who are you? I am a small bird. what is your name? my name is Fledge."] * 3, 300
    )


def turns(*contents: str) -> dict:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]}


@pytest.fixture
def conversations(tmp_path):
    good = [
        turns("who are you?", "I am a small bird."),
        turns("hello", "hello there", "your name?", "my name is Fledge."),
    ]
    lines = [json.dumps(each) for each in good * 10]
    lines[3] = json.dumps({"messages": [{"role": "user", "content": "nobody answers"}]})
    lines[5] = "{not json"
    lines[7] = json.dumps(turns("what?", "bird " * 200))
    path = tmp_path / "conversations.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


@pytest.fixture
def shards(conversations, tokenizer, tmp_path):
    index = write_sft_shards([conversations], tokenizer, tmp_path / "shards", CONFIG)
    assert index["n_refused"] == 3 and index["refused"]["nothing learned"] == 1 and index["refused"]["too long"] == 1
    assert len((tmp_path / "shards" / "rejects.jsonl").read_text("utf-8").splitlines()) == 3
    return tmp_path / "shards"


def test_rows_learn_the_assistant_and_its_end_only(shards, tokenizer):
    source = sft_source(open_shards(shards), CONFIG)
    seen = set()
    for step in range(5):
        batch = source.batch(step)
        assert batch.tokens.shape == (4, 48)
        for row in range(4):
            for document in range(batch.document[row].max() + 1):
                here = (batch.document[row] == document) & (batch.weight[row] > 0)
                seen.add(tokenizer.decode(batch.targets[row][here].tolist()))
                assert batch.targets[row][here][-1] == tokenizer.end
    learned = {text.replace("<|end|>", "") for text in seen}
    assert learned == {"I am a small bird.", "hello theremy name is Fledge."}


def test_tuning_starts_from_the_base_and_learns_the_answers(shards, tokenizer, tmp_path):
    config = ModelConfig(tokenizer.vocab_size, 2, 32, 2, 2, 16, 64)
    base = Decoder(config, seed=3)
    save_model(base, tmp_path / "base", context_length=48)
    state = run_sft(CONFIG, tmp_path / "base", shards, tmp_path / "sft", tell=lambda line: None)
    steps = list(read_events(tmp_path / "sft" / "events.jsonl", "step"))
    source = sft_source(open_shards(shards), CONFIG)
    assert state.n_steps == len(steps) == sft_steps(CONFIG, source.n_rows)
    batch = source.batch(0)
    with torch.no_grad():
        logits = base(
            *(torch.from_numpy(np.array(x, np.int64)) for x in (batch.tokens, batch.position, batch.document))
        )
        logp = logits.double().log_softmax(-1).gather(-1, torch.from_numpy(batch.targets.astype(np.int64))[..., None])
    by_hand = -(logp.squeeze(-1).numpy() * batch.weight).sum() / batch.weight.sum()
    assert steps[0]["loss"] == pytest.approx(by_hand, rel=1e-4)
    assert steps[-1]["loss"] < 0.5 * steps[0]["loss"]
    assert TokenCrossEntropy().counts(batch)["loss"] == batch.weight.sum()


def test_a_tokenizer_larger_than_the_model_is_refused(shards, tokenizer, tmp_path):
    save_model(Decoder(ModelConfig(40, 1, 16, 1, 1, 16, 16)), tmp_path / "base", context_length=48)
    with pytest.raises(FledgeError, match="the model knows 40"):
        run_sft(CONFIG, tmp_path / "base", shards, tmp_path / "sft")


def test_nothing_left_to_learn_is_told_with_the_count(tmp_path, tokenizer):
    path = tmp_path / "none.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "hello"}]}) + "\n", encoding="utf-8")
    with pytest.raises(FledgeError, match=r"1 refused"):
        write_sft_shards([path], tokenizer, tmp_path / "shards", CONFIG)


def test_conversations_that_share_words_with_an_evaluation_text_are_refused_and_kept(tmp_path, tokenizer):
    secret = "my name is Fledge and I am a small bird who hopes that you will ask what your own name is"
    (tmp_path / "eval.txt").write_text(secret.upper(), encoding="utf-8")
    index = build_index([tmp_path / "eval.txt"], 13)
    words = secret.split()
    half = len(words) // 2
    rows = [
        turns("who are you?", "I am a small bird."),
        turns("who?", f"Well, {secret}."),
        turns(secret, "hello there"),
        {
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "hi", "thinking": secret},
            ]
        },
        {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "tool_calls": [secret]}]},
        turns(" ".join(words[:half]), " ".join(words[half:])),
    ]
    path = tmp_path / "conversations.jsonl"
    path.write_text("".join(json.dumps({"id": str(k), **row}) + "\n" for k, row in enumerate(rows)), encoding="utf-8")
    config = replace(CONFIG, context_length=400, batch_tokens=1600)
    made = write_sft_shards([path], tokenizer, tmp_path / "shards", config, index)
    assert made["refused"] == {"contaminated": 4} and made["n_documents"] == 2
    kept = [json.loads(line) for line in (tmp_path / "shards" / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert [reject["id"] for reject in kept] == ["1", "2", "3", "4"]
    assert all(reject["reason"] == str(tmp_path / "eval.txt") for reject in kept) and secret in kept[0]["text"]
    assert write_sft_shards([path], tokenizer, tmp_path / "all", config)["n_documents"] == 6


def test_steps_follow_epochs_or_tokens():
    assert sft_steps(CONFIG, 40) == 12 * 40 // 4
    assert sft_steps(SftConfig(context_length=48, batch_tokens=480, tokens=4800), 7) == 10
    with pytest.raises(FledgeError, match="epochs"):
        SftConfig(epochs=0)
