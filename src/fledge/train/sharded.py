"""Training in parts: FSDP2 (Zhao et al., arXiv 2304.11277) by torch's ``fully_shard``; Muon gets whole matrices."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from fledge.model.decoder import Decoder
from fledge.optim.config import OptimConfig
from fledge.train.mesh import SHARD, World, device_mesh
from fledge.train.parallel import Distributed, Models, flatten, parameter_names, split_flat


class Sharded(Distributed):
    """FSDP2: every process holds its rows of each parameter; gradients are summed in float32 as they are made.

    The leader's device also holds whole models, for callbacks and checkpoints.
    """

    def __init__(
        self, world: World, models: Models, device: torch.device, optim: OptimConfig, *, block_dtype: torch.dtype
    ) -> None:
        super().__init__(world, models, device, optim)
        self.exchange = self
        self.mesh = device_mesh(world, self.device, sharded=True)[SHARD]
        copied = models if world.leads else {}
        self._copies = {name: copy.deepcopy(model).to(device) for name, model in copied.items()}
        for model in models.values():
            self._shard(model, block_dtype)
        self._sharded = parameter_names(models)
        self.parameters = {name: _held(self._sharded[name]).requires_grad_() for name in self.parameters}

    def _shard(self, model: nn.Module, block_dtype: torch.dtype) -> None:
        # Linear maps cast their float32 weights at use, so gathering them in that type changes no bit; embeddings,
        # last norm and head stay in float32 for the sums of their gradients.
        lean = MixedPrecisionPolicy(param_dtype=block_dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
        plain = MixedPrecisionPolicy(reduce_dtype=torch.float32, cast_forward_inputs=False)
        if isinstance(model, Decoder):
            for block in model.model.layers:
                fully_shard(block, mesh=self.mesh, mp_policy=lean)
        fully_shard(model, mesh=self.mesh, mp_policy=plain, reshard_after_forward=False)
        # losses are divided by counts of the whole batch already, so gradients are summed, not averaged
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    def finish_gradients(self) -> None:
        for name, held in self.parameters.items():
            gradient = self._sharded[name].grad
            held.grad = None if gradient is None else _held(gradient)

    def zero_gradients(self) -> None:
        super().zero_gradients()
        for parameter in self._sharded.values():
            parameter.grad = None

    def collect(self) -> dict[str, Tensor]:
        """The whole gradients of the matrices that this process owns, from everybody's rows."""
        names = [name for owned in self.owned_by for name in owned]
        held = [self.parameters[name] for name in names]
        sent = flatten([torch.zeros_like(p) if p.grad is None else p.grad for p in held], self.device)
        mine = self.owned
        shapes = [[self._shape_at(name, process) for name in mine] for process in range(self.world.size)]
        received = self._exchange(sent, self._held_sizes(), [sum(s.numel() for s in row) for row in shapes])
        pieces = [split_flat(piece, row) for piece, row in zip(received, shapes, strict=True)]
        return {name: torch.cat([row[i] for row in pieces]) for i, name in enumerate(mine)}

    def distribute(self, updates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What this process holds of the updates of all matrices, from those that it owns."""
        mine = self.owned
        rows = [[_chunk(updates[name], process, self.world.size) for name in mine] for process in self._processes]
        sent = flatten([tensor for row in rows for tensor in row], self.device)
        received = self._exchange(sent, [sum(t.numel() for t in row) for row in rows], self._held_sizes())
        found: dict[str, Tensor] = {}
        for names, flat in zip(self.owned_by, received, strict=True):
            found.update(zip(names, split_flat(flat, [self.parameters[name].shape for name in names]), strict=True))
        return found

    @property
    def _processes(self) -> range:
        return range(self.world.size)

    def _held_sizes(self) -> list[int]:
        """Numbers held here of each owner's matrices."""
        return [sum(self.parameters[name].numel() for name in owned) for owned in self.owned_by]

    def _exchange(self, sent: Tensor, sizes: list[int], expected: list[int]) -> tuple[Tensor, ...]:
        received = torch.empty(sum(expected), device=self.device)
        dist.all_to_all_single(received, sent, expected, sizes, group=self.mesh.get_group())
        return received.split(expected)

    def _shape_at(self, name: str, process: int) -> torch.Size:
        shape = self.shapes[name]
        start, stop = _rows(shape[0], process, self.world.size)
        return torch.Size((stop - start, *shape[1:]))

    def rows(self, whole: Tensor) -> Tensor:
        return _chunk(whole, self.world.rank, self.world.size)

    def gathered(self, name: str, held: Tensor) -> Tensor:
        shapes = [self._shape_at(name, process) for process in self._processes]
        sizes = [held.numel() if process == 0 else 0 for process in self._processes]
        expected = [shape.numel() if self.world.leads else 0 for shape in shapes]
        received = self._exchange(held.detach().reshape(-1), sizes, expected)
        return torch.cat([p.view(s) for p, s in zip(received, shapes, strict=True)]) if self.world.leads else held

    @torch.no_grad()
    def show(self) -> None:
        copies = parameter_names(self._copies)
        for name, parameter in self._sharded.items():
            whole = self.gathered(name, _held(parameter))
            if self.world.leads:
                copies[name].copy_(whole)

    @property
    def shown(self) -> Models:
        return self._copies if self.world.leads else self.models


def _held(tensor: Any) -> Tensor:
    """This process's rows of a distributed tensor, in the memory that they have there."""
    held: Tensor = tensor.detach().to_local()
    return held


def _rows(n: int, process: int, n_processes: int) -> tuple[int, int]:
    """The rows of ``n`` that a process holds: those of its ``torch.chunk``, none where these run out."""
    size = -(-n // n_processes)
    return min(process * size, n), min((process + 1) * size, n)


def _chunk(whole: Tensor, process: int, n_processes: int) -> Tensor:
    start, stop = _rows(whole.shape[0], process, n_processes)
    return whole[start:stop]
