"""The bodies of requests that hold plain text or tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fledge.serve.fields import Body, SamplingFields, Text, TokenId

Prompt = Text | list[TokenId] | list[Text] | list[list[TokenId]]


def prompts_of(given: Prompt) -> list[str | list[int]]:
    """One prompt or several, each a text or token ids."""
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [given]  # type: ignore[list-item]
    return list(given) or [[]]  # type: ignore[arg-type]


class CompletionBody(SamplingFields):
    unserved = {"suffix": ("",), "best_of": (1,), "prompt_embeds": ()}
    prompt: Prompt
    max_tokens: int | None = Field(None, ge=0)
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0)
    stop_token_ids: list[TokenId] | None = None


class EmbeddingBody(Body):
    unserved = {"dimensions": ()}
    model: str
    input: Prompt
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class DetokenizeBody(Body):
    model: str | None = None
    tokens: list[TokenId]
