"""Bad input of every kind: the status, the field that is named, and what is said. Nothing of it stays behind."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from serving import MODEL, Running

TEXT = "/v1/completions"
CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "3"}
SCHEMA = "response_format.json_schema.schema"


def text(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "prompt": "the", "max_tokens": 2, **fields}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [USER], "max_tokens": 2, **fields}


def schema(value: Any) -> dict[str, Any]:
    return chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": value}})


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "add", **fields}}


ROWS: list[tuple[str, Any, int, str | None, str]] = [
    # what a prompt may be
    (TEXT, text(prompt=[]), 400, "prompt", "the prompt is empty"),
    (TEXT, text(prompt=[[]]), 400, "prompt", "the prompt is empty"),
    (TEXT, text(prompt=[[1], []]), 400, "prompt", "the prompt is empty"),
    (TEXT, text(prompt=3), 400, "prompt", "valid string"),
    (TEXT, text(prompt=None), 400, "prompt", "valid string"),
    (TEXT, text(prompt=[1, "a"]), 400, "prompt.1", "valid integer"),
    (TEXT, text(prompt=["a", 1]), 400, "prompt.1", "valid string"),
    (TEXT, text(prompt=[1, -1]), 400, "prompt.1", "greater than or equal to 0"),
    (TEXT, text(prompt=[10**6]), 400, "prompt", "token 1000000 is outside the vocabulary"),
    (TEXT, text(prompt=[1] * 513), 400, "prompt", "the prompt has 513 tokens and the model reads 512; shorten it"),
    (TEXT, text(prompt="zqj" * 400), 400, "prompt", "the model reads 512"),
    (TEXT, text(prompt=["a"] * 129), 400, "prompt", "129 completions in one request; at most 128"),
    (TEXT, text(prompt="zqj" * 100_000), 400, "prompt", "tokens and the model reads 512"),
    (CHAT, chat(messages=[USER, {**USER, "content": "zqj" * 100_000}]), 400, "messages", "the prompt has more than"),
    (EMBED, {"model": MODEL, "input": "zqj" * 100_000}, 400, "input", "the prompt has more than"),
    (CHAT, chat(messages=[{"role": "user", "content": "zqj" * 400}]), 400, "messages", "the model reads 512"),
    (EMBED, {"model": MODEL, "input": ""}, 400, "input", "the prompt is empty"),
    (EMBED, {"model": MODEL, "input": []}, 400, "input", "the prompt is empty"),
    (EMBED, {"model": MODEL, "input": ["a"] * 129}, 400, "input", "129 texts"),
    (EMBED, {"model": MODEL, "input": "a", "dimensions": 3}, 400, "dimensions", "not served"),
    # the model
    (TEXT, text(model="gpt"), 404, "model", "there is no model 'gpt' here"),
    (CHAT, chat(model="gpt"), 404, "model", "there is no model 'gpt' here"),
    (EMBED, {"model": "gpt", "input": "a"}, 404, "model", "there is no model"),
    (TEXT, {"prompt": "a"}, 400, "model", "model is missing"),
    # fields that are not served, and such as nobody knows
    (TEXT, text(suffix="x"), 400, "suffix", "suffix is not served here"),
    (TEXT, text(best_of=3), 400, "best_of", "not served"),
    (TEXT, text(colour="red"), 400, "colour", "colour is not known here"),
    (CHAT, chat(modalities=["text", "audio"]), 400, "modalities", "not served"),
    (CHAT, chat(audio={"voice": "x"}), 400, "audio", "not served"),
    (CHAT, chat(store=True), 400, "store", "not served"),
    (CHAT, chat(functions=[]), 400, "functions", "not served"),
    (CHAT, chat(stream=True, stream_options={"x": 1}), 400, "stream_options.x", "not known"),
    (CHAT, chat(stream_options={"include_usage": True}), 400, "stream_options", "for streams"),
    # values out of bounds
    (TEXT, text(temperature=-1), 400, "temperature", "greater than or equal to 0"),
    (TEXT, text(temperature=2.1), 400, "temperature", "less than or equal to 2"),
    (TEXT, text(temperature="hot"), 400, "temperature", "valid number"),
    (TEXT, text(temperature=True), 400, "temperature", "valid number"),
    (TEXT, text(top_p=0), 400, "top_p", "greater than 0"),
    (TEXT, text(repetition_penalty=5e-324), 400, "repetition_penalty", "greater than or equal to 0.1"),
    (TEXT, text(n=0), 400, "n", "greater than or equal to 1"),
    (TEXT, text(n=129), 400, "n", "at most 128"),
    (TEXT, text(n=65, prompt=["a", "b"]), 400, "n", "130 completions in one request"),
    (TEXT, text(n=True), 400, "n", "valid integer"),
    (TEXT, text(max_tokens=-1), 400, "max_tokens", "greater than or equal to 0"),
    (CHAT, chat(max_tokens=0), 400, "max_tokens", "greater than or equal to 1"),
    (TEXT, text(max_tokens=1.5), 400, "max_tokens", "valid integer"),
    (TEXT, text(logprobs=21), 400, "logprobs", "at most 20"),
    (TEXT, text(echo=True, logprobs=1, stream=True), 400, "stream", "not streamed"),
    (CHAT, chat(top_logprobs=2), 400, "top_logprobs", "needs logprobs: true"),
    (CHAT, chat(logprobs=True, top_logprobs=21), 400, "top_logprobs", "at most 20"),
    (TEXT, text(seed=2**70), 400, "seed", "less than"),
    (TEXT, text(stop=""), 400, "stop", "not empty"),
    (TEXT, text(stop=["a"] * 17), 400, "stop", "up to 16"),
    (TEXT, text(stop="a" * 257), 400, "stop", "at most 256"),
    (TEXT, text(logit_bias={"x": 1}), 400, "logit_bias", "no token of the vocabulary"),
    (TEXT, text(logit_bias={"99999": 1}), 400, "logit_bias", "no token of the vocabulary"),
    (TEXT, text(logit_bias={"١": 1}), 400, "logit_bias", "no token of the vocabulary"),
    (TEXT, text(logit_bias={"1": 101}), 400, "logit_bias.1", "less than or equal to 100"),
    (TEXT, text(logit_bias={str(i): 1 for i in range(1025)}), 400, "logit_bias", "at most 1024"),
    (TEXT, text(stop_token_ids=[99999]), 400, "stop_token_ids", "outside the vocabulary"),
    # messages
    (CHAT, chat(messages=[]), 400, "messages", "at least 1 item"),
    (CHAT, chat(messages="hi"), 400, "messages", "valid list"),
    (CHAT, chat(messages=[{"role": "robot", "content": "a"}]), 400, "messages.0.role", "'system'"),
    (CHAT, chat(messages=[{"role": "user"}]), 400, "messages.0.content", "missing"),
    (CHAT, chat(messages=[{**USER, "content": [{"type": "image_url"}]}]), 400, "messages.0.content.0.type", "'text'"),
    (CHAT, chat(messages=[{**USER, "name": "ann"}]), 400, "messages.0.name", "not served"),
    (CHAT, chat(messages=[{**USER, "tool_calls": [CALL]}]), 400, "messages.0.tool_calls", "role assistant"),
    (
        CHAT,
        chat(messages=[USER, {"role": "tool", "tool_call_id": "c9", "content": "3"}]),
        400,
        "messages.1.tool_call_id",
        "c9",
    ),
    (CHAT, chat(messages=[{"role": "assistant", "tool_calls": [CALL]}, USER]), 400, "messages.1", "has no result"),
    (
        CHAT,
        chat(messages=[{"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "a", "arguments": "[]"}}]}]),
        400,
        "messages.0.tool_calls.0.function.arguments",
        "the JSON of an object",
    ),
    # tools and schemas
    (CHAT, chat(tools=[tool(), tool()]), 400, "tools", "the same name"),
    (CHAT, chat(tools=[tool(name="a b")]), 400, "tools.0.function.name", "pattern"),
    (CHAT, chat(tools=[tool(parameters={"type": "string"})]), 400, "tools", "must be a schema of type object"),
    (CHAT, chat(tools=[tool()], tool_choice=tool(name="sub")), 400, "tool_choice", "there is no tool 'sub'"),
    (CHAT, chat(tool_choice="required"), 400, "tool_choice", "no tools to choose from"),
    (CHAT, chat(tools=[tool()], tool_choice="maybe"), 400, "tool_choice", "'none', 'auto' or 'required'"),
    (CHAT, chat(response_format={"type": "xml"}), 400, "response_format.type", "'json_schema'"),
    (CHAT, chat(response_format={"type": "json_schema"}), 400, "response_format.json_schema", "is missing"),
    (CHAT, schema({"type": "nope"}), 400, SCHEMA, "Invalid type: nope"),
    (
        CHAT,
        schema({"type": "integer", "minimum": 5, "maximum": 3}),
        400,
        "response_format.json_schema.schema",
        "Unsatisfiable",
    ),
    (CHAT, schema({"not": {}}), 400, SCHEMA, "Unimplemented keys"),
    (CHAT, schema({"type": "string", "pattern": "("}), 400, SCHEMA, "regex"),
    (CHAT, schema({"enum": ["x" * 70_000]}), 400, SCHEMA, "at most 65536"),
    (
        CHAT,
        chat(tools=[tool(parameters={"type": "object", "properties": {"a": {"type": "nope"}}})]),
        400,
        "tools",
        "Invalid type: nope",
    ),
    # the other endpoints
    ("/tokenize", {}, 400, "prompt", "either prompt or messages"),
    ("/tokenize", {"prompt": "a", "messages": [USER]}, 400, "prompt", "either prompt or messages"),
    ("/detokenize", {"tokens": [99999]}, 400, "tokens", "outside the vocabulary"),
    ("/detokenize", {"tokens": "a"}, 400, "tokens", "valid list"),
    ("/v1/nowhere", {}, 404, None, "there is no /v1/nowhere here"),
    ("/v1/models", {}, 405, None, "POST is not taken here"),
]


@pytest.mark.parametrize(("path", "body", "status", "param", "message"), ROWS)
def test_each_fault_is_told(
    running: Running, path: str, body: Any, status: int, param: str | None, message: str
) -> None:
    answer = running.post(path, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error
    assert message in error["message"] and "\n" not in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert running.server.guard.driver.n_open == 0


def test_faults_of_a_stream_are_answers_not_events(running: Running) -> None:
    for path, body in ((TEXT, text(prompt=[10**6])), (CHAT, schema({"type": "nope"}))):
        answer = running.post(path, {**body, "stream": True})
        assert answer.status_code == 400 and answer.headers["content-type"] == "application/json"


RAW: list[tuple[bytes, str]] = [
    (b"", "the body is missing"),
    (b"{", "not valid JSON"),
    (b"[]", "valid dictionary"),
    (b"nul", "not valid JSON"),
    (b'{"model": "tiny", "prompt": "\\ud800"}', "not valid JSON"),
    (b'{"model": "tiny", "prompt": "\\ude00\\ud83d"}', "not valid JSON"),
    (b'{"model": "tiny", "prompt": "\xed\xa0\x80"}', "not valid JSON"),
    (b'{"model": "tiny", "prompt": "\xff"}', "not valid JSON"),
    (b'{"model": "tiny", "prompt": "a", "temperature": NaN}', "not valid JSON"),
    (b'{"model": "tiny", "prompt": "a", "temperature": 1e999}', "finite number"),
    (b'{"model": "tiny", "prompt": "a", "seed": ' + b"9" * 5000 + b"}", "not valid JSON"),
    (b'{"model": "tiny", "prompt": ' + b"[" * 100_000, "not valid JSON"),
    (b'{"a":' * 50_000, "not valid JSON"),
]


@pytest.mark.parametrize(("data", "message"), RAW)
def test_bodies_that_are_no_json(running: Running, data: bytes, message: str) -> None:
    answer = httpx.post(running.url + TEXT, content=data, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]["message"]


def test_only_json_is_taken(running: Running) -> None:
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}):
        answer = httpx.post(running.url + TEXT, content=json.dumps(text()).encode(), headers=headers)
        assert answer.status_code == 415
        assert "application/json" in answer.json()["error"]["message"]


def test_fields_left_at_what_they_say_are_taken(running: Running) -> None:
    fields = {"store": False, "modalities": ["text"], "audio": None, "functions": None, "service_tier": "auto"}
    message = {**USER, "name": None, "refusal": None, "annotations": [], "tool_calls": None}
    answer = running.post(CHAT, chat(messages=[message], user="ann", metadata={"a": "b"}, **fields))
    assert answer.status_code == 200, answer.text
    answer = running.post(TEXT, text(suffix=None, best_of=1, logprobs=None, stop=None, n=None, user="ann"))
    assert answer.status_code == 200, answer.text


def test_an_empty_text_begins_a_new_document(running: Running) -> None:
    answer = running.post(TEXT, text(prompt="", seed=1)).json()
    assert answer["usage"]["prompt_tokens"] == 1
    assert len(answer["choices"][0]["text"]) > 0


def test_a_schema_that_proves_impossible_ends_its_own_request_alone(running: Running) -> None:
    """So many optional keys that the grammar gives up, but only inside of the list."""
    wide = {"type": "object", "properties": {f"k{i}": {"type": "integer"} for i in range(1500)}}
    body = schema({"type": "array", "items": wide, "minItems": 2})
    with ThreadPoolExecutor(2) as pool:
        companion = pool.submit(running.post, CHAT, chat(max_tokens=400, n=4, seed=1))
        answer = running.post(CHAT, {**body, "max_tokens": 50})
    assert answer.status_code == 400
    assert "the constraint cannot be followed: Parser Error" in answer.json()["error"]["message"]
    assert companion.result().status_code == 200
    assert running.server.guard.driver.n_open == 0
