"""What a contestant is asked to train. Standard library only: the peers' Python reads it too."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Shape:
    """Sizes that all contestants share; ``rows`` of ``context`` tokens are one optimizer step."""

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    context: int
    vocab_size: int
    rows: int

    @property
    def tokens(self) -> int:
        """Tokens of one optimizer step."""
        return self.rows * self.context

    @property
    def d_ff(self) -> int:
        """Width of a gated MLP with as many parameters as a plain one of 4 × d_model."""
        return -(-8 * self.d_model // (3 * 64)) * 64


SHAPES = {
    "i": Shape("i", n_layers=6, d_model=384, n_heads=6, context=256, vocab_size=4096, rows=32),
    "ii": Shape("ii", n_layers=12, d_model=768, n_heads=12, context=512, vocab_size=50304, rows=4),
    "tiny": Shape("tiny", n_layers=2, d_model=64, n_heads=2, context=32, vocab_size=128, rows=4),
}


@dataclass(frozen=True)
class Task:
    """One child process: which contestant (``peer``), how, and for how long.

    ``best`` allows what a peer's own code has and does not take on a CPU by itself, such as fused AdamW. ``n_steps`` is
    the horizon of learning-rate schedules. Speed: ``warmup`` untimed steps after the first, then at least
    ``least_steps`` until ``seconds`` are over. ``place`` is the clone of a peer that has no package.
    """

    peer: str
    shape: Shape
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    best: bool = False
    seed: int = 0
    threads: int = 2
    n_steps: int = 100_000
    warmup: int = 1
    least_steps: int = 2
    seconds: float = 5.0
    place: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Task:
        values = json.loads(text)
        return cls(**{**values, "shape": Shape(**values["shape"])})


@dataclass(frozen=True)
class Peer:
    """A contestant that is ready to train.

    ``step(number, tokens, targets)`` does one optimizer step on int64 tensors (B, T) and gives the loss in nats;
    ``nats(tokens, targets)`` gives each token's −ln p, (B, T), without training.
    """

    n_parameters: int
    step: Callable[[int, Any, Any], float]
    nats: Callable[[Any, Any], Any]
    versions: dict[str, str]
