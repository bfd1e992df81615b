"""Fledge as a user gets it: its own loop, hardware probe, document masks, events."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.task import Shape, Task

from fledge.model.decoder import Decoder
from fledge.run.flags import merge_flags, parse_flags
from fledge.run.settings import load
from fledge.tokens.shards import open_shards
from fledge.tokens.source import RowSource
from fledge.train.config import PretrainConfig
from fledge.train.cross_entropy import cross_entropy
from fledge.train.loop import Trainer, TrainState
from fledge.train.objective import TokenCrossEntropy
from fledge.types import Batch

MEAN_DOCUMENT = 120
OF_THE_BENCHMARK = ("own_shape",)
QUIET = {"checkpoint_every": 0, "eval_every": 0, "sample_every": 0, "log_spaced_checkpoints": False}


class PackedRows:
    """Random tokens in documents of ``MEAN_DOCUMENT`` tokens on average, a pure function of the step."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape, self.seed = shape, seed

    def batch(self, step: int) -> Batch:
        shape = self.shape
        rng = np.random.default_rng((self.seed, step))
        tokens = rng.integers(0, shape.vocab_size, (shape.rows, shape.context + 1), dtype=np.int32)
        starts = rng.random((shape.rows, shape.context)) < 1 / MEAN_DOCUMENT
        starts[:, 0] = True
        column = np.broadcast_to(np.arange(shape.context, dtype=np.int32), starts.shape)
        position = column - np.maximum.accumulate(np.where(starts, column, 0), axis=1)
        document = np.cumsum(starts, axis=1, dtype=np.int32) - 1
        weight = np.ones((shape.rows, shape.context), np.float32)
        weight[:, :-1][starts[:, 1:]] = 0.0  # the last token of a document does not foretell the next one
        return Batch(tokens[:, :-1], tokens[:, 1:], weight, position.astype(np.int32), document)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def settings_of(task: Task) -> PretrainConfig:
    """The settings of a pretraining of the task's shape; ``task.settings`` are dotted ones that win.

    With own_shape = yes the sizes are those that the dial gives at this depth; micro_batch_rows = all is the batch.
    """
    shape = task.shape
    given = {name: value for name, value in task.settings.items() if name not in OF_THE_BENCHMARK}
    own_shape = task.settings.get("own_shape") == "yes"
    same = {
        "d_model": shape.d_model,
        "n_heads": shape.n_heads,
        "head_dim": shape.d_model // shape.n_heads,
        "d_ff": shape.d_ff,
        "tie_embeddings": True,
    }
    data = {
        **QUIET,
        "depth": shape.n_layers,
        "model": {} if own_shape else same,
        "context_length": shape.context,
        "batch_tokens": shape.tokens,
        "tokens": shape.tokens * task.n_steps,
        "seed": task.seed,
    }
    if given.get("micro_batch_rows") == "all":
        given["micro_batch_rows"] = str(shape.rows)
    _, flags = parse_flags(PretrainConfig, [f"--{name}={value}" for name, value in given.items()])
    return load(PretrainConfig, merge_flags(PretrainConfig, data, flags))


class Enough(Exception):
    """Ends a training whose horizon is longer than what is to be timed."""


def train(task: Task, stepped: Callable[[float], bool], ready: Callable[[int, dict[str, Any]], None]) -> None:
    """Train by ``Trainer.fit``; ``stepped`` gets the seconds from one step's end to the next, and ends by True."""
    config = settings_of(task)
    model = Decoder(config.model_config(task.shape.vocab_size), seed=config.seed)
    clock = time.perf_counter()

    def after_step(state: TrainState) -> None:
        nonlocal clock
        if state.step == 0:
            chosen = {name: value for name, value in vars(state.hardware).items() if name != "reasons"}
            ready(sum(p.numel() for p in model.parameters()), chosen)
        elif stepped(time.perf_counter() - clock):
            raise Enough
        clock = time.perf_counter()

    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(config, Path(directory), n_steps=task.n_steps, tell=print)
        with contextlib.suppress(Enough):
            trainer.fit({"policy": model}, PackedRows(task.shape, task.seed), TokenCrossEntropy(), [after_step])


def learn(
    task: Task,
    after: Callable[[int, Callable[[Any, Any], Any]], None],
    ready: Callable[[int, dict[str, Any]], None],
) -> None:
    """Train on the token shards of the task to its horizon; ``after`` gets each step and each token's −ln p."""
    config = settings_of(task)
    model = Decoder(config.model_config(task.shape.vocab_size), seed=config.seed)
    rows = {"context": config.context_length, "batch_rows": config.batch_rows, "seed": config.seed}
    n_steps = config.n_steps()
    shards = {"text": open_shards(task.quality["shards"], verify=False)}
    source = RowSource(shards, **rows, n_steps=n_steps, max_repetition=1e9)

    @torch.no_grad()
    def nats(tokens: Any, targets: Any) -> Any:
        return cross_entropy(model(tokens), targets)[0]

    def after_step(state: TrainState) -> None:
        if state.step:
            after(state.step, nats)
        else:
            chosen = {name: value for name, value in vars(state.hardware).items() if name != "reasons"}
            ready(sum(p.numel() for p in model.parameters()), chosen)

    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(config, Path(directory), n_steps=n_steps, tell=print)
        objective = TokenCrossEntropy(config.z_loss, config.balance_loss if model.config.n_experts else 0.0)
        trainer.fit({"policy": model}, source, objective, [after_step])
