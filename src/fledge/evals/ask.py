"""From a task's requests to a model's answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fledge.infer.engine import Engine
from fledge.infer.environments import ToolLoop, run_episodes
from fledge.infer.prompts import prompt_ids, reply_limits, reply_text
from fledge.infer.request import GenerateRequest
from fledge.infer.tools.toolbox import Toolbox
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Answer, FledgeError, Request


@dataclass(frozen=True)
class Unanswerable:
    """A request that this model cannot take, and why; its example is excluded and counted."""

    reason: str


def ask(
    engine: Engine,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    *,
    seed: int = 0,
    max_tokens: int = 0,
    toolbox: Toolbox | None = None,
) -> list[Answer | Unanswerable]:
    """Answer every request, generations and scores each in one batched call; ``max_tokens`` 0 is no further limit.

    Sampled answers depend on ``seed`` and the request, not on its place among the others. With a ``toolbox`` the calls
    of a conversation that offers tools are carried out, and it goes on with their results; ``max_tokens`` then holds
    for each of its turns, and the temperature must be 0. One that never comes to an end has no text.
    """
    answers: list[Answer | Unanswerable] = [Unanswerable("not asked")] * len(requests)
    to_generate: list[tuple[int, GenerateRequest]] = []
    to_score: list[tuple[int, list[int], int]] = []
    with_tools: list[tuple[int, GenerateRequest]] = []
    for i, request in enumerate(requests):
        try:
            if request.kind == "generate":
                generation = _generation(engine, tokenizer, request, seed, max_tokens)
                offers = toolbox is not None and not isinstance(request.prompt, str) and request.prompt.tools
                if offers and request.temperature:
                    raise FledgeError("what offers tools is asked at temperature 0")
                (with_tools if offers else to_generate).append((i, generation))
            else:
                ids, n_scored = continuation_ids(tokenizer, request, engine.context_length)
                to_score.append((i, ids, n_scored))
        except FledgeError as error:
            answers[i] = Unanswerable(str(error))
    completions = engine.generate([request for _, request in to_generate])
    for (i, _), completion in zip(to_generate, completions, strict=True):
        text = reply_text(tokenizer, requests[i].prompt, completion.ids)
        answers[i] = Answer(text, float(np.sum(completion.logprobs, dtype=np.float64)), len(completion.ids))
    if toolbox is not None:
        for i, answer in _with_tools(engine, tokenizer, requests, with_tools, toolbox):
            answers[i] = answer
    scores = engine.logprobs([ids for _, ids, _ in to_score])
    for (i, _, n_scored), logprobs in zip(to_score, scores, strict=True):
        answers[i] = Answer("", float(logprobs[len(logprobs) - n_scored :].sum(dtype=np.float64)), n_scored)
    return answers


def _with_tools(
    engine: Engine,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    asked: Sequence[tuple[int, GenerateRequest]],
    toolbox: Toolbox,
) -> Iterator[tuple[int, Answer]]:
    """The answers of conversations that offer tools; all of one length limit run together."""
    for limit in sorted({generation.max_tokens for _, generation in asked}):
        chosen = [(i, generation) for i, generation in asked if generation.max_tokens == limit]
        loops = []
        for i, _ in chosen:
            prompt = requests[i].prompt
            assert not isinstance(prompt, str)
            loops.append(ToolLoop(tokenizer, prompt, toolbox.session()))
        episodes = run_episodes(engine, loops, chosen[0][1])
        for (i, _), loop, episode in zip(chosen, loops, episodes, strict=True):
            logprob, n_tokens = float(np.sum(episode.behavior_logp, dtype=np.float64)), int(sum(episode.weight))
            said = loop.said.content if episode.finish_reason == "done" else ""  # else it still waits for a result
            yield i, Answer(said, logprob, n_tokens, tuple(loop.calls))


def continuation_ids(tokenizer: Tokenizer, request: Request, context_length: int) -> tuple[list[int], int]:
    """Ids of prompt and continuation, and how many of them, at the end, are the continuation's.

    Spaces at the end of a text prompt go to the continuation, where words carry them. A prompt too long for the
    context loses its beginning and keeps its first token (bos); a continuation too long raises FledgeError.
    """
    prompt, continuation = request.prompt, request.continuation
    if isinstance(prompt, str):
        kept = prompt.rstrip(" ")
        prompt, continuation = kept, prompt[len(kept) :] + continuation
    before, after = prompt_ids(tokenizer, prompt), tokenizer.encode(continuation)
    if not after:
        raise FledgeError("the continuation is empty")
    excess = len(before) + len(after) - (context_length + 1)
    if excess > len(before) - 1:
        raise FledgeError(f"the continuation has {len(after)} tokens and the model reads {context_length}")
    if excess > 0:
        before = before[:1] + before[1 + excess :]
    return before + after, len(after)


def _generation(engine: Engine, tokenizer: Tokenizer, request: Request, seed: int, max_tokens: int) -> GenerateRequest:
    """A text too long for the context loses its beginning, as in scoring; a conversation raises FledgeError."""
    ids = prompt_ids(tokenizer, request.prompt)
    wanted = min(request.max_tokens, max_tokens or request.max_tokens)
    room = max(engine.context_length + 1 - wanted, engine.context_length // 2)
    if isinstance(request.prompt, str) and len(ids) > room:
        ids = ids[:1] + ids[len(ids) - room + 1 :]
    if len(ids) > engine.context_length:
        raise FledgeError(f"the prompt has {len(ids)} tokens and the model reads {engine.context_length}")
    stop_ids, forbidden_ids = reply_limits(tokenizer, request.prompt)
    digest = hashlib.sha256(f"{seed} {ids}".encode()).digest()
    return GenerateRequest(
        ids,
        max_tokens=wanted,
        temperature=request.temperature,
        seed=int.from_bytes(digest[:8], "little"),
        stop_ids=stop_ids,
        forbidden_ids=forbidden_ids,
    )
