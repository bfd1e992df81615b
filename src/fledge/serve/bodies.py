"""The bodies of requests that hold plain text or tokens."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from fledge.serve.fields import Body, SamplingFields, Text, TokenId, Unserved


def _kind(given: Any) -> str:
    first = given[0] if isinstance(given, list) and given else None
    if isinstance(given, list) and not isinstance(first, str | list):
        return "ids"
    return "text" if first is None else "texts" if isinstance(first, str) else "prompts"


Prompt = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[list[TokenId], Tag("ids")]
    | Annotated[list[Text], Tag("texts")]
    | Annotated[list[list[TokenId]], Tag("prompts")],
    Discriminator(_kind),
]


def prompts_of(given: Prompt) -> list[str | list[int]]:
    """One prompt or several, each a text or token ids."""
    if isinstance(given, str):
        return [given]
    several: list[str | list[int]] = [each for each in given if not isinstance(each, int)]
    return several or [[each for each in given if isinstance(each, int)]]


class CompletionBody(SamplingFields):
    unserved: ClassVar[Unserved] = {"suffix": ("",), "best_of": (1,), "prompt_embeds": ()}
    prompt: Prompt
    max_tokens: int | None = Field(None, ge=0)
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0)
    stop_token_ids: list[TokenId] | None = None


class EmbeddingBody(Body):
    unserved: ClassVar[Unserved] = {"dimensions": ()}
    model: str
    input: Prompt
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class DetokenizeBody(Body):
    model: str | None = None
    tokens: list[TokenId]
