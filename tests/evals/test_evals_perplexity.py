from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fledge.evals.ngram import NgramModel
from fledge.evals.perplexity import (
    MIN_DOCUMENTS,
    bits_per_byte,
    ngram_bits_per_byte,
    scoring_windows,
    texts_of_file,
    texts_of_shards,
    up_to,
)
from fledge.infer.engine import Engine
from fledge.model.decoder import Decoder
from fledge.text.shards import write_documents
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Document, FledgeError


@given(st.integers(1, 400), st.integers(2, 60))
def test_each_token_is_scored_once_with_half_a_context(n_tokens: int, context: int) -> None:
    scored = []
    for start, first, end in scoring_windows(n_tokens, context):
        assert 0 <= start < first < end <= n_tokens
        assert end - start <= context + 1
        for token in range(first, end):
            assert token - start >= min(token, context // 2)
            scored.append(token)
    assert scored == list(range(1, n_tokens))


def direct_bits(model: Decoder, ids: list[int]) -> float:
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).double().log_softmax(-1)[0]
    return -sum(float(logprobs[i - 1, ids[i]]) for i in range(1, len(ids))) / math.log(2)


def test_bits_per_byte_is_the_direct_formula(engine: Engine, model: Decoder, tokenizer: Tokenizer) -> None:
    texts = ["the cat sat", "é€ on the mat!", "door " * 3]
    result = bits_per_byte(engine, tokenizer, texts, "x")
    bits = sum(direct_bits(model, [tokenizer.bos, *tokenizer.encode(text)]) for text in texts)
    n_bytes = sum(len(text.encode()) for text in texts)
    assert result.bits_per_byte == pytest.approx(bits / n_bytes, rel=1e-5)
    assert (result.n_bytes, result.n_documents, result.stderr_over) == (n_bytes, 3, "windows")
    assert result.n_tokens == sum(len(tokenizer.encode(text)) for text in texts)


def test_long_documents_are_scored_by_windows(engine: Engine, model: Decoder, tokenizer: Tokenizer) -> None:
    text = "the dog ran to the cat on the mat, zq! " * 9
    ids = [tokenizer.bos, *tokenizer.encode(text)]
    assert len(ids) > 2 * engine.context_length
    bits = 0.0
    for start, first, end in scoring_windows(len(ids), engine.context_length):
        bits += direct_bits(model, ids[start:end]) - (direct_bits(model, ids[start:first]) if first > start + 1 else 0)
    assert bits_per_byte(engine, tokenizer, [text], "x").bits_per_byte == pytest.approx(bits / len(text), rel=1e-4)


def test_stderr_over_documents(engine: Engine, tokenizer: Tokenizer) -> None:
    rng = np.random.default_rng(0)
    words = ["the", "cat", "zqj", "mat", "xx"]
    texts = [" ".join(rng.choice(words, int(rng.integers(2, 12)))) for _ in range(60)]
    result = bits_per_byte(engine, tokenizer, texts, "x")
    assert result.stderr_over == "documents"
    resampled = []
    single = [bits_per_byte(engine, tokenizer, [text], "x") for text in texts]
    for _ in range(2000):
        drawn = [single[i] for i in rng.integers(0, len(texts), len(texts))]
        resampled.append(sum(r.bits_per_byte * r.n_bytes for r in drawn) / sum(r.n_bytes for r in drawn))
    assert result.stderr == pytest.approx(np.std(resampled), rel=0.1)
    assert len(texts) >= MIN_DOCUMENTS


def test_uniform_model_needs_log2_of_the_vocabulary_a_token(tokenizer: Tokenizer) -> None:
    text = "the cat sat on the mat"
    model = NgramModel.fit(np.array([tokenizer.bos]), tokenizer.vocab_size, tokenizer.bos, 1)
    result = ngram_bits_per_byte(model, tokenizer, [text], "x")
    n = len(tokenizer.encode(text))
    assert result.bits_per_byte == pytest.approx(n * math.log2(tokenizer.vocab_size - 1) / len(text))


def test_the_ngram_model_learns(tokenizer: Tokenizer) -> None:
    text = "the cat sat on the mat and the dog ran to the door " * 5
    ids = np.array([tokenizer.bos, *tokenizer.encode(text)])
    orders = [
        ngram_bits_per_byte(NgramModel.fit(ids, tokenizer.vocab_size, tokenizer.bos, n), tokenizer, [text], "x")
        for n in (1, 2, 4)
    ]
    assert orders[0].bits_per_byte > orders[1].bits_per_byte > orders[2].bits_per_byte > 0


def test_texts_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\ntwo\n<|endoftext|>\n\nthree\n<|endoftext|>\n".encode())
    assert texts_of_file(path, "<|endoftext|>") == ["one\ntwo", "three"]
    assert texts_of_file(path, "") == ["one\ntwo\n<|endoftext|>\n\nthree\n<|endoftext|>"]
    path.write_bytes(b"good \xff bad")
    with pytest.raises(FledgeError, match=r"a\.txt: is not UTF-8 at byte 5"):
        texts_of_file(path, "")
    path.write_bytes(b"\n\n")
    with pytest.raises(FledgeError, match="holds no text"):
        texts_of_file(path, "")
    with pytest.raises(FledgeError, match="cannot be read"):
        texts_of_file(tmp_path / "none", "")


def test_texts_of_shards_up_to_a_size(tmp_path: Path) -> None:
    texts = [f"document {i}\nwith two lines" for i in range(10)]
    write_documents((Document(str(i), text, "s") for i, text in enumerate(texts)), tmp_path)
    assert texts_of_shards(tmp_path) == texts
    assert texts_of_shards(tmp_path, 60) == [*texts[:2], "document 2"]
    assert list(up_to(["é" * 10], 5)) == ["éé"]
