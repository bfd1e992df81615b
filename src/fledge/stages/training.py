"""What pretraining and tuning share: progress, held-out bits per byte, samples, and the model at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fledge.evals.perplexity import bits_per_byte, texts_of_shards
from fledge.infer.engine import Engine
from fledge.infer.prompts import prompt_ids, reply_limits
from fledge.infer.request import GenerateRequest
from fledge.model.decoder import Decoder
from fledge.run.events import read_events
from fledge.run.progress import Progress
from fledge.run.ranks import leads
from fledge.stages.mirror import mirrored_checkpoints
from fledge.stages.table import StageContext
from fledge.stages.track import tracked
from fledge.tokens.stream import StreamDecoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.train.checkpoint import save_model
from fledge.train.config import TrainConfig
from fledge.train.loop import Callback, TrainState
from fledge.types import Conversation

HELDOUT_BYTES = 50_000
"""Held-out text of each source that is scored while training; the eval stage scores more."""
SAMPLE_TOKENS = 96


@contextmanager
def followed(context: StageContext) -> Iterator[list[Callback]]:
    """Around a training of ``context``: the callbacks of trackers and of the mirror, as far as they are asked for.

    Of several processes only the first has any.
    """

    if not leads():
        yield []
        return

    def say(line: str) -> None:
        print(f"{context.stage}: {line}", flush=True)

    with mirrored_checkpoints(context, say) as copies, tracked(context, say) as trackers:
        callbacks: list[Callback] = [*copies, *trackers]
        yield callbacks


class TrainingProgress:
    """Shows tokens, rate, time left and loss; the rate leaves out what earlier processes did."""

    def __init__(self, label: str, config: TrainConfig) -> None:
        self.label, self.config = label, config
        self.progress: Progress | None = None

    def __call__(self, state: TrainState) -> None:
        if self.progress is None:
            total = state.n_steps * self.config.batch_tokens
            self.progress = Progress(self.label, total, "tokens", start=state.tokens)
        elif not state.last:
            self.progress.update(state.tokens - self.progress.done, loss=state.metrics["loss"])
        if state.last:
            self.progress.done = state.tokens
            self.close()

    def close(self) -> None:
        """Show the last state; what is told after this, of an error too, stands below it."""
        progress, self.progress = self.progress, None
        if progress is not None:
            progress.__exit__(None, None, None)


def heldout_callback(config: TrainConfig, tokenizer: Tokenizer, sources: Mapping[str, Path]) -> Callback:
    """Writes ``heldout`` events: bits per byte of a fixed piece of each source's held-out documents."""
    texts = {name: texts_of_shards(path, HELDOUT_BYTES) for name, path in sorted(sources.items())}

    def measure(state: TrainState) -> None:
        if not state.due(config.eval_every):
            return
        engine = engine_of(state, config)
        for name, pieces in texts.items():
            result = bits_per_byte(engine, tokenizer, pieces, name)
            state.events.write("heldout", step=state.step, tokens=state.tokens, **result.to_dict())

    return measure


def sample_callback(config: TrainConfig, tokenizer: Tokenizer, prompts: Sequence[Conversation | str]) -> Callback:
    """Writes ``sample`` events: for each prompt the same seeded sample, with the probability of every token."""

    def sample(state: TrainState) -> None:
        if not state.due(config.sample_every):
            return
        engine = engine_of(state, config)
        requests = []
        for number, prompt in enumerate(prompts):
            stop_ids, forbidden_ids = reply_limits(tokenizer, prompt)
            ids = prompt_ids(tokenizer, prompt)
            requests.append(
                GenerateRequest(
                    ids,
                    max_tokens=SAMPLE_TOKENS,
                    temperature=0.8,
                    seed=number,
                    stop_ids=stop_ids,
                    forbidden_ids=forbidden_ids,
                )
            )
        for prompt, done in zip(prompts, engine.generate(requests), strict=True):
            state.events.write(
                "sample",
                step=state.step,
                tokens=state.tokens,
                prompt=prompt if isinstance(prompt, str) else prompt.messages[-1].content,
                text=tokenizer.decode([index for index in done.ids if index not in tokenizer.special.values()]),
                pieces=_pieces(tokenizer, done.ids),
                probabilities=[round(float(np.exp(logprob)), 4) for logprob in done.logprobs],
            )

    return sample


def _pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """The text that each token adds; a character of several tokens stands with the last of them."""
    decoder = StreamDecoder(tokenizer)
    pieces = [decoder.feed(index) for index in ids]
    if pieces:
        pieces[-1] += decoder.finish()
    return pieces


def engine_of(state: TrainState, config: TrainConfig) -> Engine:
    """An engine on the model under training; it shares the weights."""
    return Engine(policy_of(state), context_length=config.context_length)


def policy_of(state: TrainState) -> Decoder:
    model = state.models["policy"]
    assert isinstance(model, Decoder)
    return model


def save_final(
    model: Decoder,
    config: TrainConfig,
    tokenizer: Tokenizer,
    out: Path,
    eos: int,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Write ``out/model``, which runs as it is in Hugging Face's libraries and is what later stages read.

    ``before`` is what :func:`load_model` told of the model that it was made from: it takes rows as long as that one.
    """
    roles = tokenizer.vocabulary.roles
    told = before or {}
    length = told.get("max_position_embeddings") or told.get("context_length") or 0
    save_model(
        model,
        out / "model",
        context_length=max(config.context_length, length),
        bos=tokenizer.bos if "bos" in roles else None,
        eos=eos,
        pad=tokenizer.pad if "pad" in roles else None,
    )


def summary_of(state: TrainState) -> dict[str, Any]:
    """The key figures of a training; the loss is the last that was a number, None where there was none."""
    losses = (event["loss"] for event in read_events(state.events.path, "step"))
    last = deque((loss for loss in losses if loss is not None), maxlen=1)
    return {
        "steps": state.step,
        "tokens": state.tokens,
        "n_parameters": policy_of(state).config.n_parameters,
        "loss": last[0] if last else None,
        "tokens_per_second": state.tokens / max(state.seconds, 1e-9),
        "hardware": dict(vars(state.hardware)),
    }
