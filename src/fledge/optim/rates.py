"""The learning rates that follow from the width of the model. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.optim.config import OptimConfig

REFERENCE_WIDTH = 768


@dataclass(frozen=True)
class Rates:
    """The highest learning rate of each group of parameters."""

    matrix: float
    token: float
    embedding: float
    head: float
    norm: float


def learning_rates(config: OptimConfig, *, width: int, tied: bool = False) -> Rates:
    """The settings times ``scale``; all but those of norms also fall with √width.

    Token embeddings that are the head too (``tied``) take the head's, whose weights they have the size of.

    nanochat's rule has that for embeddings and head. For the matrices it is what was found from depth 2 to 6, where the
    width is 64 times the depth (docs/log.md). Where AdamW moves the matrices too, there is one rate for all.
    The batch does not enter: the rule lr ∝ √batch, from the 524,288 tokens that the known recipes use down to 8,192,
    gave rates ten times below the best.
    """
    if not config.muon:
        one = config.adamw_lr * config.scale
        return Rates(one, one, one, one, one)
    wide = config.scale * (width / REFERENCE_WIDTH) ** -0.5
    return Rates(
        matrix=config.matrix_lr * wide,
        token=(config.head_lr if tied else config.embedding_lr) * wide,
        embedding=config.embedding_lr * wide,
        head=config.head_lr * wide,
        norm=config.norm_lr * config.scale,
    )
