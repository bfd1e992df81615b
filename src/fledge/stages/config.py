"""Settings of a whole recipe, and of the stages that belong to no other room. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.run.settings import setting
from fledge.types import FledgeError

Tracker = Literal["trackio", "wandb", "tensorboard"]


@dataclass(frozen=True)
class TrackConfig:
    """Where the curves of a training are shown beside its own ``events.jsonl``, which stays the truth."""

    to: tuple[Tracker, ...] = setting((), "trackers: trackio, wandb, tensorboard, any number of them")
    project: str = setting("", "project in the tracker; the recipe's name if empty")
    every: int = setting(1, "steps between deliveries to the trackers; no point is left out")

    def __post_init__(self) -> None:
        if self.every < 1:
            raise FledgeError(f"every must be at least 1, got {self.every}", where="every")
        if len(set(self.to)) < len(self.to):
            raise FledgeError(f"names a tracker twice: {', '.join(self.to)}", where="to")


@dataclass(frozen=True)
class ToolsConfig:
    """What the assistant learns of its tools, the calculator and search."""

    n_conversations: int = setting(3_000, "conversations for tuning in which tools are offered")

    def __post_init__(self) -> None:
        if self.n_conversations < 0:
            raise FledgeError(f"must not be negative, got {self.n_conversations}", where="n_conversations")


NO_TRACKERS = TrackConfig()
