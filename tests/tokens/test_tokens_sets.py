"""Mixtures by pattern: one set of shards for each key, each document in exactly one, and weights that hold."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.run.events import EventLog
from fledge.text.shards import write_documents
from fledge.tokens import stage
from fledge.tokens.config import TokensConfig
from fledge.tokens.sets import Selection, key_of, set_names
from fledge.tokens.shards import open_shards
from fledge.tokens.source import RowSource
from fledge.tokens.stage import build_shards
from fledge.types import Document, FledgeError

SOURCES = (
    "data/TinyStories_10k.txt",
    "data/litbank.tar.gz/emma.txt",
    "data/wiki/Ä.html",
    "data/litbank.tar.gz/tiny.txt",
)
WORDS = ("TinyStories", "litbank", "wiki", "litbank")
LEAK = "the answer to this long question is that seven brown bears walked slowly over nine hills yesterday"
MIXTURE = {"*litbank*": 0.2, "*[Tt]iny*": 0.3, "text": 0.5}


def _documents():
    for k in range(400):
        # sources lie in runs, as a folder is read, so that not every shard holds each
        source = SOURCES[k // 100]
        yield Document(
            f"d{k}",
            f"document {k} of {source} " + f"{WORDS[k // 100]} " * (k % 30) + (LEAK if k % 60 == 7 else ""),
            source,
        )


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets") / "text"
    assert len(write_documents(_documents(), root / "train", shard_bytes=7_000)) > 3
    write_documents(list(_documents())[:20], root / "heldout")
    (root / "eval.txt").write_text(LEAK, encoding="utf-8")
    return root


@pytest.fixture
def events(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as log:
        yield log


def _texts(tokenizer, directory):
    shards = open_shards(directory)
    return [tokenizer.decode(shards.document(k)[1:-1].tolist()) for k in range(len(shards))]


def _files(directory):
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_each_document_is_in_the_set_of_the_first_pattern_that_fits(tokenizer, text, events, tmp_path):
    made = build_shards(TokensConfig(mixture=MIXTURE, workers=1), tokenizer, {"text": text}, tmp_path / "o", events)
    assert sorted(made["train"]) == ["text", "text-litbank", "text-tt-iny"] and list(made["heldout"]) == ["text"]
    expected = {"text-litbank": SOURCES[1::2], "text-tt-iny": SOURCES[:1], "text": SOURCES[2:3]}
    for name, sources in expected.items():
        wanted = [document.text for document in _documents() if document.source in sources]
        assert _texts(tokenizer, tmp_path / "o" / "train" / name) == wanted
    assert made["notes"][0].startswith('text-litbank, text that matches "*litbank*": 200 documents, ')
    assert "text, the rest of the text: 100 documents, " in made["notes"][2]
    n_shards = Counter(path.parent.name for path in (tmp_path / "o" / "train").rglob("*.bin"))
    assert all(n_shards[name] < len(list((text / "train").iterdir())) for name in expected)


def test_the_order_decides_where_several_fit(tokenizer, text, events, tmp_path):
    for config in (
        TokensConfig(mixture={"*[Tt]iny*": 0.3, "*litbank*": 0.2}),
        TokensConfig(mixture={"*litbank*": 0.2, "*[Tt]iny*": 0.3}, precedence=("*[Tt]iny*",)),
    ):
        made = build_shards(config, tokenizer, {"text": text}, tmp_path / "o", events)
        assert (
            made["train"]["text-tt-iny"]["n_documents"] == 200 and made["train"]["text-litbank"]["n_documents"] == 100
        )
        assert "text" not in made["train"]
        assert made["notes"][0] == (
            '100 documents match no pattern of the mixture and are left out; "text" in it stands for them'
        )


def test_rows_are_drawn_by_weight(tokenizer, text, events, tmp_path):
    build_shards(TokensConfig(mixture=MIXTURE), tokenizer, {"text": text}, tmp_path / "o", events)
    shards = {path.name: open_shards(path) for path in (tmp_path / "o" / "train").iterdir()}
    names = set_names(MIXTURE)
    mixture = {names[key]: weight for key, weight in MIXTURE.items()}
    source = RowSource(shards, context=32, batch_rows=10, mixture=mixture, max_repetition=1000, n_steps=40)
    drawn = Counter()
    for step in range(40):
        batch = source.batch(step)
        for row in range(10):
            found = re.findall(r"TinyStories|litbank|wiki", tokenizer.decode(batch.tokens[row].tolist()))
            drawn.update(found[:1])
    assert sum(drawn.values()) > 350
    shares = {name: count / sum(drawn.values()) for name, count in drawn.items()}
    assert shares["wiki"] == pytest.approx(0.5, abs=0.06) and shares["litbank"] == pytest.approx(0.2, abs=0.06)


def test_a_cut_off_run_keeps_what_is_done_and_any_number_of_workers_makes_the_same(
    tokenizer, text, events, tmp_path, monkeypatch
):
    settings = {"mixture": MIXTURE, "decontaminate": (str(text / "eval.txt"),)}
    sources = {"text": text}
    whole = build_shards(TokensConfig(**settings, workers=1), tokenizer, sources, tmp_path / "o", events)
    before = _files(tmp_path / "o")
    (tmp_path / "o" / "train" / "text-litbank" / "shard-00001.json").unlink()
    (tmp_path / "o" / "rejects" / "text" / "shard-00000.jsonl").unlink()
    redone, true_write = [], stage.write_shard
    monkeypatch.setattr(
        stage,
        "write_shard",
        lambda place, number, *rest: redone.append((place.name, number)) or true_write(place, number, *rest),
    )
    assert build_shards(TokensConfig(**settings, workers=1), tokenizer, sources, tmp_path / "o", events) == whole
    assert redone == [("text-litbank", 1), ("text", 0)] and _files(tmp_path / "o") == before
    monkeypatch.setattr(stage, "_PARALLEL_BYTES", 0)
    monkeypatch.setattr(stage, "write_shard", true_write)
    assert build_shards(TokensConfig(**settings, workers=2), tokenizer, sources, tmp_path / "p", events) == whole
    assert _files(tmp_path / "p") == before
    redone.clear()
    assert whole["contaminated"] == {str(text / "eval.txt"): 7}


def test_an_evaluation_text_more_that_finds_nothing_leaves_the_shards_as_they_are(tokenizer, text, events, tmp_path):
    (tmp_path / "other.txt").write_text("words that stand nowhere " * 5, encoding="utf-8")
    files = [(), (str(tmp_path / "other.txt"),), (str(text / "eval.txt"),)]
    for number, each in enumerate(files):
        config = TokensConfig(decontaminate=each, workers=1)
        build_shards(config, tokenizer, {"text": text}, tmp_path / str(number), events)
    none, clean, found = (_files(tmp_path / str(number) / "train") for number in range(3))
    assert none == clean and set(clean) == set(found) and clean != found
    # the same directory again, with another index: what it set aside is looked through anew
    config = TokensConfig(decontaminate=files[2], workers=1)
    again = build_shards(config, tokenizer, {"text": text}, tmp_path / "1", events)
    assert again["contaminated"] == {files[2][0]: 7} and _files(tmp_path / "1") == _files(tmp_path / "2")
    build_shards(TokensConfig(workers=1), tokenizer, {"text": text}, tmp_path / "2", events)
    assert _files(tmp_path / "2") == _files(tmp_path / "0")


@pytest.mark.parametrize(
    ("mixture", "says"),
    [
        ({"*novels*": 1.0}, 'no document\'s source matches "*novels*"; there are data/TinyStories_10k.txt, data/lit'),
        ({"*": 1.0, "*wiki*": 1.0}, 'every document of "*wiki*" matches a pattern before it; put the narrower'),
        ({"*": 1.0, "text": 1.0}, "no document is left for text, each matches a pattern; leave text out"),
    ],
)
def test_keys_without_documents_are_told_in_one_line(tokenizer, text, events, tmp_path, mixture, says):
    with pytest.raises(FledgeError) as told:
        build_shards(TokensConfig(mixture=mixture), tokenizer, {"text": text}, tmp_path / "o", events)
    assert says in str(told.value) and "tokens.mixture" in str(told.value) and "\n" not in str(told.value)


def test_whole_sources_are_as_they_were(tokenizer, text, events, tmp_path):
    sources = {"text": text}
    for name, mixture in (("a", {}), ("b", {"text": 1.0})):
        build_shards(TokensConfig(mixture=mixture, workers=1), tokenizer, sources, tmp_path / name, events)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    index = json.loads((tmp_path / "a" / "train" / "text" / "index.json").read_bytes())
    assert len(index["shards"]) == len(list((text / "train").iterdir()))
    assert all(re.fullmatch("[0-9a-f]{64}", shard["origin"]) for shard in index["shards"])


@given(st.lists(st.text(max_size=60), unique=True, max_size=8))
def test_names_are_safe_on_every_file_system_and_tell_keys_apart(patterns):
    names = set_names(["world", "text", *patterns])
    assert names["world"] == "world" and names["text"] == "text"
    assert len(set(names.values())) == len(set(names))
    assert all(re.fullmatch("world|text|text-[a-z0-9-]{0,51}[a-z0-9]", name) for name in names.values())


PATTERNS = st.lists(st.sampled_from(["*a*", "*b", "c*", "*[ab]*", "text", "*.txt"]).filter("text".__ne__), unique=True)


@given(PATTERNS, st.lists(st.text("abc.tx", max_size=6)))
def test_every_document_belongs_to_one_key(patterns, sources):
    documents = [Document(str(k), "x", source) for k, source in enumerate(sources)]
    keys = [*patterns, "text"]
    chosen = [each.id for key in keys for each in Selection(key, tuple(patterns)).of(documents)]
    assert sorted(chosen) == sorted(each.id for each in documents)
    assert all(key_of(source, patterns) in keys for source in sources)
