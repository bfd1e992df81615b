"""Settings of training. No torch in here."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from fledge.model.config import Biases, MlpKind, ModelConfig, Norm, Position
from fledge.model.config_json import read_config
from fledge.optim.config import OptimConfig
from fledge.run.files import read_json
from fledge.run.settings import setting
from fledge.types import FledgeError

CONFIG = "config.json"
TOKENS_PER_PARAMETER = 12
BATCH_TOKENS, AT_TOKENS, BATCH_EXPONENT = 8192, 2.5e6, 0.383
MOST_BATCH_TOKENS = 2**20
MAX_SEED = 2**63
MIN_CHUNK_TOKENS = 512
CHUNK_LOGITS = 2**22


def chunk_tokens(vocab_size: int) -> int:
    """Tokens whose logits the loss holds at once: 4 million logits, of 512 tokens at least."""
    return max(MIN_CHUNK_TOKENS, CHUNK_LOGITS // vocab_size)


def best_batch_tokens(tokens: float, context_length: int) -> int:
    """Tokens a step for a training on ``tokens``, in whole rows: 8,192 up to 6 million tokens, and more for more.

    It grows as the horizon to the power of 0.383 (Bergsma et al., arXiv 2505.13738), in powers of two.
    """
    grown = BATCH_TOKENS * (tokens / AT_TOKENS) ** BATCH_EXPONENT
    power = 2 ** round(math.log2(min(max(grown, BATCH_TOKENS), MOST_BATCH_TOKENS)))
    return max(1, power // context_length) * context_length


@dataclass(frozen=True)
class TrainConfig:
    """What every trained stage shares. Batch and budget are in tokens: cutting the work up never changes the result."""

    context_length: int = setting(256, "tokens a row")
    batch_tokens: int = setting(BATCH_TOKENS, "tokens an optimizer step, a multiple of context_length")
    tokens: int = setting(0, "tokens to train on in all; 0 = the stage's own rule")
    seed: int = setting(0, "seed of initial weights and of the order of rows")
    optim: OptimConfig = setting(OptimConfig(), "optimizer")
    warmup: float = setting(0.01, "share of the steps in which the learning rate rises")
    decay: float = setting(0.65, "share of the steps, at the end, in which the learning rate falls")
    final_lr: float = setting(0.05, "learning rate at the last step, as a share of the highest")
    clip: float = setting(0.0, "largest gradient norm; 0 = never clip (the norm is logged anyway)")
    z_loss: float = setting(0.0, "weight of the squared log-normaliser, which keeps logits small")
    balance_loss: float = setting(0.01, "weight of the loss that spreads tokens evenly over experts, if there are any")
    micro_batch_rows: int = setting(0, "rows in one forward pass; 0 = as many as the memory holds")
    precision: Literal["auto", "bf16", "fp32"] = setting("auto", "arithmetic; auto = the faster by a short measurement")
    compile: Literal["auto", "on", "off"] = setting("auto", "torch.compile; auto = if it works and the run repays it")
    attention: Literal["auto", "products", "sdpa"] = setting("auto", "attention kernel; auto = the faster")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps")
    threads: int = setting(0, "processor threads; 0 = as many as a product runs fastest on")
    reuse_buffers: Literal["auto", "on", "off"] = setting(
        "auto", "keep freed memory for the next step; auto = where fresh memory is slower"
    )
    eval_every: int = setting(
        250, "steps between measurements on held-out rows; 0 = only at the end", affects_result=False
    )
    sample_every: int = setting(250, "steps between samples; 0 = only at the end", affects_result=False)
    checkpoint_every: int = setting(
        250, "steps between checkpoints; 0 = only log-spaced ones and the last", affects_result=False
    )
    log_spaced_checkpoints: bool = setting(
        True, "also save at steps 1, 2, 4, 8, … and keep these for good", affects_result=False
    )
    checkpoint_steps: tuple[int, ...] = setting(
        (), "also save at these steps and keep these for good", affects_result=False
    )
    background_checkpoints: bool = setting(
        True, "copy what a checkpoint holds and write it while training goes on", affects_result=False
    )
    keep: int = setting(2, "newest checkpoints kept beside the log-spaced and the chosen ones", affects_result=False)
    parallel: Literal["auto", "ddp", "fsdp"] = setting(
        "auto",
        "with several processes: whole weights in each (ddp) or parts (fsdp); auto = ddp where they fit",
        affects_result=False,
    )
    recompute: bool = setting(
        False, "compute each block again for its gradient instead of keeping what it needs", affects_result=False
    )
    watchdog_seconds: float = setting(
        1800.0,
        "seconds without a step that end training with all stacks, four times as many at first; 0 = never",
        affects_result=False,
    )
    max_bad_steps: int = setting(
        3, "steps in a row with a loss that is no number before training stops", affects_result=False
    )

    def __post_init__(self) -> None:
        least_batch = 0 if isinstance(self, PretrainConfig) else 1
        for name, least in (("context_length", 2), ("batch_tokens", least_batch), ("keep", 1), ("max_bad_steps", 1)):
            if getattr(self, name) < least:
                raise FledgeError(f"{name} must be at least {least}, got {getattr(self, name)}", where=name)
        if not -MAX_SEED <= self.seed < MAX_SEED:
            raise FledgeError(f"seed must lie between {-MAX_SEED} and {MAX_SEED - 1}, got {self.seed}", where="seed")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise FledgeError(f"there is no device {self.device!r}", where="device", fix="use auto, cpu, cuda or mps")
        for name in (
            "tokens",
            "micro_batch_rows",
            "threads",
            "eval_every",
            "sample_every",
            "checkpoint_every",
            "watchdog_seconds",
        ):
            if getattr(self, name) < 0:
                raise FledgeError(f"{name} must not be negative, got {getattr(self, name)}", where=name)
        if self.batch_tokens % self.context_length:
            raise FledgeError(
                f"batch_tokens ({self.batch_tokens}) must be a multiple of context_length ({self.context_length})",
                where="batch_tokens",
            )
        if self.micro_batch_rows and self.batch_rows % self.micro_batch_rows:
            raise FledgeError(
                f"micro_batch_rows ({self.micro_batch_rows}) must divide the {self.batch_rows} rows of a batch",
                where="micro_batch_rows",
            )
        for name in ("warmup", "decay", "final_lr"):
            if not 0 <= getattr(self, name) <= 1:
                raise FledgeError(f"{name} is a share from 0 to 1, got {getattr(self, name)}", where=name)
        if self.warmup + self.decay > 1:
            raise FledgeError(f"warmup and decay add up to {self.warmup + self.decay:g}, more than 1", where="decay")

    @property
    def batch_rows(self) -> int:
        """Rows of an optimizer step."""
        return self.batch_tokens // self.context_length

    def n_steps(self) -> int:
        """Optimizer steps that ``tokens`` pay for, at least one."""
        assert self.batch_tokens, "a batch by the horizon: ask for_model first"
        return max(1, self.tokens // self.batch_tokens)


@dataclass(frozen=True)
class ModelOverrides:
    """Sizes that replace what ``depth`` derives; None = derived."""

    d_model: int | None = setting(None, "width of the residual stream")
    n_heads: int | None = setting(None, "attention heads")
    n_kv_heads: int | None = setting(None, "key and value heads; fewer than n_heads = grouped-query attention")
    head_dim: int | None = setting(None, "width of one head")
    d_ff: int | None = setting(None, "width of the MLP")
    rope_theta: float | None = setting(None, "base of the rotary positions")
    tie_embeddings: bool | None = setting(None, "one matrix for embeddings and output head")
    norm: Norm | None = setting(None, "root-mean-square or layer normalisation")
    mlp: MlpKind | None = setting(None, "gated (swiglu) or plain (relu2, gelu) feed-forward layer")
    mlp_bias: bool | None = setting(None, "biases in the MLP")
    qk_norm: bool | None = setting(None, "normalise queries and keys of each head")
    attention_bias: Biases | None = setting(None, "which attention maps have a bias")
    position: Position | None = setting(None, "rotary or learned positions")
    max_positions: int | None = setting(None, "learned positions; none = context_length")
    sliding_window: int | None = setting(None, "tokens that one sees at most, itself among them; 0 = all")
    n_experts: int | None = setting(None, "experts of each MLP; 0 = one MLP for all tokens")
    n_active_experts: int | None = setting(None, "experts that each token passes")
    d_expert: int | None = setting(None, "width of one expert")
    logit_softcap: float | None = setting(None, "bound of the logits, softly; 0 = none; fits no export target")
    value_embeddings: bool | None = setting(None, "gated embeddings added to values; fits no export target")
    residual_lambdas: bool | None = setting(None, "learned scales of the residual stream; fits no export target")


@dataclass(frozen=True)
class PretrainConfig(TrainConfig):
    """A base model, from nothing or from another. ``tokens = 0``: 12 for each parameter of block matrices and head."""

    batch_tokens: int = setting(0, "tokens an optimizer step, a multiple of context_length; 0 = by the tokens in all")
    init: str = setting("", "a model to go on from: an imported one, or a stage of a run; empty: from nothing")
    depth: int = setting(4, "layers; the width is 64 times as much, and heads, rates and horizon follow")
    model: ModelOverrides = setting(ModelOverrides(), "sizes that replace what depth derives")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init:
            if self.model != ModelOverrides():
                raise FledgeError("the sizes are those of the model in init", where="model", fix="leave them out")
            return
        try:
            self.model_config(vocab_size=1)  # which its tokenizer sets
        except FledgeError as error:
            where = error.where if error.where == "depth" else f"model.{error.where}"
            raise FledgeError(error.what, where=where, fix=error.fix) from error

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The model's sizes: those of ``init``, its vocabulary too, or derived from the dial and overridden."""
        if self.init:
            return self._init_config()
        given = asdict(self.model)
        if self.model.position == "learned":
            given["max_positions"] = self.model.max_positions or self.context_length
            if given["max_positions"] < self.context_length:
                raise FledgeError(
                    f"max_positions ({given['max_positions']}) must be at least context_length ({self.context_length})",
                    where="max_positions",
                )
        return ModelConfig.from_depth(self.depth, vocab_size, **given)

    def _init_config(self) -> ModelConfig:
        folder = next(
            (each for each in (Path(self.init), Path(self.init) / "model") if (each / CONFIG).is_file()), None
        )
        if folder is None:
            raise FledgeError(f"holds no {CONFIG}", where=f"init, {self.init}", fix="give what `fledge import` wrote")
        config = read_config(read_json(folder / CONFIG), str(folder / CONFIG))
        if config.position == "learned" and self.context_length > config.max_positions:
            raise FledgeError(
                f"the model in init has {config.max_positions} positions, fewer than {self.context_length}",
                where="context_length",
            )
        return config

    def for_model(self, model: ModelConfig, *, at_most: int | None = None) -> PretrainConfig:
        """The same with batch and tokens in the place of zeros, and whole steps of at most ``at_most`` tokens.

        Tokens are 12 for each matrix parameter (nanochat's ratio), the batch is ``best_batch_tokens`` of them.
        """
        tokens = self.tokens or TOKENS_PER_PARAMETER * model.n_matrix_parameters
        tokens = tokens if at_most is None else min(tokens, at_most)
        batch = self.batch_tokens or best_batch_tokens(tokens, self.context_length)
        if self.micro_batch_rows and not self.batch_tokens:
            piece = self.micro_batch_rows * self.context_length
            batch = -(-batch // piece) * piece
        return replace(self, batch_tokens=batch, tokens=max(1, tokens // batch) * batch)
