"""Settings of the optimizer. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.run.settings import setting
from fledge.types import FledgeError


@dataclass(frozen=True)
class OptimConfig:
    """Muon for the matrices of the blocks and AdamW for the rest, or AdamW at one rate for everything.

    The rates are the best found at depths 2 to 6 and batches of 8,192 tokens. Those of matrices, embeddings and head
    are stated for a width of 768: they fall with √width, see ``rates.py``. ``scale`` and the schedule multiply all.
    """

    kind: Literal["muon", "adamw"] = setting("muon", "what moves the block matrices")
    scale: float = setting(1.0, "multiplies every learning rate")
    matrix_lr: float = setting(0.02, "learning rate of the block matrices (Muon), at width 768")
    embedding_lr: float = setting(
        0.1, "learning rate of embeddings (AdamW), at width 768; tokens tied to the head take head_lr"
    )
    head_lr: float = setting(0.01, "learning rate of the output head (AdamW), at width 768")
    norm_lr: float = setting(0.01, "learning rate of the norm weights (AdamW)")
    adamw_lr: float = setting(0.001, "learning rate of all parameters where kind is adamw")
    weight_decay: float = setting(0.1, "decoupled weight decay of the block matrices, as a share of the learning rate")
    momentum: float = setting(0.95, "Muon's Nesterov momentum")
    beta1: float = setting(0.8, "AdamW's decay of the mean gradient")
    beta2: float = setting(0.95, "AdamW's decay of the squared gradient")
    eps: float = setting(1e-10, "AdamW's epsilon")
    newton_schulz_steps: int = setting(5, "iterations that orthogonalise Muon's update")

    @property
    def muon(self) -> bool:
        """Whether Muon moves the block matrices."""
        return self.kind == "muon"

    def __post_init__(self) -> None:
        for name in ("scale", "matrix_lr", "embedding_lr", "head_lr", "norm_lr", "adamw_lr", "weight_decay", "eps"):
            if getattr(self, name) < 0:
                raise FledgeError(f"{name} must not be negative, got {getattr(self, name)}", where=name)
        for name in ("momentum", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise FledgeError(f"{name} must lie in [0, 1), got {getattr(self, name)}", where=name)
        if not 1 <= self.newton_schulz_steps <= 20:
            raise FledgeError(
                f"newton_schulz_steps must lie in 1 to 20, got {self.newton_schulz_steps}", where="newton_schulz_steps"
            )
