"""``/v1/chat/completions`` through the openai client: replies, thinking, calls of tools, JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field
from serving import MODEL, Running

from fledge.infer.engine import Engine
from fledge.infer.prompts import prompt_ids, reply_limits
from fledge.infer.request import GenerateRequest
from fledge.infer.tools.tool import describe
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Message

ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "adds",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"$ref": "#/$defs/small"}},
            "required": ["a", "b"],
            "additionalProperties": False,
            "$defs": {"small": {"type": "integer", "minimum": 0, "maximum": 9}},
        },
    },
}
NOW: dict[str, Any] = {"type": "function", "function": {"name": "now"}}
USER = {"role": "user", "content": "the cat"}


def call_bias(tokenizer: Tokenizer, *names: str, weight: int = 100) -> dict[str, int]:
    """Makes the model write these special tokens wherever they may come."""
    return {str(tokenizer.special[name]): weight for name in names}


def test_a_reply_is_the_engines(client: openai.OpenAI, direct: Engine, tokenizer: Tokenizer) -> None:
    messages = [
        {"role": "system", "content": "be a cat"},
        {"role": "user", "content": [{"type": "text", "text": "the "}, {"type": "text", "text": "cat"}]},
        {"role": "assistant", "content": "mat", "reasoning_content": "hm"},
        {"role": "user", "content": "dog"},
    ]
    talk = Conversation(
        (
            Message("system", "be a cat"),
            Message("user", "the cat"),
            Message("assistant", "mat", "hm"),
            Message("user", "dog"),
        )
    )
    stops, forbidden = reply_limits(tokenizer, talk)
    forbidden += (tokenizer.special["<|tool_call|>"], tokenizer.special["<|/tool_call|>"])
    request = GenerateRequest(prompt_ids(tokenizer, talk), 20, 1.0, seed=8, stop_ids=stops, forbidden_ids=forbidden)
    expected = direct.generate([request])[0]
    reply = tokenizer.parse_reply(expected.ids)
    given = client.chat.completions.create(
        model=MODEL, messages=messages, max_completion_tokens=20, seed=8, logprobs=True, top_logprobs=2
    )
    choice = given.choices[0]
    assert (choice.message.content, choice.finish_reason) == (reply.content, expected.finish_reason)
    assert getattr(choice.message, "reasoning_content", "") == reply.thinking
    assert choice.logprobs is not None and choice.logprobs.content is not None
    assert [entry.logprob for entry in choice.logprobs.content] == pytest.approx(
        [token.raw_logprob for token in expected.tokens], abs=1e-4
    )
    assert [bytes(entry.bytes or ()) for entry in choice.logprobs.content] == [
        tokenizer.token_bytes[index] for index in expected.ids
    ]
    assert all(len(entry.top_logprobs) == 2 for entry in choice.logprobs.content)
    assert given.usage is not None and given.usage.prompt_tokens == len(request.ids)


def test_streams_join_to_the_whole(client: openai.OpenAI) -> None:
    settings: dict[str, Any] = {"model": MODEL, "messages": [USER], "max_tokens": 30, "seed": 3, "n": 3}
    whole = client.chat.completions.create(**settings)
    told = ["", "", ""]
    reasons: dict[int, str] = {}
    roles = []
    stream = client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        for choice in chunk.choices:
            told[choice.index] += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    assert told == [choice.message.content for choice in whole.choices]
    assert len(set(told)) == 3
    assert list(map(reasons.get, range(3))) == [choice.finish_reason for choice in whole.choices]
    assert roles == ["assistant"] * 3
    assert chunk.usage is not None and whole.usage is not None
    assert chunk.usage.completion_tokens == whole.usage.completion_tokens


def test_thinking_goes_to_reasoning_content(client: openai.OpenAI, tokenizer: Tokenizer) -> None:
    bias = call_bias(tokenizer, "<|think|>", "<|/think|>", weight=8)
    settings: dict[str, Any] = {"model": MODEL, "messages": [USER], "max_tokens": 60, "logit_bias": bias}
    for seed in range(9):
        message = client.chat.completions.create(**settings, seed=seed).choices[0].message
        if getattr(message, "reasoning_content", "") and message.content:
            break
    else:
        raise AssertionError("no seed gave both")
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**settings, seed=seed, stream=True)]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == message.reasoning_content
    assert "".join(delta.content or "" for delta in deltas) == message.content
    assert "<|" not in message.content


def valid(call: Any) -> bool:
    arguments = json.loads(call.function.arguments)
    if call.function.name == "now":
        return isinstance(arguments, dict)
    return set(arguments) == {"a", "b"} and 0 <= arguments["a"] <= 99 and 0 <= arguments["b"] <= 9


@pytest.mark.parametrize("seed", range(3))
def test_required_and_named_tools_are_called_validly(client: openai.OpenAI, seed: int) -> None:
    settings: dict[str, Any] = {"model": MODEL, "messages": [USER], "seed": seed, "max_tokens": 200}
    named = {"type": "function", "function": {"name": "add"}}
    choice = client.chat.completions.create(**settings, tools=[NOW, ADD], tool_choice=named).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert [call.function.name for call in choice.message.tool_calls] == ["add"]
    assert all(map(valid, choice.message.tool_calls))
    choice = client.chat.completions.create(
        **settings, tools=[ADD], tool_choice="required", parallel_tool_calls=False
    ).choices[0]
    assert choice.finish_reason == "tool_calls" and len(choice.message.tool_calls) == 1
    assert valid(choice.message.tool_calls[0])


def test_auto_calls_are_valid_and_streamed(client: openai.OpenAI, tokenizer: Tokenizer) -> None:
    bias = call_bias(tokenizer, "<|tool_call|>", weight=9) | call_bias(tokenizer, "<|end|>", weight=9)
    settings: dict[str, Any] = {"model": MODEL, "messages": [USER], "max_tokens": 300, "logit_bias": bias}
    n_calls = 0
    for seed in range(6):
        whole = client.chat.completions.create(**settings, seed=seed, tools=[ADD]).choices[0]
        calls = whole.message.tool_calls or []
        n_calls += len(calls)
        assert all(map(valid, calls))
        assert whole.finish_reason == ("tool_calls" if calls else "stop")
        content, streamed, reason = "", {}, None
        for chunk in client.chat.completions.create(**settings, seed=seed, tools=[ADD], stream=True):
            delta = chunk.choices[0].delta
            content += delta.content or ""
            reason = chunk.choices[0].finish_reason or reason
            for call in delta.tool_calls or []:
                assert call.id and call.type == "function"
                streamed[call.index] = (call.function.name, call.function.arguments)
        assert (content or None, reason) == (whole.message.content or None, whole.finish_reason)
        assert list(streamed.values()) == [(call.function.name, call.function.arguments) for call in calls]
    assert n_calls > 1


def test_no_tool_is_called_where_none_may_be(client: openai.OpenAI, tokenizer: Tokenizer) -> None:
    bias = call_bias(tokenizer, "<|tool_call|>", "<|/tool_call|>")
    for options in ({}, {"tools": [ADD], "tool_choice": "none"}):
        message = (
            client.chat.completions.create(
                model=MODEL, messages=[USER], max_tokens=20, seed=1, logit_bias=bias, **options
            )
            .choices[0]
            .message
        )
        assert message.tool_calls is None and message.content


def test_results_of_tools_come_back_in_the_order_of_the_calls(
    running: Running, tokenizer: Tokenizer, client: openai.OpenAI
) -> None:
    called = [
        {"id": f"c{i}", "type": "function", "function": {"name": "add", "arguments": f'{{"a":{i}}}'}} for i in (1, 2)
    ]
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": called},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
    ]
    told = running.post("/tokenize", {"messages": messages, "tools": [ADD]}).json()
    lines = tuple(json.dumps({"name": "add", "arguments": {"a": i}}) for i in (1, 2))
    turns = (
        Message("user", "the cat"),
        Message("assistant", "", "", lines),
        Message("tool", "one"),
        Message("tool", "two"),
    )
    talk = Conversation(turns, (describe(ADD["function"]),))
    assert told["tokens"] == prompt_ids(tokenizer, talk)
    reply = client.chat.completions.create(model=MODEL, messages=messages, tools=[ADD], max_tokens=5)
    assert reply.usage is not None and reply.usage.prompt_tokens == told["count"]


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "age": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("stream", [False, True])
def test_json_of_a_schema(client: openai.OpenAI, stream: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    for seed in range(3):
        given = client.chat.completions.create(
            model=MODEL, messages=[USER], response_format=wanted, seed=seed, max_tokens=300, stream=stream
        )
        if stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in given)
        else:
            text = given.choices[0].message.content
        person = json.loads(text)
        assert set(person) == {"name", "age"} and 0 <= person["age"] <= 9


def test_any_json_object(client: openai.OpenAI, tokenizer: Tokenizer) -> None:
    bias = {str(i): 12 for i, data in enumerate(tokenizer.token_bytes) if data in (b"}", b'"')}
    given = client.chat.completions.create(
        model=MODEL,
        messages=[USER],
        response_format={"type": "json_object"},
        seed=1,
        max_tokens=300,
        logit_bias=bias,
    )
    assert isinstance(json.loads(given.choices[0].message.content or ""), dict)


def test_json_beside_tools(client: openai.OpenAI) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    for seed in range(3):
        choice = client.chat.completions.create(
            model=MODEL, messages=[USER], response_format=wanted, seed=seed, max_tokens=300, tools=[ADD]
        ).choices[0]
        if choice.message.tool_calls:
            assert all(map(valid, choice.message.tool_calls))
        else:
            assert set(json.loads(choice.message.content)) == {"name", "age"}


class Person(BaseModel):
    name: Literal["Ann", "Bob"]
    age: Annotated[int, Field(ge=0, le=9)]


def test_the_clients_own_ways_of_parsing(client: openai.OpenAI) -> None:
    settings: dict[str, Any] = {"model": MODEL, "messages": [USER], "seed": 1, "max_tokens": 200}
    parsed = client.chat.completions.parse(**settings, response_format=Person).choices[0].message.parsed
    assert isinstance(parsed, Person)
    with client.chat.completions.stream(**settings, response_format=Person) as stream:
        kinds = {event.type for event in stream}
        assert stream.get_final_completion().choices[0].message.parsed == parsed
    assert {"content.delta", "content.done"} <= kinds
    with client.chat.completions.stream(
        **settings, tools=[openai.pydantic_function_tool(Person)], tool_choice="required", parallel_tool_calls=False
    ) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, Person)


def test_many_at_once_from_the_asynchronous_client(running: Running) -> None:
    async def ask() -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=running.url + "/v1", api_key="x", max_retries=0) as client:

            async def one(seed: int) -> str | None:
                given = await client.chat.completions.create(model=MODEL, messages=[USER], seed=seed, max_tokens=30)
                return given.choices[0].message.content

            left = await client.chat.completions.create(model=MODEL, messages=[USER], stream=True)
            async for _ in left:
                break
            await left.close()
            return await asyncio.gather(*map(one, [*range(20), *range(20)]))

    texts = asyncio.run(ask())
    assert texts[:20] == texts[20:] and len(set(texts)) == 20
    running.wait_until_idle()
