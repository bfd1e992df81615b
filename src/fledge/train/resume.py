"""Where a training goes on: what it takes from the newest good checkpoint, and what it writes into the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fledge.model.weights import load_weights
from fledge.run.events import cut_events_after
from fledge.run.manifest import CHECKPOINTS, EVENTS_NAME
from fledge.train.batches import Source
from fledge.train.checkpoint import (
    Checkpoint,
    Snapshot,
    latest_checkpoint,
    load_checkpoint,
    remove_old,
    rng_state,
    set_rng_state,
    weights_file,
    write_checkpoint,
)
from fledge.train.config import TrainConfig
from fledge.train.mesh import World
from fledge.types import FledgeError


def resume(
    directory: Path,
    config: TrainConfig,
    n_steps: int,
    models: Mapping[str, nn.Module],
    source: Source,
    world: World,
    tell: Callable[[str], None],
) -> Checkpoint | None:
    """Fill whole ``models`` and ``source`` from the newest good checkpoint and cut off the events that came after it.

    None, with the seed set, where there is no checkpoint. Every process reads the files by itself.
    """
    newest = world.once(lambda: _newest(directory, tell))
    if newest is None:
        torch.manual_seed(config.seed)
        return None
    checkpoint = load_checkpoint(Path(newest))
    if checkpoint.state["n_steps"] != n_steps:
        raise FledgeError(
            f"was made for {checkpoint.state['n_steps']} steps, not {n_steps}",
            where=newest,
            fix="choose another directory, or remove this one",
        )
    for name, model in models.items():
        load_weights(model, checkpoint.tensors[weights_file(name)], newest)
    source.load_state_dict(checkpoint.state["source"])
    set_rng_state(checkpoint.state["rng"])
    world.once(lambda: _cut_events(directory, checkpoint.step))
    return checkpoint


def _newest(directory: Path, tell: Callable[[str], None]) -> str | None:
    path = latest_checkpoint(directory / CHECKPOINTS, tell, set_aside=True)
    if path is None:
        _cut_events(directory, -1)
    return None if path is None else str(path)


def _cut_events(directory: Path, step: int) -> None:
    if (directory / EVENTS_NAME).exists():
        cut_events_after(directory / EVENTS_NAME, step)


def state_body(n_steps: int, tokens: int, seconds: float, source: Source) -> dict[str, Any]:
    """What ``state.json`` holds beside the step, the models' sizes and the checksums."""
    return {
        "n_steps": n_steps,
        "tokens": tokens,
        "seconds": seconds,
        "source": source.state_dict(),
        "rng": rng_state(),
    }


def checkpoint_due(config: TrainConfig, step: int, n_steps: int) -> bool:
    """Whether a checkpoint is made after ``step`` steps."""
    log_spaced = config.log_spaced_checkpoints and step & (step - 1) == 0
    regular = config.checkpoint_every > 0 and step % config.checkpoint_every == 0
    return step == n_steps or log_spaced or regular or step in config.checkpoint_steps


def write_and_retain(directory: Path, config: TrainConfig, snapshot: Snapshot) -> None:
    """Write a checkpoint and, when it is whole, remove those that are no longer kept."""
    write_checkpoint(directory / CHECKPOINTS, snapshot)
    chosen = {*config.checkpoint_steps, snapshot.step}
    remove_old(directory / CHECKPOINTS, config.keep, config.log_spaced_checkpoints, chosen)
