"""Muon: momentum whose every matrix is replaced by the nearest orthogonal one (Jordan et al., kellerjordan/Muon).

The orthogonal factor comes from the Polar Express iteration (Amsel et al., arXiv 2505.16932): matrix products only,
in bfloat16 where that is fast. Some matrices of one shape at a time are stacked and iterated together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

# Coefficients of the paper's odd polynomials of degree five, best for singular values from 1e-3 to 1; the last is the
# limit that further iterations repeat.
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    (1.875, -1.25, 0.375),
)

TOGETHER = 2**23
"""Numbers in the matrices that are iterated together: enough for full speed, and what they need besides stays small."""


def orthogonalise(matrices: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """U Vᵀ of each matrix U S Vᵀ in ``matrices`` (N, rows, columns), computed in ``dtype``.

    After 5 steps singular values lie within 15 % of 1. A zero matrix stays zero.
    """
    x = matrices.to(dtype)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    # The iteration wants singular values up to 1; the margin is for rounding in bfloat16.
    norm = matrices.flatten(1).norm(dim=1).mul_(1.02).add_(1e-12)
    x = (x / norm[:, None, None]).to(dtype).contiguous()
    for step in range(steps):
        a, b, c = POLAR_EXPRESS[min(step, len(POLAR_EXPRESS) - 1)]
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Exchange(Protocol):
    """Carries matrices between the processes that hold them, or rows of them, and the one that owns each."""

    @property
    def shapes(self) -> Mapping[str, torch.Size]:
        """The whole shapes of the parameters."""
        ...

    @property
    def owned(self) -> Sequence[str]:
        """The matrices that this process orthogonalises."""
        ...

    def collect(self) -> dict[str, Tensor]:
        """The whole gradients of the owned matrices; one without a gradient may be missing."""
        ...

    def distribute(self, updates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """From the updates of the owned matrices, the part that this process holds of every one."""
        ...


class Muon:
    """Nesterov momentum, orthogonalised, for 2-D parameters; ``step`` reads ``.grad`` and updates in place.

    The update of a (rows, columns) matrix is scaled by √max(1, rows / columns). Weight decay is decoupled and
    cautious: it shrinks only entries that the update shrinks as well (Liang et al., arXiv 2411.16085).

    With an ``exchange`` the ``parameters`` are what this process holds of the matrices, and it keeps the momentum of
    those alone that it owns.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        steps: int,
        dtype: torch.dtype,
        exchange: Exchange | None = None,
    ) -> None:
        self.lr, self.mu, self.weight_decay, self.steps, self.dtype = lr, momentum, weight_decay, steps, dtype
        self.parameters, self.exchange = dict(parameters), exchange
        for name, parameter in parameters.items():
            assert parameter.dim() == 2, f"Muon is for matrices, {name} has {parameter.dim()} dimensions"
        shapes = {name: p.shape if exchange is None else exchange.shapes[name] for name, p in parameters.items()}
        self._groups = _stacked(shapes)
        owned = {name: shapes[name] for name in (shapes if exchange is None else exchange.owned)}
        device = next((parameter.device for parameter in parameters.values()), None)
        self._stacks = [
            (names, torch.zeros((len(names), *shape), dtype=torch.float32, device=device))
            for shape, names in _stacked(owned)
        ]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update at learning rate ``lr · factor``; a parameter without a gradient counts as gradient 0."""
        if self.exchange is None:
            gradients = {name: p.grad for name, p in self.parameters.items() if p.grad is not None}
            for names, momenta in self._stacks:
                self._apply(names, momenta.shape[1:], self._update(names, momenta, gradients), factor)
            return
        gradients = self.exchange.collect()
        updates: dict[str, Tensor] = {}
        for names, momenta in self._stacks:
            updates.update(zip(names, self._update(names, momenta, gradients).unbind(0), strict=True))
        parts = self.exchange.distribute(updates)
        for shape, names in self._groups:
            self._apply(names, shape, torch.stack([parts[name] for name in names]), factor)

    def _update(self, names: list[str], momenta: Tensor, gradients: Mapping[str, Tensor]) -> Tensor:
        """The updates (N, rows, columns), in float32, of whole matrices of one shape."""
        stacked = torch.stack(
            [gradients[name] if name in gradients else torch.zeros_like(momenta[i]) for i, name in enumerate(names)]
        )
        momenta.lerp_(stacked, 1 - self.mu)
        return orthogonalise(stacked.lerp_(momenta, self.mu), self.steps, self.dtype).to(torch.float32)

    def _apply(self, names: list[str], shape: torch.Size, update: Tensor, factor: float) -> None:
        """Move matrices of one whole ``shape``, or the rows of them that are held here, against ``update``."""
        members = [self.parameters[name] for name in names]
        rows, columns = shape
        rate = self.lr * factor * max(1.0, rows / columns) ** 0.5
        if self.weight_decay:
            weights = torch.stack(members)
            shrinks = (weights * update) > 0
            update = update.add_(weights.mul_(shrinks), alpha=self.weight_decay)
        torch._foreach_add_(members, list(update.unbind(0)), alpha=-rate)

    def state(self) -> dict[str, Tensor]:
        """The momentum of each parameter that is owned here, by name; the tensors are the live ones."""
        return {name: momenta[i] for names, momenta in self._stacks for i, name in enumerate(names)}


def _stacked(shapes: Mapping[str, torch.Size]) -> list[tuple[torch.Size, list[str]]]:
    """Names with the shape that they share, no more of them than are iterated together."""
    groups: dict[torch.Size, list[str]] = {}
    for name, shape in shapes.items():
        groups.setdefault(shape, []).append(name)
    return [
        (shape, names[start : start + n])
        for shape, names in groups.items()
        for n in [max(1, TOGETHER // shape.numel())]
        for start in range(0, len(names), n)
    ]
