"""The shape of a decoder: one dial, ``depth``, or every size by itself. No torch in here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from fledge.types import FledgeError

Norm = Literal["rms", "layer"]
MlpKind = Literal["swiglu", "relu2", "gelu"]
Biases = Literal["none", "qkv", "all"]
Position = Literal["rope", "learned"]

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
VALUE_GATE_WIDTH = 32
"""Leading dimensions of the residual stream that the gate of a value embedding reads."""


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        bound = "at least 1" if value < 1 else f"at most {most}"
        raise FledgeError(f"{name} must be {bound}, got {value}", where=name)


@dataclass(frozen=True)
class RopeScaling:
    """How rotary angles are stretched to rows longer than those first trained on.

    ``linear`` divides every frequency by ``factor`` (arXiv 2306.15595). ``llama3`` does so below a wavelength band that
    ``low_freq_factor`` and ``high_freq_factor`` cut out of ``original_max_positions``, and blends within it.
    """

    type: Literal["linear", "llama3"]
    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_positions: int = 8192


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and switches of a decoder; by default exactly a Hugging Face ``Qwen3ForCausalLM``.

    ``d_model`` is the width of the residual stream, ``d_ff`` that of the MLP, ``head_dim`` that of one attention head;
    ``n_kv_heads`` divides ``n_heads`` (grouped-query attention). ``mlp`` is gated (swiglu) or plain (relu2, gelu with
    the tanh approximation). ``attention_bias`` says which attention maps have a bias. Learned positions end at
    ``max_positions``. With a ``sliding_window`` a token sees itself and the window - 1 tokens before it; 0 is no limit.

    With ``n_experts`` every MLP is a mixture of gated experts, ``d_expert`` wide, of which each token uses
    ``n_active_experts``. ``logit_softcap`` (0 = off) bounds logits by cap · tanh(x / cap); ``value_embeddings`` adds
    gated embeddings of the token to the values of every other layer; ``residual_lambdas`` scales the residual stream
    and adds the scaled embedding before every block. Which of these runs elsewhere: ``model/targets.py``.
    """

    vocab_size: int
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    tie_embeddings: bool = False
    norm: Norm = "rms"
    mlp: MlpKind = "swiglu"
    mlp_bias: bool = False
    qk_norm: bool = True
    attention_bias: Biases = "none"
    position: Position = "rope"
    max_positions: int = 0
    rope_scaling: RopeScaling | None = None
    sliding_window: int = 0
    n_experts: int = 0
    n_active_experts: int = 0
    d_expert: int = 0
    logit_softcap: float = 0.0
    value_embeddings: bool = False
    residual_lambdas: bool = False

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            _check(name, getattr(self, name), most)
        if self.n_heads % self.n_kv_heads:
            raise FledgeError(
                f"n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})", where="n_kv_heads"
            )
        if self.position == "rope" and self.head_dim % 2:
            raise FledgeError(f"head_dim must be even for rotary positions, got {self.head_dim}", where="head_dim")
        if not 0 < self.rope_theta < float("inf"):
            raise FledgeError(f"rope_theta must be positive, got {self.rope_theta}", where="rope_theta")
        for name in ("sliding_window", "logit_softcap", "n_experts"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise FledgeError(f"{name} must not be negative, got {getattr(self, name)}", where=name)
        if self.position == "learned":
            _check("max_positions", self.max_positions, 2**24)
        if self.n_experts:
            _check("n_experts", self.n_experts, 2**14)
            _check("n_active_experts", self.n_active_experts, self.n_experts)
            _check("d_expert", self.d_expert, MOST["d_ff"])
            if self.mlp != "swiglu" or self.mlp_bias:
                raise FledgeError(f"experts are swiglu without bias, got mlp = {self.mlp}", where="mlp")

    @classmethod
    def from_depth(cls, depth: int, vocab_size: int, **overrides: Any) -> ModelConfig:
        """Derive every size from ``depth``; ``overrides`` that are not None replace derived values.

        Width is 64 per layer and heads are 128 wide (64 in a model narrower than 128), as in nanochat's dial; a gated
        MLP is 8/3 of the width, rounded up to a multiple of 64, which equals a plain MLP, 4 times as wide, in
        parameters. Of experts two are active, and together as wide as the MLP would be.
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
            "d_ff": -(-8 * d_model // (3 * 64)) * 64 if given.get("mlp", "swiglu") == "swiglu" else 4 * d_model,
        }
        if given.get("n_experts"):
            active = int(given.get("n_active_experts", min(2, given["n_experts"])))
            width = int(given.get("d_ff", derived["d_ff"])) // max(1, active)
            derived |= {"n_active_experts": active, "d_expert": -(-width // 32) * 32}
        return cls(vocab_size=vocab_size, **{**derived, **given})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of :meth:`to_dict`; what an older version did not store has its default."""
        values = dict(values)
        if "rms_norm_eps" in values:
            values["norm_eps"] = values.pop("rms_norm_eps")
        if isinstance(values.get("rope_scaling"), dict):
            values["rope_scaling"] = RopeScaling(**values["rope_scaling"])
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def has_value_embedding(self, layer: int) -> bool:
        """Whether ``layer`` adds value embeddings: every other one, the last among them."""
        return self.value_embeddings and layer % 2 == (self.n_layers - 1) % 2

    @property
    def n_value_embeddings(self) -> int:
        return sum(map(self.has_value_embedding, range(self.n_layers)))

    @property
    def _mlp_matrices(self) -> int:
        return 3 if self.mlp == "swiglu" else 2

    def _block_matrices(self, experts: int) -> int:
        """Parameters of all matrices inside the blocks, of ``experts`` experts in each mixture."""
        attention = self.d_model * self.head_dim * 2 * (self.n_heads + self.n_kv_heads)
        mlp = self._mlp_matrices * self.d_model * self.d_ff
        if self.n_experts:
            mlp = self.d_model * self.n_experts + 3 * experts * self.d_model * self.d_expert
        gates = self.n_value_embeddings * self.n_kv_heads * min(VALUE_GATE_WIDTH, self.d_model)
        return self.n_layers * (attention + mlp) + gates

    @property
    def n_block_parameters(self) -> int:
        """Parameters of the weight matrices inside the blocks that a token passes: of experts, the active ones."""
        return self._block_matrices(self.n_active_experts)

    @property
    def n_matrix_parameters(self) -> int:
        """Block matrices and head: what multiplies every token, the count that scaling fits use best."""
        return self.n_block_parameters + self.vocab_size * self.d_model

    @property
    def n_parameters(self) -> int:
        """All trained parameters; tied embeddings count once, experts whether active or not."""
        kv_width = self.n_kv_heads * self.head_dim
        norms = (2 * self.n_layers + 1) * self.d_model * (2 if self.norm == "layer" else 1)
        norms += self.n_layers * 2 * self.head_dim if self.qk_norm else 0
        biases = {"none": 0, "qkv": 2 * kv_width, "all": 2 * kv_width + self.d_model}[self.attention_bias]
        biases += self.n_heads * self.head_dim if self.attention_bias != "none" else 0
        biases += (self._mlp_matrices - 1) * self.d_ff + self.d_model if self.mlp_bias else 0
        tables = self.vocab_size * self.d_model * (1 if self.tie_embeddings else 2)
        tables += self.max_positions * self.d_model if self.position == "learned" else 0
        tables += self.n_value_embeddings * self.vocab_size * kv_width
        lambdas = 2 * self.n_layers if self.residual_lambdas else 0
        return self._block_matrices(self.n_experts) + norms + self.n_layers * biases + tables + lambdas

    @property
    def n_active_parameters(self) -> int:
        """Parameters that one token uses: all but the experts that it was not sent to."""
        idle = self.n_experts - self.n_active_experts
        return self.n_parameters - self.n_layers * idle * 3 * self.d_model * self.d_expert

    def n_moments(self, *, muon: bool = True) -> int:
        """Numbers that the optimizer keeps: one a parameter of the block matrices if Muon moves them, else two."""
        return 2 * self.n_parameters - (self._block_matrices(self.n_experts) if muon else 0)

    def checkpoint_bytes(self, *, muon: bool = True) -> int:
        """Weights and what the optimizer keeps, in float32."""
        return 4 * (self.n_parameters + self.n_moments(muon=muon))

    def flops_per_token(self, context: int) -> float:
        """Floating-point operations to train on one token: forward and backward, at ``context`` tokens a row.

        Six for each matrix parameter that the token passes and 12 · layers · heads · head_dim · context for attention
        (at most the window), without the causal saving: the convention of PaLM (arXiv 2204.02311, appendix B), so
        that utilisations compare with others'.
        """
        seen = min(context, self.sliding_window or context)
        return 6.0 * self.n_matrix_parameters + 12.0 * self.n_layers * self.n_heads * self.head_dim * seen

    def training_bytes(self, context: int, rows: int, compute_bytes: int = 4, keeps_pattern: bool = True) -> int:
        """Estimated peak memory to train on ``rows`` rows at once: masters, gradients, optimizer, activations.

        ``compute_bytes`` is the width of an activation; ``keeps_pattern`` says that attention stores its
        (rows, heads, context, context) weights, as explicit products do and fused kernels do not.
        """
        states = self.n_parameters * (4 + 4 + 8)
        attention = 2 * self.head_dim * (3 * self.n_heads + 2 * self.n_kv_heads)
        hidden = self.n_active_experts * (self.d_expert + self.d_model) if self.n_experts else self.d_ff
        per_token = self.n_layers * compute_bytes * (6 * self.d_model + attention + 4 * hidden)
        if keeps_pattern:
            per_token += self.n_layers * self.n_heads * context * (compute_bytes + 4)
        per_token += self.vocab_size * (4 + compute_bytes)
        return int(states + rows * context * per_token)

    def describe(self, context: int) -> dict[str, Any]:
        """Every size with what follows from it, for printing before training and for ``inspect``."""
        return {
            **self.to_dict(),
            "n_parameters": self.n_parameters,
            "n_active_parameters": self.n_active_parameters,
            "n_matrix_parameters": self.n_matrix_parameters,
            "flops_per_token": self.flops_per_token(context),
            "state_bytes": self.n_parameters * 16,
        }
