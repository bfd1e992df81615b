"""The body of a chat request."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from fledge.serve.fields import Body, SamplingFields, Text, Unserved

Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Schema = dict[str, Any]


class TextPart(Body):
    type: Literal["text"]
    text: Text


class CalledFunction(Body):
    name: Name
    arguments: Text


class ToolCall(Body):
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


def _kind(given: Any) -> str:
    return "parts" if isinstance(given, list) else "text"


Content = Annotated[Annotated[Text, Tag("text")] | Annotated[list[TextPart], Tag("parts")], Discriminator(_kind)]


class ChatMessage(Body):
    unserved: ClassVar[Unserved] = {"refusal": (), "audio": (), "function_call": (), "annotations": ([],)}
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: str | None = None
    reasoning_content: Text | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content)


class Function(Body):
    name: Name
    description: Text | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class Tool(Body):
    type: Literal["function"]
    function: Function


class FunctionName(Body):
    name: Name


class NamedTool(Body):
    type: Literal["function"]
    function: FunctionName


class JsonSchema(Body):
    name: str
    description: str | None = None
    schema_: Schema = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatBody(SamplingFields):
    unserved: ClassVar[Unserved] = {
        "audio": (),
        "modalities": (["text"],),
        "store": (False,),
        "prediction": (),
        "reasoning_effort": (),
        "service_tier": ("auto", "default"),
        "verbosity": (),
        "web_search_options": (),
        "functions": (),
        "function_call": (),
        "prompt_cache_key": (),
        "prompt_cache_retention": (),
        "safety_identifier": (),
        "moderation": (),
    }
    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0)
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class TokenizeBody(Body):
    """Either ``prompt`` or ``messages``."""

    model: str | None = None
    prompt: Text | None = None
    messages: list[ChatMessage] | None = Field(None, max_length=10_000)
    tools: list[Tool] | None = None
    add_special_tokens: bool | None = None
    add_generation_prompt: bool | None = None
    return_token_strs: bool | None = None
