"""Muon: momentum whose every matrix is replaced by the nearest orthogonal one (Jordan et al., kellerjordan/Muon).

The orthogonal factor comes from the Polar Express iteration (Amsel et al., arXiv 2505.16932): matrix products only,
in bfloat16 where that is fast. Matrices of one shape are stacked and iterated together.
"""

from __future__ import annotations

from collections.abc import Mapping

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


class Muon:
    """Nesterov momentum, orthogonalised, for 2-D parameters; ``step`` reads ``.grad`` and updates in place.

    The update of a (rows, columns) matrix is scaled by √max(1, rows / columns). Weight decay is decoupled and
    cautious: it shrinks only entries that the update shrinks as well (Liang et al., arXiv 2411.16085).
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
    ) -> None:
        self.lr, self.mu, self.weight_decay, self.steps, self.dtype = lr, momentum, weight_decay, steps, dtype
        self._stacks: list[tuple[list[str], list[Tensor], Tensor]] = []
        shapes: dict[tuple[int, ...], list[str]] = {}
        for name, parameter in parameters.items():
            assert parameter.dim() == 2, f"Muon is for matrices, {name} has {parameter.dim()} dimensions"
            shapes.setdefault(tuple(parameter.shape), []).append(name)
        for shape, names in shapes.items():
            members = [parameters[name] for name in names]
            momenta = torch.zeros((len(names), *shape), dtype=torch.float32, device=members[0].device)
            self._stacks.append((names, members, momenta))

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update at learning rate ``lr · factor``; a parameter without a gradient counts as gradient 0."""
        for _, members, momenta in self._stacks:
            gradients = torch.stack([torch.zeros_like(p) if p.grad is None else p.grad for p in members])
            momenta.lerp_(gradients, 1 - self.mu)
            update = orthogonalise(gradients.lerp_(momenta, self.mu), self.steps, self.dtype)
            rows, columns = members[0].shape
            rate = self.lr * factor * max(1.0, rows / columns) ** 0.5
            update = update.to(torch.float32)
            if self.weight_decay:
                weights = torch.stack(members)
                shrinks = (weights * update) > 0
                update = update.add_(weights.mul_(shrinks), alpha=self.weight_decay)
            torch._foreach_add_(members, list(update.unbind(0)), alpha=-rate)

    def state(self) -> dict[str, Tensor]:
        """The momentum of each parameter, by name; the tensors are the live ones."""
        return {name: momenta[i] for names, _, momenta in self._stacks for i, name in enumerate(names)}
