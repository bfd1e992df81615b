"""Who may ask, how much and how slowly, and what becomes of the requests of clients who leave."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from serving import MODEL, Running, serving

from fledge.infer.engine import Engine
from fledge.infer.request import GenerateRequest
from fledge.serve.config import Limits, ServeConfig
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

TEXT = "/v1/completions"
EOS = 281
LONG = {"model": MODEL, "prompt": "the", "max_tokens": 500, "logit_bias": {str(EOS): -100}}


def test_what_is_long_does_not_end_by_itself(tokenizer: Tokenizer) -> None:
    assert tokenizer.eos == EOS


@contextmanager
def connected(server: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def posted(server: Running, body: Any, *headers: str) -> bytes:
    data = json.dumps(body).encode()
    told = [
        f"POST {TEXT} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *headers,
    ]
    return "\r\n".join(told).encode() + b"\r\n\r\n" + data


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    return data


@pytest.fixture
def slow(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that takes 10 ms a step."""
    step = engine.step

    def slowly() -> Any:
        time.sleep(0.01)
        return step()

    monkeypatch.setattr(engine, "step", slowly)
    return engine


# ---------------------------------------------------------------- who may ask


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LocalHost:1234", 200),
        ("[::1]:80", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.1.7", 403),
        ("localhost@evil.example", 403),
        ("", 403),
    ],
)
def test_other_names_are_refused(running: Running, host: str, status: int) -> None:
    with connected(running) as connection:
        connection.sendall(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = read_all(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    if status == 403:
        assert b"--allowed-host" in answer


def test_a_request_without_a_host_is_refused(running: Running) -> None:
    for version, status in (("1.0", b"403"), ("1.1", b"400")):
        with connected(running) as connection:
            connection.sendall(f"GET /v1/models HTTP/{version}\r\n\r\n".encode())
            assert read_all(connection).split(b" ")[1] == status


def test_named_hosts_and_pages_of_others(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, allowed_hosts=("models.home",)) as server:
        assert httpx.get(server.url + "/health", headers={"host": "models.home"}).status_code == 200
        # no page of another site may read an answer, or send JSON at all
        origin = {"origin": "http://evil.example"}
        answer = httpx.get(server.url + "/v1/models", headers=origin)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        assert httpx.options(server.url + TEXT, headers=asked).status_code == 405


def test_the_key(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, api_key="sesame") as server:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "sesame"},
            {"authorization": "Bearer"},
        ):
            answer = httpx.get(server.url + "/v1/models", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
            assert "sesame" not in answer.text
        assert httpx.get(server.url + "/metrics").status_code == 401
        assert httpx.get(server.url + "/openapi.json").status_code == 401
        assert httpx.get(server.url + "/health").status_code == 200
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="sesame")
        assert client.models.list().data[0].id == MODEL
        with pytest.raises(openai.AuthenticationError, match="Authorization: Bearer KEY"):
            openai.OpenAI(base_url=server.url + "/v1", api_key="x").models.list()


def test_who_listens_beyond_the_loopback_needs_a_key() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(FledgeError, match="--api-key"):
            ServeConfig(MODEL, host=host)
        assert ServeConfig(MODEL, host=host, api_key="k").host == host
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert ServeConfig(MODEL, host=host).on_loopback
    outside = ServeConfig(MODEL, host="0.0.0.0", api_key="k", allowed_hosts=("Models.home",))
    assert outside.answers_to("192.168.1.7") and outside.answers_to("models.home")
    assert not outside.answers_to("evil.example") and not outside.answers_to("")
    for bad in ({"port": 70_000}, {"api_key": "a b"}, {"api_key": "schlüssel"}):
        with pytest.raises(FledgeError, match="--"):
            ServeConfig(MODEL, **bad)
    with pytest.raises(FledgeError, match="queue"):
        Limits(queue=-1)


# ---------------------------------------------------------------- how much, how slowly


def test_long_bodies(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, limits=Limits(body_bytes=2_000)) as server:
        headers = {"content-type": "application/json"}
        pieces = [b" " * 500] * 5
        for content in (b" " * 2_001, iter(pieces)):
            answer = httpx.post(server.url + TEXT, content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        body = json.dumps({"model": MODEL, "prompt": "a", "max_tokens": 1}).encode()
        for content in (body + b" " * (2_000 - len(body)), iter([body[:20], body[20:]])):
            assert httpx.post(server.url + TEXT, content=content, headers=headers).status_code == 200
        with connected(server) as connection:  # told to be long, and refused before it comes
            connection.sendall(posted(server, {}).replace(b"Content-Length: 2", b"Content-Length: 999999"))
            assert b" 413 " in read_all(connection)


def test_clients_that_stall(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, limits=Limits(body_seconds=0.4)) as server:
        whole = posted(server, LONG)
        for part in (whole[:-5], whole[:60], b"", b"GET / HTTP/1.1\r\nHost: x"):
            with connected(server) as connection:
                began = time.monotonic()
                connection.sendall(part)
                answer = read_all(connection)
                assert 0.3 < time.monotonic() - began < 10
                assert answer == b"" or (b" 408 " in answer and b"did not arrive within 0.4 s" in answer)
                assert bool(answer) == (part == whole[:-5])
        with connected(server) as connection:  # slowly, but in time
            connection.sendall(whole[:30])
            time.sleep(0.1)
            connection.sendall(whole[30:].replace(b"500", b"2  "))
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        with connected(server) as connection:  # the second request of a connection
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4_000)
            assert answer.startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /hea")
            began = time.monotonic()
            assert read_all(connection) == b""
            assert time.monotonic() - began < 10


def test_long_heads_and_nonsense(running: Running) -> None:
    for data in (
        b"GET /" + b"a" * 200_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000,
        b"\x00\x01\x02\r\n\r\n",
    ):
        with connected(running) as connection:
            try:
                connection.sendall(data)
                assert read_all(connection).startswith(b"HTTP/1.1 400")
            except (ConnectionResetError, BrokenPipeError):
                pass
    assert httpx.get(running.url + "/health").status_code == 200


def test_a_full_queue_answers_429(slow: Engine, tokenizer: Tokenizer) -> None:
    with serving(slow, tokenizer, limits=Limits(queue=2)) as server:
        answers: list[httpx.Response] = []
        ask = lambda: answers.append(server.post(TEXT, {**LONG, "max_tokens": 120}))  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * 6 + [429] * 4
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["type"] == "rate_limit_error"
        with pytest.raises(openai.RateLimitError):
            client = openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0)
            with client.completions.create(**LONG, n=6, stream=True):
                client.completions.create(**LONG)
        assert server.post(TEXT, {**LONG, "n": 7}).json()["error"]["param"] == "n"
        server.wait_until_idle()
        assert server.post(TEXT, {**LONG, "max_tokens": 2}).status_code == 200


def test_longer_completions_than_are_given_are_refused(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, limits=Limits(max_tokens=20)) as server:
        assert server.post(TEXT, {**LONG, "max_tokens": 20}).status_code == 200
        assert server.post(TEXT, {**LONG, "max_tokens": 21}).json()["error"]["param"] == "max_tokens"
        talk = {"model": MODEL, "messages": [{"role": "user", "content": "the"}], "logit_bias": {"287": -100}}
        assert server.post("/v1/chat/completions", talk).json()["usage"]["completion_tokens"] <= 20
        assert server.post("/v1/chat/completions", {**talk, "max_completion_tokens": 21}).status_code == 400


def test_a_completion_that_takes_too_long_is_ended(slow: Engine, tokenizer: Tokenizer) -> None:
    with serving(slow, tokenizer, limits=Limits(request_seconds=0.3)) as server:
        answer = server.post(TEXT, LONG)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
        assert answer.headers["x-should-retry"] == "false"
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0)
        with pytest.raises(openai.APIError, match=r"not done after 0\.3 s"):
            list(client.completions.create(**LONG, stream=True))
        server.wait_until_idle()


# ---------------------------------------------------------------- clients who leave


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_who_leaves_frees_its_places(slow: Engine, tokenizer: Tokenizer, stream: bool) -> None:
    with serving(slow, tokenizer) as server:
        with connected(server) as connection:
            connection.sendall(posted(server, {**LONG, "stream": stream, "n": 6}))
            until = time.monotonic() + 5
            while slow.n_running < 4 or slow.n_waiting < 2:
                assert time.monotonic() < until
                time.sleep(0.005)
            if stream:
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        server.wait_until_idle()
        assert time.monotonic() - began < 2.5  # 500 tokens would take 5 s
        assert server.metric('fledge_completions_total{outcome="cancelled"}') == 6


def test_a_reader_who_stops_reading_is_cut_off_and_keeps_nobody_waiting(engine: Engine, tokenizer: Tokenizer) -> None:
    with serving(engine, tokenizer, limits=Limits(stall_seconds=0.5), send_buffer=8_192) as server:
        with connected(server) as connection:
            connection.sendall(posted(server, {**LONG, "stream": True, "n": 3, "logprobs": 20}))
            assert connection.recv(10) == b"HTTP/1.1 2"
            began = time.monotonic()
            assert server.post(TEXT, {**LONG, "max_tokens": 5}).status_code == 200
            while server.server.guard.n_active:
                assert time.monotonic() - began < 10
                time.sleep(0.01)
            assert time.monotonic() - began > 0.4
            server.wait_until_idle()
            assert b"[DONE]" not in read_all(connection)
        assert server.metric('fledge_http_responses_total{path="/v1/completions",status="200"}') == 2


# ---------------------------------------------------------------- faults of the model


def test_a_failed_step_ends_what_ran_and_the_server_lives_on(
    engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = engine.step
    n_left = [0]

    def failing() -> Any:
        events = step()
        if n_left[0] and engine.n_running:
            n_left[0] -= 1
            if n_left[0] < 5:
                raise FledgeError("the model's logits are no numbers", fix="take an earlier checkpoint")
        return events

    monkeypatch.setattr(engine, "step", failing)
    with serving(engine, tokenizer) as server:
        n_left[0] = 10  # five tokens, then five failures
        answer = server.post(TEXT, LONG)
        assert answer.status_code == 500
        assert answer.json()["error"] == {
            "message": "the model failed: the model's logits are no numbers; take an earlier checkpoint",
            "type": "server_error",
            "param": None,
            "code": None,
        }
        n_left[0] = 1  # a failure before the first token is tried again
        first = server.post(TEXT, {**LONG, "temperature": 0, "max_tokens": 9})
        assert first.status_code == 200
        n_left[0] = 0
        second = server.post(TEXT, {**LONG, "temperature": 0, "max_tokens": 9})
        assert first.json()["choices"] == second.json()["choices"]
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0)
        n_left[0] = 9
        with pytest.raises(openai.APIError, match="logits are no numbers"):
            list(client.completions.create(**LONG, stream=True))
        assert server.metric('fledge_completions_total{outcome="failed"}') == 2
        n_left[0] = 0
        server.wait_until_idle()
        assert httpx.get(server.url + "/health").status_code == 200
    assert engine.generate([GenerateRequest([1], max_tokens=2)])[0].ids
