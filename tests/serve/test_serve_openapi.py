"""The OpenAPI document is true, and no request that it allows, or nearly allows, makes the server fail."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
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
