"""Requests that come and go at any time get what they would get alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer import reader
from fledge.infer.engine import Engine
from fledge.infer.request import Completion, GenerateRequest
from fledge.infer.sampling import filtered_logprobs, uniforms
from fledge.infer.slots import BLOCK, block_hashes
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

CONTEXT = 80
Make = Another = Callable[..., Engine]


@pytest.fixture(scope="module")
def small(model: Decoder, make: Make) -> Engine:
    return make(model, context_length=CONTEXT, max_batch=3)


@pytest.fixture(scope="module")
def alone(model: Decoder, make: Make) -> Engine:
    return make(model, context_length=CONTEXT, max_batch=1)


@pytest.fixture(scope="module")
def another(model: Decoder, make: Make) -> Another:
    """Makes engines as ``small`` that have not read anything yet."""
    return lambda max_batch=64: make(model, context_length=CONTEXT, max_batch=max_batch)


def run(engine: Engine, requests: Sequence[GenerateRequest], arrivals: Sequence[int]) -> list[Completion]:
    """Submit each request before the step of its arrival."""
    number: dict[int, int] = {}
    done: dict[int, Completion] = {}
    waiting = sorted(range(len(requests)), key=lambda i: arrivals[i])
    clock = 0
    while len(done) < len(requests):
        while waiting and arrivals[waiting[0]] <= clock:
            index = waiting.pop(0)
            number[engine.submit(requests[index])] = index
        for event in engine.step():
            if event.completion is not None:
                done[number[event.request]] = event.completion
        clock += 1
    return [done[i] for i in range(len(requests))]


def same(given: Completion, expected: Completion, top_p: float = 1.0) -> None:
    assert given.ids == expected.ids
    assert given.finish_reason == expected.finish_reason
    for a, b in zip(given.tokens, expected.tokens, strict=True):
        assert a.raw_logprob == pytest.approx(b.raw_logprob, abs=1e-4)
        # a token at the border of top-p may be in or out by a rounding, which moves the others
        assert a.logprob == pytest.approx(b.logprob, abs=1e-4 if top_p == 1 else 0.05)
        assert dict(a.raw_top) == pytest.approx(dict(b.raw_top), abs=1e-4)


def differ(given: Completion, expected: Completion) -> int | None:
    """Where the first other token is."""
    pairs = zip(given.ids, expected.ids, strict=True)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), None)


def on_a_border(engine: Engine, request: GenerateRequest, said: tuple[int, ...], a: int, b: int) -> bool:
    """Whether a rounding decides between two tokens: as likely ones, or neighbours with the draw between them."""
    ids = [*request.ids, *said]
    with torch.no_grad():
        logits = engine.model(torch.tensor([ids], device=engine.model.device))[0, -1].float().cpu()
    if not request.temperature:
        return abs(float(logits[a] - logits[b])) < 1e-3
    settings = (torch.tensor([each]) for each in (request.temperature, request.top_k, request.top_p, request.min_p))
    below = filtered_logprobs(logits[None], *settings)[0].double().exp().cumsum(0)
    drawn = uniforms(np.array([request.seed]), np.array([len(ids)]))[0]
    return all(abs(float(below[at]) - drawn) < 1e-5 for at in (min(a, b), max(a, b) - 1))


prompts = st.tuples(st.integers(0, 2), st.integers(1, CONTEXT - 4), st.integers(0, 3))
kinds = st.sampled_from(
    [
        {},
        {"temperature": 1.0},
        {"temperature": 0.8, "top_p": 0.8},
        {"prompt_logprobs": 0},
        {"top_logprobs": 1000},  # of all tokens
    ]
)


@given(
    st.lists(st.tuples(prompts, kinds, st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=9),
    st.sampled_from([4, 17, 64]),
)
@settings(max_examples=40, deadline=None)
def test_any_arrivals_give_what_each_gets_alone(small: Engine, alone: Engine, drawn, chunk) -> None:
    """Prompts begin alike, so that they share blocks; what earlier examples left in the slots must not matter."""
    stem = np.random.default_rng(0).integers(0, small.vocab_size, (3, CONTEXT))
    requests = []
    for i, ((kind, n, tail), options, max_tokens, _) in enumerate(drawn):
        ids = [*stem[kind, :n].tolist(), *range(tail)]
        requests.append(GenerateRequest(ids, max_tokens=max_tokens, seed=i, **options))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "PREFILL_TOKENS", 2 * chunk)
        patch.setattr(reader, "CHUNK_TOKENS", chunk)
        together = run(small, requests, [arrival for *_, arrival in drawn])
    for request, completion in zip(requests, together, strict=True):
        alone._forget()
        expected = alone.generate([request])[0]
        if (at := differ(completion, expected)) is not None:
            assert on_a_border(alone, request, expected.ids[:at], completion.ids[at], expected.ids[at])
            completion, expected = (replace(each, tokens=each.tokens[:at]) for each in (completion, expected))
        same(completion, expected, request.top_p)
        assert len(completion.prompt) == len(expected.prompt)
        for a, b in zip(completion.prompt, expected.prompt, strict=True):
            assert (a.id, a.logprob) == (b.id, pytest.approx(b.logprob, abs=1e-4))
    assert small.n_running == small.n_waiting == 0


def test_a_prefix_is_read_once(small: Engine, another: Another) -> None:
    ids = np.random.default_rng(1).integers(0, small.vocab_size, 60).tolist()
    first = small.generate([GenerateRequest(ids, max_tokens=9)])[0]
    assert first.n_cached == 0
    again = small.generate([GenerateRequest(ids, max_tokens=9)])[0]
    assert again.n_cached == 48
    same(again, first)
    longer = small.generate([GenerateRequest([*ids, *first.ids, 5], max_tokens=2)])[0]
    assert longer.n_cached == 64
    same(
        longer,
        another().generate([GenerateRequest([*ids, *first.ids, 5], max_tokens=2)])[0],
    )


def test_samples_of_one_prompt_share_it_and_differ(small: Engine, another: Another) -> None:
    ids = np.random.default_rng(2).integers(0, small.vocab_size, 70).tolist()
    engine = another(max_batch=8)
    samples = engine.generate([GenerateRequest(ids, max_tokens=5, temperature=1.5, seed=i) for i in range(8)])
    assert sorted(sample.n_cached for sample in samples) == [0] + [64] * 7
    assert len({sample.ids[0] for sample in samples}) > 4


def test_nothing_is_shared_of_a_prompt_that_differs_early() -> None:
    a, b = list(range(40)), [1, *range(1, 40)]
    assert len(block_hashes(a)) == 2 == 40 // BLOCK
    assert not set(block_hashes(a)) & set(block_hashes(b))
    assert block_hashes(a, block_hashes(a)[:1]) == block_hashes(a)


def test_cancelled_requests_leave_at_once(small: Engine) -> None:
    long = GenerateRequest([3, 4, 5], max_tokens=50)
    kept, running, waiting = (small.submit(long) for _ in range(3))
    queued = small.submit(long)
    small.step(), small.step()
    assert (small.n_running, small.n_waiting) == (3, 1)
    left = small.cancel(running)
    assert left is not None and (len(left.tokens), left.finish_reason) == (2, "cancelled")
    assert small.cancel(queued) is not None
    assert small.cancel(queued) is None
    assert (small.n_running, small.n_waiting) == (2, 0)
    ends = {}
    while small.n_running:
        ends |= {event.request: event.completion for event in small.step() if event.completion}
    assert ends[kept].ids == ends[waiting].ids == small.generate([long])[0].ids


def test_a_stream_that_is_left_is_cancelled(small: Engine) -> None:
    pieces = small.stream(GenerateRequest([1, 2], max_tokens=50))
    next(pieces)
    assert small.n_running == 1
    pieces.close()
    assert small.n_running == 0


def test_streams_run_beside_each_other_and_beside_steps(small: Engine) -> None:
    requests = [GenerateRequest([i + 1, 7], max_tokens=12) for i in range(3)]
    number = small.submit(requests[2])
    first, second = small.stream(requests[0]), small.stream(requests[1])
    got: list[list[int]] = [[], []]
    for _ in range(12):
        got[0].append(next(first).id)
        got[1].append(next(second).id)
    third = [event.token.id for event in small.step() if event.request == number and event.token]
    assert [tuple(ids) for ids in (*got, third)] == [small.generate([request])[0].ids for request in requests]


def test_greater_priority_goes_first(small: Engine) -> None:
    numbers = [small.submit(GenerateRequest([9], max_tokens=4, priority=p)) for p in (0, 0, 5, 1, 5, 0)]
    first_token: list[int] = []
    while small.n_running or small.n_waiting:
        first_token += [e.request for e in small.step() if e.token and e.request not in first_token]
    assert [numbers.index(n) for n in first_token] == [2, 4, 3, 0, 1, 5]


def test_new_weights_are_used_at_once(make: Make, model: Decoder) -> None:
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(0.7)
    engine = make(copy.deepcopy(model), context_length=CONTEXT, max_batch=2)
    ids = np.random.default_rng(4).integers(0, engine.vocab_size, 40).tolist()
    before = engine.generate([GenerateRequest(ids, max_tokens=8)])[0]
    engine.submit(GenerateRequest(ids, max_tokens=8))
    early = [event.token for _ in range(3) for event in engine.step()]
    engine.update_weights(changed, version=7)
    late = []
    while engine.n_running:
        late += engine.step()
    assert [t.id for t in early if t] == list(before.ids[: len(early)])
    prompt = [*ids, *before.ids[: len(early)]]
    fresh = make(changed, context_length=CONTEXT)
    rest = fresh.generate([GenerateRequest(prompt, max_tokens=8 - len(early))])[0]
    assert tuple(event.token.id for event in late if event.token) == rest.ids
    assert late[-1].completion is not None and late[-1].completion.weights_version == 7
    after = engine.generate([GenerateRequest(ids, max_tokens=8)])[0]
    same(after, fresh.generate([GenerateRequest(ids, max_tokens=8)])[0])
    assert after.ids != before.ids


def test_a_failed_step_leaves_the_engine_usable(model: Decoder, make: Make) -> None:
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.lm_head.weight[3, 0] = float("nan")
    engine = make(broken, context_length=16, max_batch=2)
    for _ in range(2):
        with pytest.raises(Exception, match="no numbers"):
            engine.generate([GenerateRequest([1, 2], max_tokens=3)])
        assert engine.n_running == engine.n_waiting == 0
    engine.update_weights(model, version=1)
    assert len(engine.generate([GenerateRequest([1, 2], max_tokens=3)])[0].ids) == 3


def test_a_step_that_fails_is_taken_again(small: Engine, monkeypatch: pytest.MonkeyPatch, another: Another) -> None:
    """Nothing is lost but the time: no row, no event, no token twice."""
    requests = [GenerateRequest([i + 1, *range(20)], max_tokens=6, temperature=0.8, seed=i) for i in range(5)]
    expected = [completion.ids for completion in small.generate(requests)]
    engine = another(max_batch=3)
    numbers = [engine.submit(request) for request in requests]
    sample, calls = Engine._sample, 0

    def failing(self, rows, logits):
        nonlocal calls
        calls += 1
        if calls % 2:
            raise RuntimeError("on purpose")
        return sample(self, rows, logits)

    monkeypatch.setattr(Engine, "_sample", failing)
    ends: dict[int, Completion] = {}
    while len(ends) < 5:
        try:
            ends |= {event.request: event.completion for event in engine.step() if event.completion}
        except RuntimeError:
            continue
    assert [ends[number].ids for number in numbers] == expected


def test_a_prompt_as_long_as_the_context_between_others(small: Engine, another: Another) -> None:
    long = np.random.default_rng(3).integers(0, small.vocab_size, CONTEXT).tolist()
    requests = [
        GenerateRequest([1, 2], max_tokens=30),
        GenerateRequest([3], max_tokens=2),
        GenerateRequest([4, 5], max_tokens=30),
        GenerateRequest(long, max_tokens=5),
    ]
    alone = [another().generate([request])[0] for request in requests]
    for completion, expected in zip(run(small, requests, [0, 0, 0, 4]), alone, strict=True):
        same(completion, expected)


def test_a_request_without_room_may_ask_for_its_prompt(small: Engine) -> None:
    ids = np.random.default_rng(6).integers(0, small.vocab_size, 50).tolist()
    for length in (1, 2, 50):
        asked = [GenerateRequest(ids[:length], max_tokens=n, prompt_logprobs=0) for n in (0, 1)]
        none, some = small.generate(asked)
        assert none.ids == () and none.finish_reason == "length"
        assert [token.id for token in none.prompt] == ids[1:length] == [token.id for token in some.prompt]
        np.testing.assert_allclose([t.logprob for t in none.prompt], [t.logprob for t in some.prompt], atol=1e-4)


def test_weights_that_train_are_seen_by_prefixes(model: Decoder) -> None:
    training = copy.deepcopy(model)
    engine = Engine(training, context_length=CONTEXT)
    request = GenerateRequest(list(range(40)), max_tokens=5)
    engine.generate([request])
    assert engine.generate([request])[0].n_cached == 32
    with torch.no_grad():
        for parameter in training.parameters():
            parameter.mul_(0.8)
    after = engine.generate([request])[0]
    assert after.n_cached == 0
    same(after, Engine(training, context_length=CONTEXT).generate([request])[0])


def test_frozen_weights_that_change_are_told(model: Decoder, make: Make, way: str) -> None:
    if way == "torch":
        pytest.skip("its weights may change")
    changing = copy.deepcopy(model)
    engine = make(changing, context_length=CONTEXT)
    engine.generate([GenerateRequest([1, 2], max_tokens=2)])
    with torch.no_grad():
        engine.model.lm_head.weight.mul_(0.5)
    with pytest.raises(FledgeError, match="frozen"):
        engine.generate([GenerateRequest([1, 2], max_tokens=2)])
    engine.update_weights(model, version=1)
    assert engine.generate([GenerateRequest([1, 2], max_tokens=2)])[0].ids


def test_who_wants_nothing_is_told_also_after_a_failed_step(small: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing, some = (small.submit(GenerateRequest([1, 2], max_tokens=n)) for n in (0, 1))

    def failing(self, rows, logits):
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="on purpose"):
        patch.setattr(Engine, "_sample", failing)
        small.step()
    assert {event.request for event in small.step() if event.completion} == {nothing, some}


def test_short_prompts_behind_long_ones_are_read_apart(random_model, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(random_model(301), context_length=64, frozen=True)
    if engine.native is None:
        pytest.skip("the library is not to be had")
    passes: list[str] = []
    for name in ("read", "step"):
        method = getattr(engine.native, name)

        def called(*given, name=name, method=method):
            passes.append(name)
            return method(*given)

        monkeypatch.setattr(engine.native, name, called)
    monkeypatch.setattr(reader, "STEP_PAIRS", 300)
    expected = Engine(engine.model, context_length=64).generate([GenerateRequest(list(range(50)), max_tokens=1)])[0]
    for length, way in ((32, "step"), (41, "step"), (60, "read")):  # 0 · 32, 32 · 9 and 40 · 20 pairs
        passes.clear()
        done = engine.generate([GenerateRequest([*range(50)][:length] if length < 60 else [*range(40), *range(20)])])
        assert passes[0] == way and done[0].n_cached == {32: 0, 41: 32, 60: 32}[length]
    same(engine.generate([GenerateRequest(list(range(50)), max_tokens=1)])[0], expected)


def test_weights_of_other_sizes_are_refused(small: Engine, random_model) -> None:
    with pytest.raises(FledgeError, match="other sizes"):
        small.update_weights(random_model(small.vocab_size, n_layers=3), version=1)
    for bad in ({"context_length": 0}, {"context_length": 8, "max_batch": 0}):
        with pytest.raises(FledgeError, match="must be"):
            Engine(small.model, **bad)


def test_weights_that_are_no_numbers_leave_nothing_behind(model: Decoder, make: Make) -> None:
    engine = make(copy.deepcopy(model), context_length=CONTEXT)
    request = GenerateRequest(list(range(40)), max_tokens=5)
    before = engine.generate([request])[0]
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.model.layers[0].self_attn.v_proj.weight.fill_(float("nan"))
    engine.update_weights(broken, version=1)
    with pytest.raises(FledgeError, match="no numbers"):
        engine.generate([request])
    engine.update_weights(model, version=2)
    same(engine.generate([request])[0], before)


def test_who_is_cancelled_by_somebody_else_is_told(small: Engine) -> None:
    requests = [GenerateRequest([i + 1], max_tokens=20) for i in range(2)]
    first = small._n_submitted
    done = small.generate(requests, lambda index, token: small.cancel(first) if index == 1 else None)
    assert [completion.finish_reason for completion in done] == ["cancelled", "length"]
    assert small.step() == []


def test_a_short_prompt_does_not_wait_for_the_end_of_a_long_one(small: Engine, monkeypatch) -> None:
    monkeypatch.setattr(reader, "PREFILL_TOKENS", 16)
    monkeypatch.setattr(reader, "CHUNK_TOKENS", 16)
    long = small.submit(GenerateRequest([9] * 70, max_tokens=1))
    small.step()
    short = small.submit(GenerateRequest([7, 8, 7], max_tokens=1))
    order: list[int] = []
    while small.n_running or small.n_waiting:
        order += [event.request for event in small.step() if event.completion]
    assert order[0] == short and long in order


def test_tokens_that_are_none_never_come(random_model, tokenizer: Tokenizer, make: Make) -> None:
    padded = random_model(tokenizer.vocab_size + 40)
    engine = make(padded, context_length=32, tokenizer=tokenizer)
    requests = [GenerateRequest([1], max_tokens=20, temperature=3.0, seed=i, stop=("never",)) for i in range(8)]
    bias = GenerateRequest([1], max_tokens=5, logit_bias={tokenizer.vocab_size + 3: 100.0})
    for completion in engine.generate([*requests, bias]):
        assert max(completion.ids) < tokenizer.vocab_size


def test_an_engine_is_stepped_by_one_thread(small: Engine) -> None:
    small.submit(GenerateRequest([1], max_tokens=2))
    with small._stepping, pytest.raises(FledgeError, match="two threads at once"):
        small.step()
    while small.n_running or small.n_waiting:
        small.step()


def test_embeddings_are_means_of_last_states(small: Engine, tokenizer: Tokenizer) -> None:
    given = [[1, 2, 3, 4], [5], [9] * 30]
    with torch.no_grad():
        tokens = [torch.tensor([ids], device=small.model.device) for ids in given]
        expected = [small.model(each, output="hidden")[0].mean(0).cpu() for each in tokens]
    for found, state in zip(small.embed(given), expected, strict=True):
        np.testing.assert_allclose(found, state.numpy(), atol=1e-5)
