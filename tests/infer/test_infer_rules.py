"""Penalties, biases, stops, constraints and log-probabilities, against what they say they are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.engine import Engine
from fledge.infer.request import Constraint, GenerateRequest
from fledge.infer.stops import StopMatcher
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

Make = Callable[..., Engine]


@pytest.fixture(scope="module")
def texts(model: Decoder, tokenizer: Tokenizer, make: Make) -> Engine:
    """An engine that knows its tokenizer."""
    return make(model, context_length=64, max_batch=4, tokenizer=tokenizer)


def model_logits(model: Decoder, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids]))[0, -1]


def test_penalties_and_bias_equal_transformers(texts: Engine, model: Decoder) -> None:
    transformers = pytest.importorskip("transformers")
    prompt, bias = [5, 6, 5, 7], {9: 3.0, 6: -2.5}
    for presence, frequency, repetition in ((0.0, 0.0, 1.7), (0.9, 0.0, 1.0), (0.0, 0.4, 1.0), (0.5, 0.3, 1.3)):
        request = GenerateRequest(
            prompt,
            max_tokens=15,
            temperature=0.8,
            seed=3,
            presence_penalty=presence,
            frequency_penalty=frequency,
            repetition_penalty=repetition,
            logit_bias=bias,
            forbidden_ids=(11,),
        )
        completion = texts.generate([request])[0]
        ids = list(prompt)
        for token in completion.tokens:
            raw = model_logits(model, ids)
            punish = transformers.RepetitionPenaltyLogitsProcessor(repetition)
            logits = punish(torch.tensor([ids]), raw[None].clone())[0]
            for index, count in Counter(ids[len(prompt) :]).items():
                logits[index] -= presence + frequency * count
            for index, value in bias.items():
                logits[index] += value
            logits[11] = -np.inf
            expected = (logits / 0.8).log_softmax(-1)
            assert token.logprob == pytest.approx(float(expected[token.id]), abs=1e-4)
            assert token.raw_logprob == pytest.approx(float(raw.log_softmax(-1)[token.id]), abs=1e-4)
            ids.append(token.id)


def test_rules_do_not_reach_companions(texts: Engine) -> None:
    plain = GenerateRequest([5, 6], max_tokens=10)
    ruled = GenerateRequest([5, 6], max_tokens=10, logit_bias={3: 50.0}, frequency_penalty=2.0)
    together = texts.generate([plain, ruled, plain])
    assert [c.ids for c in together] == [texts.generate([request])[0].ids for request in (plain, ruled, plain)]
    assert together[1].ids[:3] == (3, 3, 3)


def test_likeliest_are_of_both_distributions(texts: Engine, model: Decoder) -> None:
    request = GenerateRequest([5, 6], max_tokens=4, temperature=0.5, top_k=3, seed=1, top_logprobs=5)
    ids = [5, 6]
    for token in texts.generate([request, GenerateRequest([1])])[0].tokens:
        raw = model_logits(model, ids).log_softmax(-1)
        best = raw.topk(5)
        assert [i for i, _ in token.raw_top] == best.indices.tolist()
        np.testing.assert_allclose([v for _, v in token.raw_top], best.values.numpy(), atol=1e-4)
        cut = (raw.topk(3).values / 0.5).log_softmax(-1)
        assert [i for i, _ in token.top] == best.indices[:3].tolist()  # what is cut cannot come
        np.testing.assert_allclose([v for _, v in token.top], cut.numpy(), atol=1e-4)
        assert token.id in [i for i, _ in token.top]
        ids.append(token.id)


@pytest.mark.parametrize("length", [1, 2, 17, 64])
def test_prompt_logprobs_equal_a_forward_pass(texts: Engine, model: Decoder, length: int) -> None:
    ids = np.random.default_rng(length).integers(0, texts.vocab_size, length).tolist()
    with torch.no_grad():
        expected = model(torch.tensor([ids])).log_softmax(-1)[0]
    for _ in range(2):  # the second time the prompt lies in the cache
        completion = texts.generate([GenerateRequest(ids, max_tokens=1, prompt_logprobs=2)])[0]
        assert [token.id for token in completion.prompt] == ids[1:]
        for at, token in enumerate(completion.prompt):
            assert token.logprob == token.raw_logprob == pytest.approx(float(expected[at, token.id]), abs=1e-4)
            assert [i for i, _ in token.top] == expected[at].topk(2).indices.tolist()


@pytest.mark.parametrize("top_logprobs", [0, 1])
def test_samples_follow_the_distribution(model: Decoder, make: Make, top_logprobs: int) -> None:
    """The one that the model's forward pass has after bias, temperature, top-k and top-p."""
    n = 4_000
    engine = make(model, context_length=8, max_batch=500)
    cuts = {"temperature": 1.4, "top_k": 40, "top_p": 0.9, "logit_bias": {7: 1.0}}
    requests = [GenerateRequest([4, 2], max_tokens=1, seed=i, top_logprobs=top_logprobs, **cuts) for i in range(n)]
    completions = engine.generate(requests)
    logits = model_logits(model, [4, 2]).double()
    logits[7] += 1.0
    ranked = torch.softmax(logits / 1.4, dim=-1).sort(descending=True)
    kept = ranked.values[:40] / ranked.values[:40].sum()
    kept = kept[: int((kept.cumsum(0) < 0.9).sum()) + 1]
    probability = dict(zip(ranked.indices.tolist(), (kept / kept.sum()).tolist(), strict=False))
    for token in {completion.tokens[0].id: completion.tokens[0] for completion in completions}.values():
        assert token.logprob == pytest.approx(np.log(probability[token.id]), abs=1e-4)
    counts = Counter(completion.ids[0] for completion in completions)
    assert set(counts) <= set(probability)
    likely = [i for i, p in probability.items() if n * p >= 5]
    observed = [*(counts[i] for i in likely), n - sum(counts[i] for i in likely)]
    expected = [*(n * probability[i] for i in likely), n * (1 - sum(probability[i] for i in likely))]
    if expected[-1] < 5:
        observed[-2:], expected[-2:] = [sum(observed[-2:])], [sum(expected[-2:])]
    assert len(observed) > 5
    chi_square = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    freedom = len(observed) - 1
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


def test_a_request_that_leaves_no_token_ends_alone(texts: Engine) -> None:
    plain = GenerateRequest([5, 6], max_tokens=6, temperature=1.0, seed=2)
    everything = tuple(range(texts.vocab_size))
    for ruled in ({"forbidden_ids": everything}, {"repetition_penalty": 5e-324}, {"frequency_penalty": -3e38}):
        bad = GenerateRequest([5, 6, 7], max_tokens=6, temperature=0.5, top_logprobs=3, **ruled)
        good, ended = texts.generate([plain, bad])
        assert good.ids == texts.generate([plain])[0].ids
        assert ended.finish_reason == "cancelled" and "no token" in ended.fault and len(ended.ids) < 6


# ---------------------------------------------------------------- stops

pieces = st.lists(st.text("ab→é", max_size=3), max_size=12)


@given(pieces, st.lists(st.text("ab→é", min_size=1, max_size=4), max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_stops_are_found_wherever_the_bytes_are_cut(words, stops, random) -> None:
    data = "".join(words).encode()
    cuts = sorted(random.choices(range(len(data) + 1), k=5))
    matcher = StopMatcher(stops)
    given_out = b"".join(matcher.feed(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))
    ends = [(data.find(s.encode()) + len(s.encode()), -len(s.encode()), s) for s in stops if s.encode() in data]
    if ends:
        end, minus_length, stop = min(ends)
        assert (given_out, matcher.found, matcher.finish()) == (data[: end + minus_length], stop, b"")
    else:
        assert (given_out + matcher.finish(), matcher.found) == (data, None)


def test_a_stop_text_ends_a_completion_across_tokens(texts: Engine, tokenizer: Tokenizer) -> None:
    other = tuple(i for i, data in enumerate(tokenizer.token_bytes) if i in tokenizer.special_ids or not data.isalpha())
    free = GenerateRequest([5], max_tokens=40, temperature=1.0, seed=1, forbidden_ids=other)
    ids = texts.generate([free])[0].ids
    text = tokenizer.decode(ids)
    for length in (1, 2, 3, 5, 9):
        stop = text[len(text) // 2 :][:length]
        stopped = texts.generate([replace(free, stop=("never there", stop))])[0]
        assert stopped.finish_reason == "stop"
        n_tokens = next(n for n in range(len(ids)) if stop in tokenizer.decode(ids[:n]))
        assert stopped.ids == ids[:n_tokens]


# ---------------------------------------------------------------- constraints

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def constrained(engine: Engine, tokenizer: Tokenizer, constraint: Constraint, seed: int) -> tuple[str, str]:
    request = GenerateRequest(
        [5], max_tokens=60, temperature=1.0, seed=seed, constraint=constraint, stop_ids=(tokenizer.end,)
    )
    completion = engine.generate([request, GenerateRequest([6], max_tokens=4)])[0]
    return tokenizer.decode([i for i in completion.ids if i != tokenizer.end]), completion.finish_reason


@pytest.mark.parametrize("seed", range(4))
def test_constraints_hold(texts: Engine, tokenizer: Tokenizer, seed: int) -> None:
    pytest.importorskip("llguidance")
    text, reason = constrained(texts, tokenizer, Constraint("json_schema", json.dumps(SCHEMA)), seed)
    value = json.loads(text)
    assert reason == "stop" and set(value) == {"name", "age"} and 0 <= value["age"] <= 99
    assert json.dumps(value, ensure_ascii=False) == text or "\\" in text
    text, _ = constrained(texts, tokenizer, Constraint("regex", r"[a-f]{4}-[0-9]+\."), seed)
    assert re.fullmatch(r"[a-f]{4}-[0-9]+\.", text)
    choices = ["a mat", "cät", 'a "dog"\\']
    assert constrained(texts, tokenizer, Constraint("choice", json.dumps(choices)), seed)[0] in choices


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("json_schema", '{"type": "nope"}', "Invalid type: nope"),
        ("json_schema", "{bad", "cannot be read"),
        ("json_schema", '{"type": "integer", "minimum": 5, "maximum": 3}', "Unsatisfiable"),
        ("json_schema", '{"not": {}}', "Unimplemented keys"),
        ("regex", "(", "regex parse error"),
        ("choice", "[]", "a list of texts"),
        ("choice", "3", "a list of texts"),
        ("choice", '[""]', "a list of texts"),
        ("grammar", "nonsense", "cannot be used"),
    ],
)
def test_constraints_that_cannot_be_met_are_refused(texts: Engine, kind, text: str, message: str) -> None:
    pytest.importorskip("llguidance")
    with pytest.raises(FledgeError, match=message) as caught:
        texts.submit(GenerateRequest([5], constraint=Constraint(kind, text)))
    assert "\n" not in str(caught.value)
    assert texts.n_waiting == 0


def test_a_constraint_without_a_tokenizer_is_refused(model: Decoder) -> None:
    bare = Engine(model, context_length=8)
    for request in (GenerateRequest([1], stop=("x",)), GenerateRequest([1], constraint=Constraint("regex", "a"))):
        with pytest.raises(FledgeError, match="need a tokenizer"):
            bare.submit(request)
    for bad in ({"logit_bias": {9999: 1.0}}, {"forbidden_ids": (-1,)}, {"stop_ids": (9999,)}):
        with pytest.raises(FledgeError, match="outside the vocabulary"):
            bare.submit(GenerateRequest([1], **bad))
    for bad in ({"repetition_penalty": 0.0}, {"stop": ("",)}, {"top_logprobs": -1}, {"logit_bias": {1: float("nan")}}):
        with pytest.raises(FledgeError, match=next(iter(bad))):
            GenerateRequest([1], **bad)
