"""Training in several processes: who holds which part of parameters, gradients and optimizer states.

With one process everything is here and whole (:class:`Alone`). :class:`Replicated` is plain data parallelism: all hold
all weights. ``sharded.py`` has FSDP2, where each holds its rows of every parameter. In both, each matrix that Muon
moves has one owner, which alone keeps its momentum and orthogonalises it; the update goes back to who holds weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fledge.optim.build import moved_by_muon
from fledge.optim.config import OptimConfig
from fledge.optim.muon import Exchange
from fledge.train.mesh import World

Models = Mapping[str, nn.Module]
STATE_KINDS = ("muon.momentum.", "adamw.exp_avg.", "adamw.exp_avg_sq.", "adamw.step.")
"""What stands before a parameter's name in the state of the optimizer."""


def parameter_names(models: Models) -> dict[str, nn.Parameter]:
    """All parameters by name; those of models other than the policy have its name before theirs."""
    prefixes = {name: "" if name == "policy" else f"{name}." for name in models}
    return {prefixes[name] + key: p for name, model in models.items() for key, p in model.named_parameters()}


class Alone:
    """One process, which holds everything."""

    def __init__(self, world: World, models: Models) -> None:
        self.world = world
        self.models = models
        self.parameters: dict[str, Tensor] = {n: p for n, p in parameter_names(models).items() if p.requires_grad}
        """What this process holds of each trained parameter; the optimizer updates it in place."""
        self.exchange: Exchange | None = None
        """How matrices come to their owners and back."""

    def finish_gradients(self) -> None:
        """After the last backward pass of a step: put the sum over all processes where the optimizer reads it."""

    def gradient_norm(self, parameters: Sequence[Tensor]) -> Tensor:
        """The norm of the whole gradient, of which these are the parameters held here."""
        return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

    def show(self) -> None:
        """Bring the models that the leader's callbacks and checkpoints see up to date; all processes call it."""

    @property
    def shown(self) -> Models:
        return self.models

    def whole(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The optimizer's whole state at the leader, from every process's part; all processes call it."""
        return dict(state)

    def part(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What this process holds of the optimizer's whole state."""
        return dict(state)

    def zero_gradients(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None


def owners(shapes: Mapping[str, torch.Size], n_processes: int) -> dict[str, int]:
    """Each matrix's owner: the most expensive first, each to who has least to do.

    The cost is that of orthogonalising: products of (m, n) with its transpose and of (m, m), where m ≤ n.
    """
    cost = {name: min(shape) ** 2 * (2 * max(shape) + min(shape)) for name, shape in shapes.items()}
    load = [0] * n_processes
    chosen = {}
    for name in sorted(shapes, key=lambda name: (-cost[name], name)):
        chosen[name] = min(range(n_processes), key=lambda process: load[process])
        load[chosen[name]] += cost[name]
    return chosen


class Distributed(Alone):
    """What both ways of several processes share: owners of the matrices, and the way of states to a checkpoint."""

    def __init__(self, world: World, models: Models, device: torch.device, optim: OptimConfig) -> None:
        super().__init__(world, models)
        self.device = device
        self.shapes = {name: parameter.shape for name, parameter in parameter_names(models).items()}
        matrices = {n: p.shape for n, p in self.parameters.items() if moved_by_muon(n, p, optim)}
        self.owner = owners(matrices, world.size)
        self.owned_by = [[name for name in matrices if self.owner[name] == process] for process in range(world.size)]

    @property
    def owned(self) -> list[str]:
        """The matrices that this process orthogonalises."""
        return self.owned_by[self.world.rank]

    def whole(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for name in self.parameters:
            if name in self.owner:
                found[f"muon.momentum.{name}"] = self._to_leader(state.get(f"muon.momentum.{name}"), name)
                continue
            for key in (f"adamw.{part}.{name}" for part in ("exp_avg", "exp_avg_sq")):
                if key in state:
                    found[key] = self.gathered(name, state[key])
            if f"adamw.step.{name}" in state:
                found[f"adamw.step.{name}"] = state[f"adamw.step.{name}"]
        return found

    def _to_leader(self, momentum: Tensor | None, name: str) -> Tensor:
        owner = self.owner[name]
        if momentum is None:
            momentum = torch.empty(self.shapes[name], device=self.device)
        if owner and self.world.rank == owner:
            dist.send(momentum.contiguous(), 0)
        elif owner and self.world.leads:
            dist.recv(momentum, owner)
        return momentum

    def part(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for key, tensor in state.items():
            kind = next(kind for kind in STATE_KINDS if key.startswith(kind))
            name = key.removeprefix(kind)
            if kind == "muon.momentum.":
                if self.owner[name] == self.world.rank:
                    found[key] = tensor
            else:
                found[key] = tensor if kind == "adamw.step." else self.rows(tensor)
        return found

    def gradient_norm(self, parameters: Sequence[Tensor]) -> Tensor:
        held = [p.grad for name, p in self.parameters.items() if p.grad is not None and self.counted(name)]
        squared = torch.stack([g.double().square().sum() for g in held]).sum() if held else 0.0
        return torch.tensor(self.world.total([float(squared)])[0] ** 0.5)

    def counted(self, name: str) -> bool:
        """Whether this process's gradient of a parameter counts towards the norm, and nobody else's of the same."""
        return True

    def rows(self, whole: Tensor) -> Tensor:
        """What this process holds of a parameter-shaped tensor."""
        return whole

    def gathered(self, name: str, held: Tensor) -> Tensor:
        """At the leader, the whole parameter-shaped tensor of which each process holds ``held``."""
        return held


def flatten(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors]) if tensors else torch.empty(0, device=device)


def split_flat(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    return [p.view(s) for p, s in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]


class Replicated(Distributed):
    """Plain data parallelism. Gradients of matrices go to their owners alone, all others to all."""

    def __init__(self, world: World, models: Models, device: torch.device, optim: OptimConfig) -> None:
        super().__init__(world, models, device, optim)
        self.exchange = self
        for model in models.values():
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, 0)

    def finish_gradients(self) -> None:
        others = [name for name in self.parameters if name not in self.owner]
        for process, names in [*enumerate(self.owned_by), (None, others)]:
            members = [self.parameters[name] for name in names]
            flat = flatten([torch.zeros_like(p) if p.grad is None else p.grad for p in members], self.device)
            if process is None:
                dist.all_reduce(flat)
            else:
                dist.reduce(flat, process)
            held = process in (None, self.world.rank)
            for member, gradient in zip(members, split_flat(flat, [p.shape for p in members]), strict=True):
                member.grad = gradient if held else None

    def counted(self, name: str) -> bool:
        return name in self.owner or self.world.leads

    def collect(self) -> dict[str, Tensor]:
        """The whole gradients of the matrices that this process owns."""
        return {name: grad for name in self.owned if (grad := self.parameters[name].grad) is not None}

    def distribute(self, updates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What this process holds of the updates of all matrices, from those that it owns."""
        found: dict[str, Tensor] = {}
        for process, names in enumerate(self.owned_by):
            shapes = [self.shapes[name] for name in names]
            mine = process == self.world.rank
            n = sum(shape.numel() for shape in shapes)
            flat = (
                flatten([updates[name] for name in names], self.device) if mine else torch.empty(n, device=self.device)
            )
            dist.broadcast(flat, process)
            found.update(zip(names, split_flat(flat, shapes), strict=True))
        return found
