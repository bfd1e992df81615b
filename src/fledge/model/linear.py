"""Linear maps whose float32 weights are cast to the input's type at use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Module):
    """``x @ weight.T + bias``; ``weight`` (out, in) is the float32 master, the product runs in the type of ``x``."""

    def __init__(self, n_in: int, n_out: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype))


def table(n: int, width: int) -> nn.Embedding:
    """Embeddings (n, width) whose values are still to be drawn or read: torch's own would draw some first."""
    return nn.Embedding.from_pretrained(torch.empty(n, width), freeze=False)


def joined(x: Tensor, *maps: nn.Module) -> tuple[Tensor, ...]:
    """The outputs of several maps of one input; in training by a single product, whose gradients are faster.

    Calls each where one is no plain :class:`Linear` (an adapter around it, say), and where nobody trains: putting the
    weights together then takes longer than is gained. Either all of the maps have a bias or none.
    """
    plain = [m for m in maps if type(m) is Linear]
    if len(plain) < len(maps) or not torch.is_grad_enabled():
        return tuple(m(x) for m in maps)
    weights = [m.weight.to(x.dtype) for m in plain]
    biases = [m.bias.to(x.dtype) for m in plain if m.bias is not None]
    return F.linear(x, torch.cat(weights), torch.cat(biases) if biases else None).split(
        [w.shape[0] for w in weights], dim=-1
    )
