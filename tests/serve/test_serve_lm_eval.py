"""lm-evaluation-harness asks the server, and finds what a forward pass of the model gives."""

from __future__ import annotations

from typing import Any

import pytest
from serving import MODEL, Running

from fledge.infer.engine import Engine
from fledge.tokens.tokenizer import Tokenizer

pytest.importorskip("tenacity", reason="lm-eval[api] is not whole here")
api = pytest.importorskip("lm_eval.models.openai_completions")
from lm_eval.api.instance import Instance  # noqa: E402

PAIRS = [
    ("the cat sat on", " the mat"),
    ("the", " dog ran to the door"),
    ("a dog", " é"),
    ("the cat sat on " * 20 + "the", " mat"),
]


def harness(running: Running, **options: Any) -> Any:
    settings = {"num_concurrent": 1, "max_length": 513, "tokenizer_backend": "remote", **options}
    return api.LocalCompletionsAPI(model=MODEL, base_url=running.url + "/v1/completions", **settings)


def asked(kind: str, *pairs: tuple[Any, ...]) -> list[Instance]:
    return [Instance(request_type=kind, doc={}, arguments=pair, idx=i) for i, pair in enumerate(pairs)]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_loglikelihoods_are_those_of_a_forward_pass(
    running: Running, direct: Engine, tokenizer: Tokenizer, batch_size: int
) -> None:
    given = harness(running, batch_size=batch_size).loglikelihood(asked("loglikelihood", *PAIRS))
    for (context, continuation), (value, greedy) in zip(PAIRS, given, strict=True):
        before, whole = tokenizer.encode(context), tokenizer.encode(context + continuation)
        scores = direct.logprobs([whole])[0][len(before) - 1 :]
        assert value == pytest.approx(float(scores.sum()), abs=1e-3)
        assert greedy is False


def test_what_is_greedy_is_seen_as_such(running: Running, direct: Engine, tokenizer: Tokenizer) -> None:
    from fledge.infer.request import GenerateRequest

    model = harness(running, batch_size=1)
    start = tokenizer.encode("the cat")
    likeliest = list(direct.generate([GenerateRequest(start, max_tokens=4)])[0].ids)
    instances = [((("", ""), start, likeliest)), ((("", ""), start, [*likeliest[:-1], (likeliest[-1] + 1) % 256]))]
    given = model._loglikelihood_tokens(instances)
    assert [greedy for _, greedy in given] == [True, False]


def test_rolling_and_generation(running: Running, direct: Engine, tokenizer: Tokenizer) -> None:
    model = harness(running, batch_size=1)
    text = "the cat sat on the mat and the dog ran"
    (value,) = model.loglikelihood_rolling(asked("loglikelihood_rolling", (text,)))
    ids = [tokenizer.bos, *tokenizer.encode(text)]
    prefix = model.prefix_token_id
    scores = direct.logprobs([[prefix, *ids[1:]]])[0]
    assert value == pytest.approx(float(scores.sum()), abs=1e-3)
    settings = {"until": ["zzz"], "max_gen_toks": 12, "temperature": 0}
    (told,) = model.generate_until(asked("generate_until", ("the cat", settings)))
    body = {"model": MODEL, "prompt": tokenizer.encode("the cat"), "max_tokens": 12, "temperature": 0}
    assert told == running.post("/v1/completions", body).json()["choices"][0]["text"]


def test_chats(running: Running) -> None:
    settings = {"num_concurrent": 2, "tokenizer_backend": None}
    model = api.LocalChatCompletion(model=MODEL, base_url=running.url + "/v1/chat/completions", **settings)
    talk = model.apply_chat_template([{"role": "user", "content": "the cat"}])
    (told,) = model.generate_until(
        asked("generate_until", (talk, {"until": ["zzz"], "max_gen_toks": 9, "temperature": 0}))
    )
    body = {"model": MODEL, "messages": [{"role": "user", "content": "the cat"}], "max_tokens": 9, "temperature": 0}
    assert told == running.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"]
