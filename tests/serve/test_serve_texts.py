"""Embeddings, the tokenizer's endpoints, and what the server says of itself."""

from __future__ import annotations

import base64

import httpx
import numpy as np
import openai
import pytest
import torch
from serving import MODEL, Running

from fledge.infer.prompts import prompt_ids
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).object == "model"
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt' here; the one that is served is 'tiny'"):
        client.models.retrieve("gpt")


def test_embeddings_are_means_of_last_states_of_length_one(
    client: openai.OpenAI, model: Decoder, tokenizer: Tokenizer
) -> None:
    texts = ["the cat", "a dog on the mat"]
    ids = [prompt_ids(tokenizer, text) for text in texts]
    with torch.no_grad():
        states = [model(torch.tensor([each]), output="hidden")[0].mean(0) for each in ids]
    expected = [(state / state.norm()).numpy() for state in states]
    for given in (texts, ids):
        for encoding in ("float", "base64"):
            told = client.embeddings.create(model=MODEL, input=given, encoding_format=encoding)
            for item, wanted in zip(told.data, expected, strict=True):
                vector = item.embedding
                if isinstance(vector, str):
                    vector = np.frombuffer(base64.b64decode(vector), dtype="<f4")
                np.testing.assert_allclose(vector, wanted, atol=1e-5)
            assert told.usage.prompt_tokens == sum(map(len, ids))
    np.testing.assert_allclose(
        client.embeddings.create(model=MODEL, input=texts[0]).data[0].embedding, expected[0], atol=1e-5
    )


def test_tokens_and_back(running: Running, tokenizer: Tokenizer) -> None:
    text = "the cat é <|end|>"
    told = running.post("/tokenize", {"model": MODEL, "prompt": text, "return_token_strs": True}).json()
    assert told["tokens"] == [tokenizer.bos, *tokenizer.encode(text)]
    assert (told["count"], told["max_model_len"]) == (len(told["tokens"]), 512)
    assert told["token_strs"][:3] == ["<|bos|>", "the", " cat"]
    bare = running.post("/tokenize", {"prompt": text, "add_special_tokens": False}).json()["tokens"]
    assert bare == tokenizer.encode(text)
    assert running.post("/detokenize", {"tokens": bare}).json() == {"prompt": text}
    # text never becomes a special token, but for one asked for alone
    end = running.post("/tokenize", {"prompt": "<|end|>", "add_special_tokens": False}).json()["tokens"]
    assert end == [tokenizer.end]
    talk = {"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": False}
    assert running.post("/tokenize", talk).json()["tokens"][-1] == tokenizer.end


def test_the_tokenizer_is_described(running: Running, tokenizer: Tokenizer) -> None:
    told = httpx.get(running.url + "/tokenizer_info").json()
    assert (told["bos_token"], told["eos_token"], told["model_max_length"]) == ("<|bos|>", "<|end|>", 512)
    assert "<|assistant|>" in told["chat_template"]
    assert told["special_tokens"]["<|end|>"] == tokenizer.end


def test_health_and_metrics(running: Running, client: openai.OpenAI) -> None:
    assert httpx.get(running.url + "/health").json() == {"status": "ok"}
    names = ("fledge_prompt_tokens_total", "fledge_generated_tokens_total", "fledge_time_to_first_token_seconds_count")
    before = [running.metric(name) for name in names]
    between = running.metric("fledge_inter_token_seconds_count")
    client.completions.create(model=MODEL, prompt=[3, 4, 5], max_tokens=6, temperature=0)
    assert [running.metric(name) - old for name, old in zip(names, before, strict=True)] == [3, 6, 1]
    assert running.metric("fledge_inter_token_seconds_count") - between == 5
    assert running.metric('fledge_http_responses_total{path="/v1/completions",status="200"}') >= 1
    assert running.metric("fledge_running") == running.metric("fledge_waiting") == 0
