"""Models put where they are trained: on a device, in a type, cut into parts where several processes train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch
from torch.utils.checkpoint import checkpoint

from fledge.model.decoder import Decoder
from fledge.train.config import TrainConfig
from fledge.train.hardware import Hardware
from fledge.train.mesh import World
from fledge.train.objective import Objective
from fledge.train.parallel import Alone, Replicated
from fledge.train.share import choose_parallel
from fledge.types import Batch, FledgeError

Forward = Callable[[Batch], dict[str, Tensor]]
KEPT_ACTIVATIONS = 0.9
"""Of what the compiler would keep for the backward pass: the rest is element-wise, and costs next to nothing again."""


def local_hardware(hardware: Hardware, config: TrainConfig, world: World) -> Hardware:
    """What the leader chose, for this process: its own CUDA device, and pieces that divide its share of the rows."""
    if config.batch_rows % world.size:
        raise FledgeError(
            f"{config.batch_rows} rows a batch cannot be shared by {world.size} processes",
            where="batch_tokens",
            fix=f"make it a multiple of {world.size * config.context_length}, or start another number of processes",
        )
    share = config.batch_rows // world.size
    rows = max(n for n in range(1, share + 1) if share % n == 0 and n <= hardware.micro_batch_rows)
    device = hardware.device
    if world.size > 1 and device.startswith("cuda"):
        device = f"cuda:{world.local_rank % torch.cuda.device_count()}"
    return replace(hardware, device=device, micro_batch_rows=rows)


def place(models: Mapping[str, nn.Module], hardware: Hardware, config: TrainConfig, world: World) -> Alone:
    """Move ``models`` to their device and, with several processes, part them; later training changes them in place."""
    policy, device = models["policy"], torch.device(hardware.device)
    assert isinstance(policy, Decoder)
    for model in models.values():
        if isinstance(model, Decoder):
            model.compute_dtype, model.kernel = hardware.dtype, hardware.attention
    if world.size > 1 and choose_parallel(config, policy.config, device) == "fsdp":
        from fledge.train.sharded import Sharded  # which takes a second to import

        # the device never holds a whole model
        return Sharded(world, models, device, config.optim, block_dtype=hardware.dtype)
    for model in models.values():
        model.to(device)
    return Alone(world, models) if world.size == 1 else Replicated(world, models, device, config.optim)


def forward_of(
    models: Mapping[str, nn.Module], objective: Objective, hardware: Hardware, config: TrainConfig
) -> Forward:
    """The function of a micro-batch that the loop calls, compiled where the hardware says so.

    Blocks are compiled as one, and what the objective does around its models apart from them: a whole model as one
    graph takes twice as long to compile, and longer by each layer. Outside of it models stay as they were.
    """
    call: Callable[..., Any] = Decoder.run_block
    learned: Callable[..., dict[str, Tensor]] = objective.__call__
    if hardware.compile:
        if hardware.device == "cpu":
            functorch.activation_memory_budget = KEPT_ACTIVATIONS
        call, learned = torch.compile(call, dynamic=False), torch.compile(learned, dynamic=False)
    if config.recompute:
        call = partial(_recomputed, call)
    others = {model: {"run_block": call} for model in models.values() if isinstance(model, Decoder)}
    if hardware.compile:
        for model, methods in others.items():
            # what is compiled around a model must not look into it; a method, so that a copy gets its own
            methods["forward"] = MethodType(torch.compiler.disable(type(model).forward), model)

    def forward(batch: Batch) -> dict[str, Tensor]:
        for model, methods in others.items():
            vars(model).update(methods)
        try:
            return learned(models, batch)
        finally:
            for model, methods in others.items():
                for name in methods:
                    vars(model).pop(name, None)

    return forward


def _recomputed(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Keep only the block's input for the backward pass, which computes the block again (arXiv 1604.06174)."""
    if not torch.is_grad_enabled():
        return call(*arguments, **named)
    return checkpoint(call, *arguments, use_reentrant=False, **named)
