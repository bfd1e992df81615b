"""What one of several processes that train together holds, and how much memory that takes."""

from __future__ import annotations

import os
from typing import Literal

import torch

from fledge.model.config import ModelConfig
from fledge.run.ranks import world_size
from fledge.train.config import TrainConfig

STATE_BYTES = 16
"""Of a parameter: float32 weight, gradient and at most two moments."""


def choose_parallel(config: TrainConfig, model: ModelConfig, device: torch.device) -> Literal["ddp", "fsdp"]:
    """Whole weights in each process or parts; auto is parts where whole states take over half of a CUDA device."""
    if config.parallel != "auto":
        return config.parallel
    if device.type != "cuda":
        return "ddp"
    total = torch.cuda.get_device_properties(device).total_memory
    return "ddp" if STATE_BYTES * model.n_parameters <= total / 2 else "fsdp"


def process_bytes(
    config: TrainConfig, model: ModelConfig, device: torch.device, rows: int, compute_bytes: int, keeps_pattern: bool
) -> int:
    """Estimated peak memory of one process that trains on ``rows`` rows at once; its states in parts count by part."""
    whole = model.training_bytes(config.context_length, rows, compute_bytes, keeps_pattern)
    parts = world_size()
    if parts == 1 or choose_parallel(config, model, device) == "ddp":
        return whole
    return whole - STATE_BYTES * model.n_parameters * (parts - 1) // parts


def sharers(device: torch.device) -> int:
    """Processes that share the memory of ``device``: one on a device of its own, all of the machine on its CPU."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size())) if world_size() > 1 and device.type == "cpu" else 1
