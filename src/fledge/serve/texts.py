"""Embeddings, and what the tokenizer does: the endpoints that sample nothing."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any

import numpy as np
from fastapi import Body, Depends

from fledge.serve.bodies import DetokenizeBody, EmbeddingBody, prompts_of
from fledge.serve.chat_body import TokenizeBody
from fledge.serve.conversation import conversation, tool_lines
from fledge.serve.errors import ApiError, refused
from fledge.serve.served import Served, served_by
from fledge.tokens import jinja
from fledge.tokens.huggingface import tokenizer_config
from fledge.tokens.templates import ForeignTemplate
from fledge.types import FledgeError


async def create_embeddings(
    body: Annotated[EmbeddingBody, Body()], served: Annotated[Served, Depends(served_by)]
) -> dict[str, Any]:
    """The mean of the model's last states over each text, of length 1."""
    served.check_model(body.model)
    inputs = prompts_of(body.input)
    if len(inputs) > served.config.limits.choices:
        raise ApiError(400, f"{len(inputs)} texts; at most {served.config.limits.choices} at once", param="input")
    sequences = await asyncio.to_thread(lambda: [_ids(served, each) for each in inputs])
    data = []
    for index, ids in enumerate(sequences):
        # one by one, so that completions go on in between
        (state,) = await served.driver.call(lambda ids=ids: served.driver.engine.embed([ids]))  # type: ignore[misc]
        if not np.isfinite(state).all():
            raise ApiError(500, "the model's states are no numbers")
        vector = (state / max(float(np.linalg.norm(state)), 1e-12)).astype("<f4")
        told: Any = vector.tolist()
        if body.encoding_format == "base64":
            told = base64.b64encode(vector.tobytes()).decode()
        data.append({"object": "embedding", "index": index, "embedding": told})
    n_tokens = sum(map(len, sequences))
    return {
        "object": "list",
        "data": data,
        "model": served.config.model,
        "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens},
    }


def _ids(served: Served, given: str | list[int]) -> list[int]:
    ids = served.ids_of(given, "input")
    if given == "":
        ids = []
    served.check_prompt(ids, "input")
    return ids


async def tokenize(
    body: Annotated[TokenizeBody, Body()], served: Annotated[Served, Depends(served_by)]
) -> dict[str, Any]:
    served.check_model(body.model)
    if (body.prompt is None) == (body.messages is None):
        raise ApiError(400, "either prompt or messages was expected", param="prompt")
    try:
        ids = await asyncio.to_thread(_tokenized, served, body)
    except FledgeError as error:
        raise refused(error, "prompt" if body.messages is None else "messages") from None
    texts = [served.text_of(index) for index in ids] if body.return_token_strs else None
    return {"count": len(ids), "max_model_len": served.context_length, "tokens": ids, "token_strs": texts}


def _tokenized(served: Served, body: TokenizeBody) -> list[int]:
    tokenizer = served.tokenizer
    if body.messages is not None:
        talk = conversation(body.messages, tool_lines(body.tools or ()))
        return tokenizer.render(talk, add_generation_prompt=body.add_generation_prompt is not False).ids
    text = body.prompt or ""
    opening = [] if body.add_special_tokens is False else tokenizer.opening
    # a text is never a special token; who asks for the id of one sends nothing else
    return [*opening, *([tokenizer.special[text]] if text in tokenizer.special else tokenizer.encode(text))]


async def detokenize(
    body: Annotated[DetokenizeBody, Body()], served: Annotated[Served, Depends(served_by)]
) -> dict[str, Any]:
    served.check_model(body.model)
    served.check_tokens(body.tokens, "tokens")
    return {"prompt": served.tokenizer.decode(body.tokens)}


async def tokenizer_info(served: Annotated[Served, Depends(served_by)]) -> dict[str, Any]:
    """As ``tokenizer_config.json`` has it."""
    vocabulary = served.tokenizer.vocabulary
    config = tokenizer_config(vocabulary, served.context_length)
    template = served.tokenizer.template
    if isinstance(template, ForeignTemplate):
        config["chat_template"] = jinja.written(template, vocabulary.special, vocabulary.roles.get("bos", ""))
    return {**config, "vocab_size": served.tokenizer.vocab_size, "special_tokens": dict(vocabulary.special)}
