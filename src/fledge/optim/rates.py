"""The learning rates that follow from the size of model and batch. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.optim.config import OptimConfig

REFERENCE_WIDTH = 768
REFERENCE_BATCH_TOKENS = 524_288


@dataclass(frozen=True)
class Rates:
    """The highest learning rate of each group of parameters."""

    matrix: float
    embedding: float
    head: float
    norm: float


def learning_rates(config: OptimConfig, *, width: int, batch_tokens: int) -> Rates:
    """AdamW's rates of embeddings and head fall with √width, and all rates rise with √batch (nanochat's rules)."""
    batch = config.scale * (batch_tokens / REFERENCE_BATCH_TOKENS) ** 0.5
    wide = batch * (width / REFERENCE_WIDTH) ** -0.5
    return Rates(
        matrix=config.matrix_lr * batch,
        embedding=config.embedding_lr * wide,
        head=config.head_lr * wide,
        norm=config.norm_lr * batch,
    )
