"""Tokenizers of others: the same ids as their own software gives."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from fledge.tokens.huggingface import to_tokenizers
from fledge.tokens.load import load_gpt2, load_tiktoken, load_tokenizer
from fledge.tokens.sentencepiece import NORMAL, SPACE, read_model
from fledge.types import Conversation, FledgeError, Message


@pytest.fixture(scope="module")
def folder(data):
    return data / "tokenizers"


@pytest.fixture(scope="module")
def real(data):
    names = ("tinystories_val_794k.txt", "the-verdict.txt")
    return "".join((data / "pretrain" / name).read_text(encoding="utf-8")[:300_000] for name in names)


@pytest.mark.parametrize("name", ["gpt2_encoder.json", "gpt2_vocab.bpe", "gpt2_tokenizer.json"])
def test_gpt2_equals_its_tokenizer_json(folder, real, many_scripts, name):
    loaded = load_tokenizer(folder / name)
    reference = tokenizers.Tokenizer.from_file(str(folder / "gpt2_tokenizer.json"))
    for text in (real, many_scripts(300_000, 11)):
        assert loaded.encode(text) == reference.encode(text).ids
        assert loaded.decode(loaded.encode(text)) == text
    assert loaded.vocab_size == 50257 and loaded.eos == 50256
    assert loaded.encode("<|endoftext|>") == [27, 91, 437, 1659, 5239, 91, 29]
    assert loaded.decode_bytes(loaded.encode_bytes(b"\xff\x00ok\xc3")) == b"\xff\x00ok\xc3"


def test_gpt2_has_no_pad_and_no_turns(folder):
    loaded = load_tokenizer(folder / "gpt2_encoder.json")
    with pytest.raises(FledgeError, match="no pad token"):
        _ = loaded.pad
    with pytest.raises(FledgeError, match="turns of a conversation"):
        loaded.render(Conversation((Message("user", "hi"),)))


@pytest.mark.parametrize(("name", "size"), [("cl100k_base", 100_277), ("o200k_base", 200_019)])
def test_tiktoken_files_equal_tiktoken(folder, real, many_scripts, monkeypatch, name, size):
    """tiktoken's own constructor, its possessive regex and its specials, against ours through both encoders."""
    import tiktoken
    from tiktoken_ext import openai_public

    path = folder / f"{name}.tiktoken"
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: tiktoken.load.load_tiktoken_bpe(str(path)))
    theirs = tiktoken.Encoding(**getattr(openai_public, name)())
    ours = load_tokenizer(path)
    assert ours.vocab_size == theirs.n_vocab == size
    assert dict(ours.special) == theirs._special_tokens
    converted = to_tokenizers(ours.vocabulary) if size < 150_000 else None
    for text in (real, many_scripts(300_000, 12), "  \n\n  1234567 " + " " * 300 + "x'S don'T\r\n\r\n"):
        expected = theirs.encode_ordinary(text)
        assert ours.encode(text) == expected
        assert converted is None or converted.encode(text).ids == expected
        assert ours.decode(expected) == text
    assert set(ours.encode("<|endoftext|>")).isdisjoint(ours.special.values())


def _sentencepiece(pieces, text):
    """sentencepiece's BPE as published: join the best-scored neighbours, leftmost first; unknown → bytes."""
    score = {piece: score for piece, score, kind in pieces if kind == NORMAL}
    index = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    parts = list((SPACE + text.replace(" ", SPACE)) if text else "")
    while True:
        joined = [(-score[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in score]
        if not joined:
            break
        _, i = min(joined)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    ids = []
    for part in parts:
        ids += [index[part]] if part in index else [index[f"<0x{byte:02X}>"] for byte in part.encode("utf-8")]
    return ids


def test_llama_equals_sentencepiece_as_published(folder, real, many_scripts):
    path = folder / "llama2_tokenizer.model"
    pieces = read_model(path).pieces
    loaded = load_tokenizer(path)
    assert loaded.vocab_size == 32_000 and (loaded.bos, loaded.eos) == (1, 2)
    assert loaded.encode("Hello world") == [15043, 3186]
    spread = many_scripts(60_000, 13).replace(SPACE, "")
    chunks = [real[at : at + 150] for at in range(0, 9_000, 150)]
    chunks += [spread[at : at + 100] for at in range(0, 9_000, 100)]
    for text in [*chunks, "", " ", "  two  spaces ", "<s> </s> <unk>", "<0x41>"]:
        assert loaded.encode(text) == _sentencepiece(pieces, text)
        assert loaded.decode(loaded.encode(text)) == text
        assert loaded.encode_bytes(text.encode()) == loaded.encode(text)
    assert loaded.decode_bytes(loaded.encode_bytes(b"\xff ok\xc3")) == b"\xff ok\xc3"


def test_any_tokenizer_json_keeps_its_own_ids(tmp_path):
    """One with a normaliser and another split goes through tokenizers itself; specials' literals stay text."""
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    inner = tokenizers.Tokenizer(models.BPE())
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    inner.train_from_iterator(["the cat sat on the mat, the end"] * 5, trainer)
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>"}), encoding="utf-8")
    loaded = load_tokenizer(tmp_path)
    assert loaded.encode("the cat e\u0301") == inner.encode("the cat e\u0301").ids
    assert loaded.bos == 0 and loaded.encode("<s>") != [0]
    assert loaded.decode(loaded.encode("<s> the cat")) == "<s> the cat"


def test_bad_files_are_told_in_one_line(tmp_path):
    (tmp_path / "cl100k_base.tiktoken").write_bytes(b"IQ== 0\n!!! x\n")
    (tmp_path / "other.tiktoken").write_bytes(b"IQ== 0\n")
    (tmp_path / "x.model").write_bytes(b"\x0a\xffnot a model")
    (tmp_path / "empty.model").write_bytes(b"")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    (tmp_path / "half.json").write_text('{"model": {"vocab"', encoding="utf-8")
    for name, says in (
        ("cl100k_base.tiktoken", "line 2"),
        ("other.tiktoken", "not known"),
        ("x.model", "not a whole sentencepiece model"),
        ("empty.model", "no sentencepiece pieces"),
        ("list.json", "no tokenizer file"),
        ("half.json", "not valid JSON"),
        ("nowhere", "no tokenizer there"),
    ):
        with pytest.raises(FledgeError, match=says) as told:
            load_tokenizer(tmp_path / name)
        assert "\n" not in str(told.value) and name in str(told.value)


def test_cut_sentencepiece_model_is_refused(folder, tmp_path):
    (tmp_path / "cut.model").write_bytes((folder / "llama2_tokenizer.model").read_bytes()[:1000])
    with pytest.raises(FledgeError, match="not a whole"):
        load_tokenizer(tmp_path / "cut.model")


@given(st.binary(max_size=200))
def test_any_bytes_as_a_model_give_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("model") / "x.model"
    path.write_bytes(content)
    with pytest.raises(FledgeError):
        load_tokenizer(path)


def test_gpt2_files_that_disagree_are_refused(folder, tmp_path):
    ids = json.loads((folder / "gpt2_encoder.json").read_text(encoding="utf-8"))
    ids["the"], ids["of"] = ids["of"], ids["the"]
    (tmp_path / "encoder.json").write_text(json.dumps(ids), encoding="utf-8")
    with pytest.raises(FledgeError, match="in order"):
        load_gpt2(tmp_path / "encoder.json", folder / "gpt2_vocab.bpe")


def test_name_of_a_tiktoken_file_may_be_given(folder, tmp_path):
    (tmp_path / "mine.tiktoken").write_bytes((folder / "cl100k_base.tiktoken").read_bytes())
    assert load_tiktoken(tmp_path / "mine.tiktoken", "cl100k_base").encode("hello world") == [15339, 1917]
