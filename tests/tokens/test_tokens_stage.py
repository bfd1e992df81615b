"""The two stages: from parquet documents to a tokenizer and to token shards, in parallel and resumed."""

from __future__ import annotations

import json
import random

import pytest

from fledge.run.events import EventLog, read_events
from fledge.text.shards import write_documents
from fledge.tokens import stage
from fledge.tokens.config import TokenizerConfig, TokensConfig
from fledge.tokens.facts import fertility
from fledge.tokens.sample import sample_texts
from fledge.tokens.shards import open_shards
from fledge.tokens.stage import build_shards, train_tokenizer
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Document, FledgeError

LEAK = "the answer to this long question is that seven brown bears walked slowly over nine hills yesterday"


def _documents(name, n, seed):
    rng = random.Random(seed)
    words = ["the", "a", "cat", "dog", "bear", "walked", "ran", "slept", "quickly", "over", "under", "near"]
    words += ["hill", "river", "house", "day", "night", "7", "42", "Ä", "漢字"]
    for k in range(n):
        text = " ".join(rng.choices(words, k=rng.randrange(5, 80)))
        yield Document(f"{name}-{k}", text + (f" {LEAK}. Then on." if k % 50 == 3 else ""), name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    for seed, name in enumerate(("text", "world")):
        write_documents(_documents(name, 300, seed), root / name / "train", shard_bytes=10_000)
        write_documents(_documents(f"{name}-held", 20, seed + 9), root / name / "heldout")
    (root / "eval.txt").write_text(LEAK.upper(), encoding="utf-8")
    return root


@pytest.fixture
def sources(corpus):
    return {name: corpus / name for name in ("world", "text")}


@pytest.fixture
def events(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as log:
        yield log


def test_tokenizer_stage_writes_files_and_facts(sources, events, tmp_path):
    made = train_tokenizer(TokenizerConfig(vocab_size=350), sources, tmp_path / "t", events, model_max_length=256)
    assert made["vocab_size"] == 350 and made["notes"] == [] and made["sample_documents"] == 600
    loaded = Tokenizer.load(tmp_path / "t")
    assert loaded.vocab_size == 350
    assert json.loads((tmp_path / "t" / "tokenizer_config.json").read_bytes())["model_max_length"] == 256
    assert made["fertility"] >= 1
    assert next(read_events(events.path, "tokenizer"))["vocab_size"] == 350


def test_a_vocabulary_too_large_for_the_text_is_told(sources, events, tmp_path):
    made = train_tokenizer(TokenizerConfig(vocab_size=30_000), sources, tmp_path / "t", events)
    assert made["vocab_size"] == Tokenizer.load(tmp_path / "t").vocab_size < 30_000
    assert f"holds {made['vocab_size']} tokens, 30000 were wanted" in made["notes"][0]


def test_the_sample_is_bounded_and_spread(corpus):
    paths = sorted((corpus / "text" / "train").glob("*.parquet"))
    assert len(paths) > 4
    everything = list(sample_texts(paths, 10**9))
    assert len(everything) == 300
    some = list(sample_texts(paths, 30_000))
    assert some == list(sample_texts(paths, 30_000))
    assert 20_000 < sum(len(text.encode()) for text in some) <= 30_000
    places = [everything.index(text) for text in some]
    assert min(places) < 60 and max(places) > 240
    few = list(sample_texts(paths, 4_000))
    assert 0 < sum(len(text.encode()) for text in few) <= 4_000


def _files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_tokens_stage_makes_the_same_files_for_any_number_of_workers(
    tokenizer, sources, events, tmp_path, monkeypatch, corpus
):
    config = {"decontaminate": (str(corpus / "eval.txt"),)}
    one = build_shards(TokensConfig(**config, workers=1), tokenizer, sources, tmp_path / "one", events)
    monkeypatch.setattr(stage, "_PARALLEL_BYTES", 0)
    two = build_shards(TokensConfig(**config, workers=2), tokenizer, sources, tmp_path / "two", events)
    assert one == two
    assert _files(tmp_path / "one") == _files(tmp_path / "two")
    train, held = open_shards(tmp_path / "one" / "train" / "text"), open_shards(tmp_path / "one" / "heldout" / "world")
    assert len(train) == 294 and len(held) == 20
    assert one["train"]["text"]["n_documents"] == 294 and one["heldout"]["world"]["n_tokens"] == held.n_tokens
    assert one["contaminated"] == {str(corpus / "eval.txt"): 12}
    assert sorted(one["facts"]["bytes_per_token"]) == ["text", "world"]
    texts = [tokenizer.decode(train.document(k)[1:-1].tolist()) for k in range(len(train))]
    expected = [d.text for d in _documents("text", 300, 0) if LEAK not in d.text]
    assert texts == expected


def test_only_the_passage_may_be_left_out(tokenizer, sources, events, tmp_path, corpus):
    config = TokensConfig(decontaminate=(str(corpus / "eval.txt"),), contaminated="passage", workers=1)
    build_shards(config, tokenizer, sources, tmp_path / "o", events)
    train = open_shards(tmp_path / "o" / "train" / "text")
    assert len(train) == 306
    texts = [tokenizer.decode(train.document(k)[1:-1].tolist()) for k in range(len(train))]
    assert not any("bears walked slowly" in text for text in texts) and ". Then on." in texts
    rejects = [
        line
        for path in sorted((tmp_path / "o" / "rejects").rglob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(rejects) == 12 and json.loads(rejects[0])["rule"] == "contaminated passage"


def test_cut_off_stage_keeps_whole_shards_and_redoes_others(tokenizer, sources, events, tmp_path, monkeypatch):
    config = TokensConfig(workers=1)
    out = tmp_path / "o"
    whole = build_shards(config, tokenizer, sources, out, events)
    before = _files(out)
    (out / "train" / "text" / "index.json").unlink()
    (out / "train" / "text" / "shard-00001.json").unlink()
    damaged = out / "train" / "world" / "shard-00000.bin"
    damaged.write_bytes(b"\0" * damaged.stat().st_size)
    redone = []
    true_write = stage.write_shard
    monkeypatch.setattr(
        stage,
        "write_shard",
        lambda place, number, *rest: redone.append((place.name, number)) or true_write(place, number, *rest),
    )
    assert build_shards(config, tokenizer, sources, out, events) == whole
    assert redone == [("text", 1), ("world", 0)]
    assert _files(out) == before
    other = Tokenizer.train(["another text"], 280)
    redone.clear()
    build_shards(config, other, sources, out, events)
    assert len(redone) == len([name for name in before if name.endswith(".bin")])
    assert open_shards(out / "train" / "text").tokenizer == other.fingerprint


def test_missing_documents_are_told(tokenizer, events, tmp_path):
    with pytest.raises(FledgeError, match="no train/ with documents"):
        build_shards(TokensConfig(), tokenizer, {"text": tmp_path}, tmp_path / "o", events)
    with pytest.raises(FledgeError, match="no parquet shards"):
        train_tokenizer(TokenizerConfig(), {"text": tmp_path}, tmp_path / "o", events)


def test_facts_count_what_is_there(tokenizer, sources, events, tmp_path):
    facts = build_shards(TokensConfig(workers=1), tokenizer, sources, tmp_path / "o", events)["facts"]
    shards = open_shards(tmp_path / "o" / "train" / "text")
    seen, n_text_tokens = set(), 0
    for k in range(len(shards)):
        ids = shards.document(k)[1:-1].tolist()
        n_text_tokens += len(ids)
        seen |= set(ids)
    assert facts["bytes_per_token"]["text"] == pytest.approx(shards.n_bytes / n_text_tokens, abs=1e-3)
    others = open_shards(tmp_path / "o" / "train" / "world")
    seen |= {index for k in range(len(others)) for index in others.document(k)[1:-1].tolist()}
    assert facts["n_unused_tokens"] == tokenizer.vocab_size - 16 - len(seen)
    longest = max(tokenizer.token_bytes[:-16], key=len)
    assert len(facts["longest_tokens"][0].encode()) == len(longest)
    n_tokens = len(tokenizer.encode("a b")) + len(tokenizer.encode("c"))
    assert fertility(tokenizer, ["a b", "c"]) == pytest.approx(n_tokens / 3)


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (TokenizerConfig, {"vocab_size": 271}, "at least 272, got 271"),
        (TokenizerConfig, {"sample_bytes": 0}, "sample_bytes"),
        (TokensConfig, {"mixture": {"a": -1.0}}, "mixture.a"),
        (TokensConfig, {"mixture": {"a": 0.0}}, "every source the weight 0"),
        (TokensConfig, {"max_repetition": 0.0}, "max_repetition"),
        (TokensConfig, {"ngram": 1}, "ngram"),
        (TokensConfig, {"workers": -1}, "workers"),
    ],
)
def test_settings_are_checked(kind, values, says):
    with pytest.raises(FledgeError, match=says):
        kind(**values)
