"""The shape of a decoder: one dial, ``depth``, or every size by itself. No torch in here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fledge.types import FledgeError

WIDTH_PER_LAYER = 64
HEAD_DIM = 128
MAX_DEPTH = 1024
MOST = {
    "vocab_size": 2**24,
    "n_layers": 2**12,
    "d_model": 2**17,
    "n_heads": 2**16,
    "n_kv_heads": 2**16,
    "head_dim": 2**13,
    "d_ff": 2**20,
}
"""The greatest sizes that are taken: beyond all that was ever trained, and small enough to count with."""


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        bound = "at least 1" if value < 1 else f"at most {most}"
        raise FledgeError(f"{name} must be {bound}, got {value}", where=name)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a decoder that is exactly a Hugging Face ``Qwen3ForCausalLM``.

    ``d_model`` is the width of the residual stream, ``d_ff`` that of the gated MLP, ``head_dim`` that of one
    attention head; ``n_kv_heads`` divides ``n_heads`` (grouped-query attention).
    """

    vocab_size: int
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    tie_embeddings: bool = False

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            _check(name, getattr(self, name), most)
        if self.n_heads % self.n_kv_heads:
            raise FledgeError(
                f"n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})", where="n_kv_heads"
            )
        if self.head_dim % 2:
            raise FledgeError(f"head_dim must be even for rotary positions, got {self.head_dim}", where="head_dim")
        if not 0 < self.rope_theta < float("inf"):
            raise FledgeError(f"rope_theta must be positive, got {self.rope_theta}", where="rope_theta")

    @classmethod
    def from_depth(cls, depth: int, vocab_size: int, **overrides: Any) -> ModelConfig:
        """Derive every size from ``depth``; ``overrides`` that are not None replace derived values.

        Width is 64 per layer and heads are 128 wide (64 in a model narrower than 128), as in nanochat's dial; the
        gated MLP is 8/3 of the width, rounded up to a multiple of 64, which equals a plain 4× MLP in parameters.
        """
        _check("depth", depth, MAX_DEPTH)
        given = {name: value for name, value in overrides.items() if value is not None}
        d_model = int(given.get("d_model", WIDTH_PER_LAYER * depth))
        head_dim = int(given.get("head_dim", HEAD_DIM if d_model >= HEAD_DIM else 64))
        n_heads = int(given.get("n_heads", max(1, -(-d_model // head_dim))))
        derived: dict[str, Any] = {
            "n_layers": depth,
            "d_model": d_model,
            "n_heads": n_heads,
            "n_kv_heads": n_heads,
            "head_dim": head_dim,
            "d_ff": -(-8 * d_model // (3 * 64)) * 64,
        }
        return cls(vocab_size=vocab_size, **{**derived, **given})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of :meth:`to_dict`."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def n_block_parameters(self) -> int:
        """Parameters of the weight matrices inside the blocks."""
        attention = self.d_model * self.head_dim * 2 * (self.n_heads + self.n_kv_heads)
        return self.n_layers * (attention + 3 * self.d_model * self.d_ff)

    @property
    def n_matrix_parameters(self) -> int:
        """Block matrices and head: what multiplies every token, the count that scaling fits use best."""
        return self.n_block_parameters + self.vocab_size * self.d_model

    @property
    def n_parameters(self) -> int:
        """All trained parameters; tied embeddings count once."""
        norms = self.n_layers * (2 * self.d_model + 2 * self.head_dim) + self.d_model
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.d_model
        return self.n_matrix_parameters + embedding + norms

    @property
    def checkpoint_bytes(self) -> int:
        """Weights, Muon's momentum of the block matrices and AdamW's two moments of the rest, in float32."""
        return 4 * (3 * self.n_parameters - self.n_block_parameters)

    def flops_per_token(self, context: int) -> float:
        """Floating-point operations to train on one token: forward and backward, at ``context`` tokens a row.

        Six for each matrix parameter and 12 · layers · heads · head_dim · context for attention, without the causal
        saving: the convention of PaLM (arXiv 2204.02311, appendix B), so that utilisations compare with others'.
        """
        return 6.0 * self.n_matrix_parameters + 12.0 * self.n_layers * self.n_heads * self.head_dim * context

    def training_bytes(self, context: int, rows: int, compute_bytes: int = 4, keeps_pattern: bool = True) -> int:
        """Estimated peak memory to train on ``rows`` rows at once: masters, gradients, optimizer, activations.

        ``compute_bytes`` is the width of an activation; ``keeps_pattern`` says that attention stores its
        (rows, heads, context, context) weights, as explicit products do and fused kernels do not.
        """
        states = self.n_parameters * (4 + 4 + 8)
        attention = 2 * self.head_dim * (3 * self.n_heads + 2 * self.n_kv_heads)
        per_token = self.n_layers * compute_bytes * (6 * self.d_model + attention + 4 * self.d_ff)
        if keeps_pattern:
            per_token += self.n_layers * self.n_heads * context * (compute_bytes + 4)
        per_token += self.vocab_size * (4 + compute_bytes)
        return int(states + rows * context * per_token)

    def describe(self, context: int) -> dict[str, Any]:
        """Every size with what follows from it, for printing before training and for ``inspect``."""
        return {
            **self.to_dict(),
            "n_parameters": self.n_parameters,
            "n_matrix_parameters": self.n_matrix_parameters,
            "flops_per_token": self.flops_per_token(context),
            "state_bytes": self.n_parameters * 16,
        }
