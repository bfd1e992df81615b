from __future__ import annotations

import copy
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch

from fledge.infer import reader, scoring
from fledge.infer.engine import Engine
from fledge.infer.request import GenerateRequest
from fledge.model.decoder import Decoder
from fledge.run.progress import Progress
from fledge.types import FledgeError


def sequences(n: int, longest: int, vocab_size: int, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, vocab_size, int(rng.integers(1, longest + 1))).tolist() for _ in range(n)]


def full_logprobs(model: Decoder, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids])).log_softmax(-1)[0]


def mixed_requests(vocab_size: int) -> list[GenerateRequest]:
    kinds = [
        {},
        {"temperature": 0.9},
        {"temperature": 1.3, "top_k": 9},
        {"temperature": 0.8, "top_p": 0.7},
        {"temperature": 1.0, "min_p": 0.1, "forbidden_ids": (3, 4, 5)},
        {"stop_ids": tuple(range(0, vocab_size, 9)), "temperature": 1.0},
    ]
    return [
        GenerateRequest(ids, max_tokens=3 + i % 11, seed=i, **kinds[i % len(kinds)])
        for i, ids in enumerate(sequences(18, 30, vocab_size))
    ]


def test_greedy_equals_the_uncached_forward(engine: Engine, model: Decoder) -> None:
    prompts = sequences(9, 20, engine.vocab_size)
    for prompt, completion in zip(
        prompts, engine.generate([GenerateRequest(ids, max_tokens=12) for ids in prompts]), strict=True
    ):
        ids = list(prompt)
        for token, logprob in zip(completion.ids, completion.logprobs, strict=True):
            expected = full_logprobs(model, ids)[-1]
            assert token == int(expected.argmax())
            assert logprob == pytest.approx(float(expected[token]), abs=1e-4)
            ids.append(token)
        assert len(completion.ids) == 12
        assert completion.finish_reason == "length"


def test_logprobs_equal_transformers(model: Decoder, make: Callable[..., Engine]) -> None:
    transformers = pytest.importorskip("transformers")
    from fledge.model.config_json import write_config

    reference = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**write_config(model.config, context_length=64)))
    reference.load_state_dict(model.state_dict())
    given = sequences(7, 40, model.config.vocab_size, seed=3)
    for ids, scores in zip(given, make(model, context_length=64).logprobs(given), strict=True):
        assert scores.shape == (len(ids) - 1,)
        if len(ids) > 1:
            with torch.no_grad():
                logits = reference(torch.tensor([ids[:-1]])).logits[0]
            expected = logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None]).squeeze(1)
            np.testing.assert_allclose(scores, expected.numpy(), atol=1e-4)


def test_scoring_in_pieces_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [*sequences(25, 49, engine.vocab_size), [5]]
    whole = engine.logprobs(given)
    monkeypatch.setattr(scoring, "SCORED_TOKENS", 100)
    monkeypatch.setattr(scoring, "SCORED_LOGITS", 7 * engine.vocab_size)
    for a, b in zip(whole, engine.logprobs(given), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_output_does_not_depend_on_companions(engine: Engine) -> None:
    requests = mixed_requests(engine.vocab_size)
    together = engine.generate(requests)
    alone = [engine.generate([request])[0] for request in requests]
    assert [c.ids for c in together] == [c.ids for c in alone]
    assert [c.finish_reason for c in together] == [c.finish_reason for c in alone]
    backwards = engine.generate(requests[::-1])[::-1]
    assert [c.ids for c in backwards] == [c.ids for c in together]


def test_reading_prompts_in_pieces_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = mixed_requests(engine.vocab_size)
    whole = engine.generate(requests)
    monkeypatch.setattr(reader, "PREFILL_TOKENS", 12)
    monkeypatch.setattr(reader, "CHUNK_TOKENS", 5)
    assert [c.ids for c in engine.generate(requests)] == [c.ids for c in whole]


def test_streamed_equals_whole(engine: Engine) -> None:
    for request in mixed_requests(engine.vocab_size)[:6]:
        tokens = list(engine.stream(request))
        completion = engine.generate([request])[0]
        assert tuple(token.id for token in tokens) == completion.ids
        assert [token.logprob for token in tokens] == pytest.approx(list(completion.logprobs), abs=1e-5)


def test_seeds(engine: Engine) -> None:
    def text(seed: int) -> tuple[int, ...]:
        return engine.generate([GenerateRequest([1, 2], max_tokens=20, temperature=1.0, seed=seed)])[0].ids

    assert text(1) == text(1)
    assert len({text(seed) for seed in range(5)}) == 5


def test_logprobs_are_of_the_distribution_sampled_from(engine: Engine, model: Decoder) -> None:
    request = GenerateRequest([7, 8, 9], max_tokens=15, temperature=0.6, top_k=5, forbidden_ids=(1, 2), seed=4)
    completion = engine.generate([request])[0]
    ids = [7, 8, 9]
    for token, logprob in zip(completion.ids, completion.logprobs, strict=True):
        logits = full_logprobs(model, ids)[-1] / 0.6
        logits[[1, 2]] = -np.inf
        best = logits.topk(5).indices
        assert token in best
        assert logprob == pytest.approx(float(logits[token] - logits[best].logsumexp(0)), abs=1e-4)
        ids.append(token)
    assert min(completion.logprobs) < -0.01


def test_forbidden_tokens_never_come(engine: Engine) -> None:
    forbidden = tuple(range(0, engine.vocab_size, 2))
    for temperature in (0.0, 2.0):
        request = GenerateRequest([1], max_tokens=40, temperature=temperature, forbidden_ids=forbidden)
        assert all(token % 2 for token in engine.generate([request, GenerateRequest([1])])[0].ids)


def test_stop_token_ends_and_belongs(engine: Engine) -> None:
    free = engine.generate([GenerateRequest([3, 1], max_tokens=20, temperature=1.0, seed=2)])[0]
    stop = free.ids[6]
    at = free.ids.index(stop)
    stopped = engine.generate([GenerateRequest([3, 1], max_tokens=20, temperature=1.0, seed=2, stop_ids=(stop,))])[0]
    assert stopped.ids == free.ids[: at + 1]
    assert stopped.finish_reason == "stop"


def test_the_context_ends_a_completion(engine: Engine, model: Decoder) -> None:
    prompt = sequences(1, 1, engine.vocab_size)[0] * 40
    completion = engine.generate([GenerateRequest(prompt, max_tokens=1000)])[0]
    assert (len(completion.ids), completion.finish_reason) == (engine.context_length + 1 - 40, "length")
    assert completion.ids[-1] == int(full_logprobs(model, [*prompt, *completion.ids[:-1]])[-1].argmax())
    full = engine.generate([GenerateRequest([1] * engine.context_length, max_tokens=5)])[0]
    assert len(full.ids) == 1


def test_what_cannot_be_read_is_told(engine: Engine) -> None:
    with pytest.raises(FledgeError, match="the prompt has 49 tokens and the model reads 48"):
        engine.generate([GenerateRequest([1]), GenerateRequest([1] * 49)])
    with pytest.raises(FledgeError, match="outside the model's vocabulary"):
        engine.stream(GenerateRequest([engine.vocab_size]))
    with pytest.raises(FledgeError, match="too many to score"):
        engine.logprobs([[1] * 50])
    for bad in ({"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"min_p": 2.0}, {"max_tokens": -1}):
        with pytest.raises(FledgeError, match=next(iter(bad))):
            GenerateRequest([1], **bad)
    with pytest.raises(FledgeError, match="at least one token"):
        GenerateRequest([])


@pytest.mark.parametrize("temperature", [1e-50, 1e-40, 1e-7])
def test_next_to_no_temperature_takes_the_likeliest(engine: Engine, temperature: float) -> None:
    cold, none = (GenerateRequest([5, 6], max_tokens=8, temperature=t, forbidden_ids=(1,)) for t in (temperature, 0.0))
    (given,), (expected,) = engine.generate([cold]), engine.generate([none])
    assert given.ids == expected.ids
    for name in ("logprob", "raw_logprob"):
        a, b = ([getattr(token, name) for token in each.tokens] for each in (given, expected))
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_any_temperature_gives_tokens_that_are_allowed(engine: Engine) -> None:
    for temperature in (1e-6, 1e-3, 1e30, 1e300):
        forbidden = tuple(range(0, engine.vocab_size, 2))
        request = GenerateRequest([5, 6], max_tokens=8, temperature=temperature, forbidden_ids=forbidden)
        completion = engine.generate([request])[0]
        assert len(completion.ids) == 8 and not set(completion.ids) & set(forbidden)
        assert np.isfinite(completion.logprobs).all()


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_told(model: Decoder, temperature: float, value: float) -> None:
    model = copy.deepcopy(model)
    with torch.no_grad():
        model.lm_head.weight[3, 0] = value
    engine = Engine(model, context_length=16)
    with pytest.raises(FledgeError, match="logits are no numbers"):
        engine.generate([GenerateRequest([5, 6], max_tokens=8, temperature=temperature)])


def test_callbacks_see_every_token_and_row(engine: Engine) -> None:
    seen: dict[int, list[int]] = {}
    requests = [*mixed_requests(engine.vocab_size), GenerateRequest([1], max_tokens=0)]
    progress = Progress("rows", len(requests), stream=io.StringIO())
    completions = engine.generate(requests, lambda i, token: seen.setdefault(i, []).append(token.id), progress)
    assert [tuple(seen.get(i, ())) for i in range(len(requests))] == [c.ids for c in completions]
    assert progress.done == len(requests)
    assert completions[-1].finish_reason == "length"


def test_nothing_to_do(engine: Engine) -> None:
    assert engine.generate([]) == []
    assert engine.logprobs([]) == []
    assert list(engine.stream(GenerateRequest([1], max_tokens=0))) == []


def test_weights_are_shared_in_float32_and_copied_in_bfloat16(model: Decoder) -> None:
    model = copy.deepcopy(model)
    model.compute_dtype = torch.bfloat16
    exact, fast = Engine(model, context_length=16), Engine(model, context_length=16, precision="bfloat16")
    before = exact.logprobs([[1, 2, 3]])[0], fast.logprobs([[1, 2, 3]])[0]
    assert before[0].dtype == np.float32
    assert not np.array_equal(*before)
    np.testing.assert_allclose(*before, atol=0.2)
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    assert not np.allclose(exact.logprobs([[1, 2, 3]])[0], before[0])
    np.testing.assert_array_equal(fast.logprobs([[1, 2, 3]])[0], before[1])
    assert model.compute_dtype == torch.bfloat16
    assert exact.fingerprint() != fast.fingerprint()


def test_inference_mode_stays_inside(engine: Engine) -> None:
    for _ in engine.stream(GenerateRequest([1, 2], max_tokens=3)):
        assert not torch.is_inference_mode_enabled()
