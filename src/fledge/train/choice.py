"""How a training computes: as the process chose that began it, made to fit each of several processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.run.processes import usable_processors
from fledge.run.progress import quantity
from fledge.train.config import TrainConfig
from fledge.train.hardware import Hardware, apply_hardware, store_hardware, stored_hardware
from fledge.train.mesh import World
from fledge.train.place import local_hardware
from fledge.train.probe import choose_hardware
from fledge.train.share import process_bytes

Tell = Callable[[str], None]


def training_hardware(
    directory: Path, config: TrainConfig, policy: nn.Module, n_steps: int, world: World, tell: Tell
) -> Hardware:
    """Set this process up as ``directory/hardware.json`` says; where it is not there the leader chooses and writes it.

    The file is what the leader chose; what is returned is this process's.
    """
    assert isinstance(policy, Decoder)
    model = policy.config
    processors = world.share_of(usable_processors())

    def choose() -> Hardware:
        stored = stored_hardware(directory / "hardware.json")
        if stored is not None:
            return stored
        if world.size > 1 and not config.threads:
            torch.set_num_threads(processors)
        tokens = n_steps * config.batch_tokens
        hardware = choose_hardware(config, model, tokens)
        store_hardware(directory / "hardware.json", hardware)
        tell(f"{hardware.describe(tokens)}, {quantity(_needed_bytes(hardware, config, model))}B of memory")
        return hardware

    chosen = Hardware(**world.once(lambda: asdict(choose())))
    hardware = local_hardware(chosen, config, world)
    apply_hardware(hardware)
    return hardware


def _needed_bytes(hardware: Hardware, config: TrainConfig, model: ModelConfig) -> int:
    """Estimated peak memory of a process, with the copy that a checkpoint in the background is written from."""
    device, products = torch.device(hardware.device), hardware.attention == "products"
    rows, compute_bytes = hardware.micro_batch_rows, hardware.dtype.itemsize
    n_bytes = process_bytes(config, model, device, rows, compute_bytes, products)
    if config.background_checkpoints and hardware.device == "cpu":
        n_bytes += model.checkpoint_bytes(muon=config.optim.muon)
    return n_bytes
