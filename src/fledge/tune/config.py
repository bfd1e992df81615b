"""Settings of tuning. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.optim.config import OptimConfig
from fledge.run.settings import setting
from fledge.train.config import TrainConfig
from fledge.types import FledgeError


@dataclass(frozen=True)
class SftConfig(TrainConfig):
    """Supervised tuning on conversations. ``tokens = 0`` means ``epochs`` passes over them."""

    epochs: float = setting(2.0, "passes over the conversations, where tokens is 0")
    conversations: tuple[str, ...] = setting((), "JSONL files of conversations beside the recipe's own")
    optim: OptimConfig = setting(OptimConfig(scale=0.2, matrix_lr=0.03, embedding_lr=0.003, head_lr=0.001), "optimizer")
    warmup: float = setting(0.05, "share of the steps in which the learning rate rises")
    decay: float = setting(0.5, "share of the steps, at the end, in which the learning rate falls")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs <= 0:
            raise FledgeError(f"epochs must be positive, got {self.epochs}", where="epochs")
