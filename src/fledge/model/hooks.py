"""Named points inside a forward pass where a caller may look at a tensor or put another in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from fledge.model.config import ModelConfig
from fledge.types import FledgeError

Hook = Callable[[Tensor], Tensor | None]
Hooks = Mapping[str, Hook]

BLOCK_POINTS = (
    "attn.in",  # (B, T, D) normalised input of attention
    "attn.q",  # (B, H, T, d) queries after norm and rotation
    "attn.k",  # (B, K, T, d) keys after norm and rotation
    "attn.v",  # (B, K, T, d) values
    "attn.pattern",  # (B, H, T, S) attention weights; only the "products" kernel has them
    "attn.heads",  # (B, H, T, d) what each head read, before the output projection
    "attn.out",  # (B, T, D) what attention adds to the residual stream
    "mlp.in",  # (B, T, D) normalised input of the MLP
    "mlp.hidden",  # (B, T, F) hidden units, gated where the MLP is
    "mlp.router",  # (B, T, E) a mixture's probability of each expert; it has no "mlp.hidden"
    "mlp.out",  # (B, T, D) what the MLP adds to the residual stream
    "residual",  # (B, T, D) residual stream after the block
)


def hook_names(config: ModelConfig) -> list[str]:
    """Every name that ``Decoder.forward(hooks=…)`` knows, in the order in which the points are passed."""
    absent = "mlp.hidden" if config.n_experts else "mlp.router"
    points = [point for point in BLOCK_POINTS if point != absent]
    blocks = [f"layers.{layer}.{point}" for layer in range(config.n_layers) for point in points]
    return ["embed", *blocks, "norm", "logits"]


def tap(hooks: Hooks | None, name: str, x: Tensor) -> Tensor:
    """Show ``x`` to the hook of this name; what it returns, unless None, replaces ``x``."""
    if hooks is None or name not in hooks:
        return x
    replacement = hooks[name](x)
    return x if replacement is None else replacement


def check_hooks(hooks: Hooks, config: ModelConfig) -> None:
    """Refuse a name that no point has, which would otherwise never be called."""
    unknown = sorted(set(hooks) - set(hook_names(config)))
    if unknown:
        raise FledgeError(f"there is no hook point {unknown[0]!r}", where="hooks", fix="see model/hooks.py")
