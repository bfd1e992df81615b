"""Training, encoding and decoding; the written files against tokenizers and transformers."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.tokens.huggingface import to_tokenizers
from fledge.tokens.stream import StreamDecoder, stream_text
from fledge.tokens.tokenizer import Tokenizer
from fledge.tokens.training import reachable
from fledge.tokens.vocabulary import SPECIALS, merge
from fledge.types import FledgeError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_specials_are_the_last_sixteen_ids_in_order(tokenizer):
    assert tokenizer.vocab_size == 1024
    assert [tokenizer.special[name] for name in SPECIALS] == list(range(1024 - 16, 1024))
    assert SPECIALS[:4] == ("<|bos|>", "<|eos|>", "<|pad|>", "<|system|>")
    assert SPECIALS[-1] == "<|reserved_3|>"
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad, tokenizer.end) == (1008, 1009, 1010, 1015)
    assert tokenizer.dtype is np.uint16


@given(TEXT)
def test_text_comes_back(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode_bytes(text.encode()) == ids
    assert int(tokenizer.byte_lengths[ids].sum()) == len(text.encode())
    assert max(ids, default=0) < 1024 - 16


@given(st.binary())
def test_bytes_come_back(tokenizer, data):
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


def test_byte_lengths_are_zero_for_specials(tokenizer):
    assert tokenizer.byte_lengths.shape == (1024,)
    assert not tokenizer.byte_lengths[-16:].any()
    assert (tokenizer.byte_lengths[:-16] > 0).all()


def test_literals_of_specials_stay_text(tokenizer):
    for literal in SPECIALS:
        ids = tokenizer.encode(f"a{literal}b")
        assert not set(ids) & set(tokenizer.special.values())
        assert tokenizer.decode(ids) == f"a{literal}b"


def test_lone_surrogates_are_refused_in_one_line(tokenizer):
    for text in ("ab\ud800c", " " * 30_000 + "\udfff"):
        with pytest.raises(FledgeError, match="lone surrogate"):
            tokenizer.encode(text)


def test_digits_stand_alone(tokenizer):
    assert [tokenizer.decode([index]) for index in tokenizer.encode("2026")] == ["2", "0", "2", "6"]


@pytest.fixture(scope="module")
def saved(tokenizer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(directory, model_max_length=512)
    return directory


@pytest.fixture(scope="module")
def reference(saved):
    return tokenizers.Tokenizer.from_file(str(saved / "tokenizer.json"))


def test_equals_tokenizers_on_many_scripts(tokenizer, reference, many_scripts):
    lines = [many_scripts(5_000_000 // 64, seed) for seed in range(64)]
    assert sum(len(line.encode()) for line in lines) >= 5_000_000
    for line, expected in zip(lines, reference.encode_batch(lines), strict=True):
        assert tokenizer.encode(line) == expected.ids
        assert reference.decode(expected.ids, skip_special_tokens=False) == line


@settings(max_examples=300)
@given(st.text(st.sampled_from(list("aabeht'sST  \n\t1é漢.!")), max_size=60))
def test_equals_tokenizers_on_dense_merges(tokenizer, reference, text):
    assert tokenizer.encode(text) == reference.encode(text).ids


@given(st.lists(st.sampled_from(["ab", "abc", "bc", "a", "aaa", "cab", " "]), min_size=1, max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_merge_list_equals_ranks_whatever_was_trained(words, data):
    """Tiny vocabularies on repetitive text are where ranks and merge lists part, if they do."""
    made = Tokenizer.train(["".join(words), " ".join(words)], 256 + 16 + 12)
    reference = to_tokenizers(made.vocabulary)
    text = data.draw(st.text("abc ", max_size=40))
    assert made.encode(text) == reference.encode(text).ids


def test_every_token_is_reached_by_its_own_merges(tokenizer):
    ranks = tokenizer.vocabulary.ranks
    assert all(merge(token, ranks) == [token] for token in ranks)


def test_tokens_that_merging_never_makes_are_left_out():
    singles = [bytes([byte]) for byte in range(256)]
    assert reachable([*singles, b"bc", b"abcd", b"abc", b"bc"]) == [*singles, b"bc", b"abc"]


def test_no_switch_of_the_reader_matters(tokenizer, saved, many_scripts):
    """Readers without ``ignore_merges`` (llama.cpp's qwen2) give the same ids as those with it."""
    content = json.loads((saved / "tokenizer.json").read_text(encoding="utf-8"))
    assert content["model"]["ignore_merges"] is False and content["normalizer"] is None
    content["model"]["ignore_merges"] = True
    text = many_scripts(200_000, 5)
    assert tokenizers.Tokenizer.from_str(json.dumps(content)).encode(text).ids == tokenizer.encode(text)


def test_saved_and_loaded_is_the_same(tokenizer, saved, tmp_path):
    loaded = Tokenizer.load(saved)
    assert type(loaded._encoder).__name__ == "ByteLevelEncoder"
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.vocabulary.roles == tokenizer.vocabulary.roles
    loaded.save(tmp_path, model_max_length=512)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()


def test_survives_a_trip_to_another_process(tokenizer):
    assert pickle.loads(pickle.dumps(tokenizer)).encode("Hello there") == tokenizer.encode("Hello there")


def test_transformers_loads_the_same_ids(tokenizer, saved, many_scripts):
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoTokenizer.from_pretrained(str(saved))
    assert loaded.__class__.__name__ in ("PreTrainedTokenizerFast", "TokenizersBackend")
    text = many_scripts(300_000, 9)
    assert loaded(text)["input_ids"] == tokenizer.encode(text)
    assert loaded.decode(tokenizer.encode(text)) == text
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (
        tokenizer.bos,
        tokenizer.end,
        tokenizer.pad,
    )
    assert loaded.model_max_length == 512
    assert len(loaded) == tokenizer.vocab_size


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, " " * 1_000_000, " " * 1_000_000 + "x", "\n" * 1_000_000, "\t \n" * 300_000 + "y", "!?" * 500_000]
    + ["漢" * 300_000, "\u3000" * 300_000, "ab " * 300_000, "\x1c" * 300_000],
    ids=["a", "spaces", "spaces-x", "lines", "mixed", "marks", "han", "wide-spaces", "words", "controls"],
)
def test_long_runs_neither_hang_nor_overflow(tokenizer, text, capfd):
    began = time.monotonic()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert time.monotonic() - began < 20
    assert capfd.readouterr().err == ""  # no panic of the regex engine on the way


def test_the_way_for_long_runs_gives_the_same_ids(tokenizer, many_scripts):
    run = " " * 25_000
    text = many_scripts(50_000, 3)
    apart = tokenizer.encode(text + "\n") + tokenizer.encode(run + "x")
    assert tokenizer.encode(text + "\n" + run + "x") == apart[: len(apart)]
    assert tokenizer._encoder._reference.encode(text).ids == tokenizer.encode(text)


def test_training_copes_with_long_runs_and_surrogates():
    made = Tokenizer.train(["a" * 500_000, " " * 500_000 + "b", "ok \ud800 ok", "hello hello"], 300)
    assert made.decode(made.encode("hello")) == "hello"


def test_a_small_text_gives_a_smaller_vocabulary():
    made = Tokenizer.train(["abab"], 4096)
    assert made.vocab_size < 300
    assert made.special["<|bos|>"] == made.vocab_size - 16
    assert made.decode(made.encode("xyz")) == "xyz"


def test_merges_depend_on_nothing_but_the_text(many_scripts, tmp_path):
    """Neither on threads, nor on the hash seed, nor on the order of the texts."""
    (tmp_path / "text").write_text(many_scripts(200_000, 2), encoding="utf-8", newline="")
    program = (
        "import sys; from pathlib import Path; from fledge.tokens.tokenizer import Tokenizer\n"
        "text = Path(sys.argv[1]).read_bytes().decode(); half = text.index('\\n', len(text) // 2) + 1\n"
        "parts = [text[:half], text[half:]]\n"
        "print(Tokenizer.train(parts[::int(sys.argv[2])], 900).fingerprint)"
    )
    prints = set()
    for threads, seed, order in (("1", "0", "1"), ("4", "7", "-1"), ("3", "99", "1")):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, str(tmp_path / "text"), order]
        prints.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(prints) == 1


@given(TEXT, st.lists(st.integers(0, 1007), max_size=30))
def test_streamed_text_is_the_decoded_text(tokenizer, text, noise):
    for ids in (tokenizer.encode(text), noise):
        pieces = list(stream_text(tokenizer, ids))
        assert "".join(pieces) == tokenizer.decode(ids)
        assert "" not in pieces


def test_streaming_gives_whole_characters_only(tokenizer):
    decoder = StreamDecoder(tokenizer)
    raw = [tokenizer.encode_bytes(bytes([byte]))[0] for byte in "€".encode()]
    assert [decoder.feed(index) for index in raw] == ["", "", "€"]
    assert decoder.feed(tokenizer.end) == "" and decoder.finish() == ""
    assert StreamDecoder(tokenizer, skip_special=False).feed(tokenizer.end) == "<|end|>"


def test_batches_are_arrays_of_the_small_type(tokenizer):
    made = tokenizer.encode_batch(["Hello", "", "漢字"])
    assert [part.dtype for part in made] == [np.uint16] * 3
    assert [part.tolist() for part in made] == [tokenizer.encode(text) for text in ("Hello", "", "漢字")]
