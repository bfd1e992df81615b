"""``/v1/completions`` through the openai client gives what the engine gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from serving import MODEL, Running, serving

from fledge.infer.engine import Engine
from fledge.infer.prompts import prompt_ids, reply_limits
from fledge.infer.request import Completion, GenerateRequest
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer


def asked(tokenizer: Tokenizer, prompt: str | list[int], **settings: Any) -> GenerateRequest:
    stops, forbidden = reply_limits(tokenizer, "")
    ids = prompt_ids(tokenizer, prompt) if isinstance(prompt, str) else prompt
    return GenerateRequest(ids, **{"temperature": 1.0, "stop_ids": stops, "forbidden_ids": forbidden, **settings})


def text_of(tokenizer: Tokenizer, completion: Completion) -> str:
    return tokenizer.decode([index for index in completion.ids if index not in tokenizer.special_ids])


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 3, "temperature": 0.7, "top_p": 0.8}, {"seed": 3, "temperature": 0.7, "top_p": 0.8}),
        (
            {"seed": 4, "frequency_penalty": 1.5, "presence_penalty": -0.5},
            {"seed": 4, "frequency_penalty": 1.5, "presence_penalty": -0.5},
        ),
        ({"seed": 5, "logit_bias": {"65": 30, "66": 29.5}}, {"seed": 5, "logit_bias": {65: 30.0, 66: 29.5}}),
        (
            {"seed": 6, "extra_body": {"top_k": 5, "min_p": 0.02, "repetition_penalty": 1.3}},
            {"seed": 6, "top_k": 5, "min_p": 0.02, "repetition_penalty": 1.3},
        ),
    ],
)
def test_the_same_text_as_the_engine(
    client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer, fields: dict[str, Any], settings: dict[str, Any]
) -> None:
    given = client.completions.create(model=MODEL, prompt="the cat", max_tokens=24, **fields)
    expected = direct.generate([asked(tokenizer, "the cat", max_tokens=24, **settings)])[0]
    assert given.choices[0].text == text_of(tokenizer, expected)
    assert given.choices[0].finish_reason == expected.finish_reason
    assert given.usage is not None
    assert (given.usage.prompt_tokens, given.usage.completion_tokens) == (3, len(expected.ids))


def test_prompts_of_every_kind_and_several_choices(client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer) -> None:
    ids = [[5, 6, 7], [tokenizer.special["<|user|>"], 9]]
    for prompt, each in (("the", ["the"]), (["the", "a dog"], ["the", "a dog"]), (ids[0], ids[:1]), (ids, ids)):
        given = client.completions.create(model=MODEL, prompt=prompt, max_tokens=6, seed=11, n=2)
        wanted = [asked(tokenizer, one, max_tokens=6, seed=11 + i) for one in each for i in range(2)]
        texts = [text_of(tokenizer, completion) for completion in direct.generate(wanted)]
        assert [choice.text for choice in given.choices] == texts
        assert [choice.index for choice in given.choices] == list(range(2 * len(each)))
    assert len({choice.text for choice in given.choices}) > 1


def test_without_a_seed_no_two_answers_are_alike(client: openai.OpenAI) -> None:
    texts = {client.completions.create(model=MODEL, prompt="the", max_tokens=12).choices[0].text for _ in range(3)}
    assert len(texts) == 3


def test_logprobs_are_the_models_own_or_of_what_was_sampled_from(
    client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer
) -> None:
    settings = {"max_tokens": 8, "seed": 2, "temperature": 0.6, "top_logprobs": 3}
    expected = direct.generate([asked(tokenizer, "the cat", **settings)])[0]
    for mode in ("raw", "sampled"):
        given = client.completions.create(
            model=MODEL,
            prompt="the cat",
            max_tokens=8,
            seed=2,
            temperature=0.6,
            logprobs=3,
            extra_body={"logprobs_mode": mode},
        )
        told = given.choices[0].logprobs
        values = [token.raw_logprob if mode == "raw" else token.logprob for token in expected.tokens]
        tops = [token.raw_top if mode == "raw" else token.top for token in expected.tokens]
        assert told is not None
        assert told.token_logprobs == pytest.approx(values, abs=1e-4)
        for top, wanted, token, value in zip(told.top_logprobs, tops, told.tokens, values, strict=True):
            assert top[token] == pytest.approx(value, abs=1e-4)
            assert sorted(top.values(), reverse=True)[:3] == pytest.approx([v for _, v in wanted], abs=1e-4)
        assert "".join(told.tokens) == given.choices[0].text or "bytes:" in "".join(told.tokens)


@pytest.mark.parametrize("max_tokens", [0, 1, 5])
def test_an_echoed_prompt_has_the_figures_of_a_forward_pass(
    client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer, max_tokens: int
) -> None:
    texts = ["the cat sat on the mat", "dog"]
    prompts = [prompt_ids(tokenizer, text) for text in texts]
    given = client.completions.create(
        model=MODEL, prompt=prompts, max_tokens=max_tokens, logprobs=2, echo=True, temperature=0
    )
    for text, ids, choice, scores in zip(texts, prompts, given.choices, direct.logprobs(prompts), strict=True):
        told = choice.logprobs
        assert told is not None
        assert told.token_logprobs[0] is None and told.top_logprobs[0] is None
        assert told.token_logprobs[1 : len(ids)] == pytest.approx(scores.tolist(), abs=1e-4)
        assert len(told.tokens) == len(told.text_offset) == len(ids) + max_tokens
        assert choice.text.startswith(text)
        words = zip(told.text_offset[1:], told.text_offset[2 : len(ids)], strict=False)
        assert [choice.text[a:b] for a, b in words] == [tokenizer.decode([index]) for index in ids[1:-1]]
        assert choice.finish_reason == "length"
    assert given.usage is not None and given.usage.completion_tokens == 2 * max_tokens


def test_stop_texts_end_it_and_never_show(client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer) -> None:
    letters = tuple(i for i, data in enumerate(tokenizer.token_bytes) if not data.isalpha() or not data.isascii())
    free = asked(tokenizer, "the", max_tokens=30, seed=1, forbidden_ids=(), logit_bias=dict.fromkeys(letters, -100.0))
    text = text_of(tokenizer, direct.generate([free])[0])
    bias = {str(i): -100 for i in letters}
    for stop in (text[9:11], ["zzzzzz", text[14:15]]):
        expected = direct.generate([replace(free, stop=(stop,) if isinstance(stop, str) else tuple(stop))])[0]
        wanted = min(text.find(each) for each in ([stop] if isinstance(stop, str) else stop) if each in text)
        settings = {"model": MODEL, "prompt": "the", "max_tokens": 30, "seed": 1, "stop": stop, "logit_bias": bias}
        given = client.completions.create(**settings)
        assert given.choices[0].text == text[:wanted]
        assert given.choices[0].finish_reason == "stop" == expected.finish_reason
        pieces = [chunk.choices[0].text for chunk in client.completions.create(**settings, stream=True)]
        assert "".join(pieces) == text[:wanted]


def test_a_stream_joins_to_the_whole(client: openai.OpenAI) -> None:
    settings = {"model": MODEL, "prompt": ["the cat", "é€"], "max_tokens": 20, "seed": 5, "n": 2, "echo": True}
    whole = client.completions.create(**settings)
    texts, reasons = [""] * 4, [None] * 4
    usage = None
    for chunk in client.completions.create(**settings, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert usage is not None and whole.usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)


def test_a_stream_has_the_same_logprobs(client: openai.OpenAI) -> None:
    settings = {"model": MODEL, "prompt": "the cat", "max_tokens": 20, "seed": 5, "logprobs": 1}
    told = client.completions.create(**settings).choices[0].logprobs
    parts = [chunk.choices[0].logprobs for chunk in client.completions.create(**settings, stream=True)]
    assert [token for part in parts for token in part.tokens] == told.tokens
    assert [offset for part in parts for offset in part.text_offset] == told.text_offset
    assert [value for part in parts for value in part.token_logprobs] == pytest.approx(told.token_logprobs, abs=1e-4)


def test_characters_are_never_cut_in_a_stream(running: Running, tokenizer: Tokenizer) -> None:
    """The bytes of é and €, each a token of its own, come as whole characters."""
    data = "é€".encode()
    bias = {str(tokenizer.token_bytes.index(bytes([byte]))): 100 for byte in data}
    body = {"model": MODEL, "prompt": "a", "max_tokens": 30, "seed": 3, "stream": True, "logit_bias": bias}
    events = [line for line in running.post("/v1/completions", body).text.split("\n\n") if line]
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    body["stream"] = False
    whole = running.post("/v1/completions", body).json()["choices"][0]["text"]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole
    assert len(chunks) > 5


def test_the_prompt_is_counted_as_cached_the_second_time(client: openai.OpenAI) -> None:
    prompt = list(range(100, 180))
    cached = []
    for _ in range(2):
        usage = client.completions.create(model=MODEL, prompt=prompt, max_tokens=2).usage
        assert usage is not None and usage.prompt_tokens_details is not None
        cached.append(usage.prompt_tokens_details.cached_tokens)
    assert cached == [0, 64]


def test_the_context_ends_a_completion(client: openai.OpenAI, direct: Engine) -> None:
    prompt = [7] * (direct.context_length - 3)
    given = client.completions.create(model=MODEL, prompt=prompt, max_tokens=50, temperature=0)
    assert given.usage is not None
    assert (given.usage.completion_tokens, given.choices[0].finish_reason) == (4, "length")


def test_tokens_to_stop_at(client: openai.OpenAI, tokenizer: Tokenizer) -> None:
    end = tokenizer.end
    settings = {"model": MODEL, "prompt": [5], "max_tokens": 9, "logit_bias": {str(end): 100}, "temperature": 0}
    assert client.completions.create(**settings).choices[0].finish_reason == "length"
    stopped = client.completions.create(**settings, extra_body={"stop_token_ids": [end]})
    assert (stopped.choices[0].text, stopped.choices[0].finish_reason) == ("", "stop")


def test_tokens_without_a_text_never_come(tokenizer: Tokenizer) -> None:
    """A model may have room for more tokens than its tokenizer knows."""
    n = tokenizer.vocab_size
    sizes = {"n_layers": 1, "d_model": 16, "n_heads": 2, "n_kv_heads": 1, "head_dim": 8, "d_ff": 16}
    wide = Engine(Decoder(ModelConfig(vocab_size=n + 300, **sizes)), context_length=64, tokenizer=tokenizer)
    with serving(wide, tokenizer) as server:
        body = {"model": MODEL, "prompt": [1], "max_tokens": 60, "temperature": 2, "logprobs": 20, "echo": True}
        told = server.post("/v1/completions", body).json()["choices"][0]["logprobs"]
        assert not [token for token in told["tokens"] if token.startswith("token:")]
        assert any(token.startswith("token:") for top in told["top_logprobs"][1:] for token in top)
        for fields in ({"prompt": [n]}, {"logit_bias": {str(n): 100}}, {"stop_token_ids": [n]}):
            assert server.post("/v1/completions", {**body, **fields}).status_code == 400
