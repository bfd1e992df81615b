"""The OpenAPI document is true, and no request that it allows, or nearly allows, makes the server fail."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from serving import MODEL, Running

schemathesis = pytest.importorskip("schemathesis")


def test_the_document_names_every_endpoint(running: Running) -> None:
    document = httpx.get(running.url + "/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/models",
        "/v1/models/{name}",
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/embeddings",
        "/tokenize",
        "/detokenize",
        "/tokenizer_info",
        "/health",
        "/v1/health",
        "/metrics",
    }
    fields = document["components"]["schemas"]["ChatBody"]["properties"]
    assert {"messages", "tools", "response_format", "logprobs_mode"} <= set(fields)
    assert "audio" not in fields


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_nothing_that_is_sent_makes_it_fail(running: Running, mode: str) -> None:
    statuses: Counter[int] = Counter()

    def ask(case: Any) -> None:
        if isinstance(case.body, dict) and "model" in case.body:
            case.body = {**case.body, "model": MODEL}
        response = case.call(timeout=20)
        statuses[response.status_code] += 1
        assert response.status_code < 500, (case.as_curl_command(), response.text)
        if response.status_code >= 400 and response.headers["content-type"][0].startswith("application/json"):
            assert set(response.json()) == {"error"}

    bounded = settings(
        max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    for result in schemathesis.openapi.from_url(running.url + "/openapi.json").get_all_operations():
        operation = result.ok()
        try:
            cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode])
            bounded(given(cases)(ask))()
        except Unsatisfiable:  # nothing wrong can be sent where nothing is asked for
            assert operation.method == "get"
    print(statuses)
    assert statuses[200] > 20 if mode == "POSITIVE" else statuses[400] > 20


EDGES: dict[str, list[Any]] = {
    "temperature": [0, 5e-324, 1e-6, 1, 2],
    "top_p": [5e-324, 1e-9, 0.5, 1],
    "top_k": [-1, 0, 1, 2**31 - 1],
    "min_p": [0, 5e-324, 0.1, 1],
    "presence_penalty": [-2, 2],
    "frequency_penalty": [-2, 2],
    "repetition_penalty": [0.1, 1, 10],
    "logit_bias": [{}, {"0": -100, "295": 100, "280": 100}, {str(i): 100 for i in range(100)}],
    "seed": [-(2**63), 0, 2**63 - 1],
    "stop": [[], "a", ["\n", "é", "the cat"]],
    "n": [1, 3],
    "stream": [False, True],
    "logprobs_mode": ["raw", "sampled"],
}
TEXT_EDGES = {
    "prompt": ["", "\x00", "é→\U0001f600", [0], [295, 280], ["a", ""], [[5], [6, 7]], [7] * 512, "zqj " * 100],
    "max_tokens": [0, 1, 9, 10**6],
    "echo": [False, True],
    "logprobs": [0, 1, 20],
    "stop_token_ids": [[], [287], list(range(250))],
}
TOOL = {"type": "function", "function": {"name": "add"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["a", 1, None]}}}
CHAT_EDGES = {
    "messages": [
        [{"role": "user", "content": ""}],
        [{"role": "assistant", "content": "a"}],
        [{"role": "system", "content": "\x00"}, {"role": "user", "content": []}],
    ],
    "max_completion_tokens": [1, 9, 60],
    "logprobs": [False, True],
    "tools": [[], [TOOL]],
    "tool_choice": ["none", "auto"],
    "parallel_tool_calls": [False, True],
    "response_format": [{"type": "text"}, {"type": "json_object"}, FORMAT],
}


def drawn(edges: dict[str, list[Any]], required: str) -> st.SearchStrategy[dict[str, Any]]:
    optional = {name: st.sampled_from(values) for name, values in {**EDGES, **edges}.items()}
    return st.fixed_dictionaries({required: optional.pop(required)}, optional=optional)


@given(drawn(TEXT_EDGES, "prompt"))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_texts_at_the_bounds_of_every_field(running: Running, body: dict[str, Any]) -> None:
    answer = running.post("/v1/completions", {"model": MODEL, "max_tokens": 9, **body})
    if body.get("echo") and "logprobs" in body and body.get("stream"):
        assert answer.status_code == 400
    else:
        assert answer.status_code == 200 and "error" not in answer.text[:9], (body, answer.text)
        assert not body.get("stream") or answer.text.endswith("data: [DONE]\n\n")


@given(drawn(CHAT_EDGES, "messages"))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_chats_at_the_bounds_of_every_field(running: Running, body: dict[str, Any]) -> None:
    answer = running.post("/v1/chat/completions", {"model": MODEL, "max_tokens": 9, **body})
    assert answer.status_code == 200, (body, answer.text)
    assert not body.get("stream") or answer.text.endswith("data: [DONE]\n\n")
