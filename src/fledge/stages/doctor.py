"""What this machine has, what training on it would choose, and why: ``fledge doctor``."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from fledge.run.progress import duration, quantity
from fledge.train.config import PretrainConfig

VOCAB_SIZE = 4096
CHOICES = ("device", "threads", "precision", "attention", "micro_batch_rows", "reuse_buffers", "compile")
"""Settings that a probe decides where they are left at auto, in the order in which they are told."""


def doctor_text(settings_of: Mapping[str, Any]) -> list[str]:
    """The lines of ``fledge doctor``: the machine, then each choice with its reason and the flag that overrules it.

    The choices are those of the recipe's pretraining, or of the default one where ``settings_of`` is empty.
    """
    import torch

    import fledge
    from fledge.train.memory import obtainable_bytes
    from fledge.train.probe import choose_hardware

    config = settings_of.get("pretrain") or PretrainConfig()
    sizes = config.model_config(settings_of["tokenizer"].vocab_size if "tokenizer" in settings_of else VOCAB_SIZE)
    config = config.for_model(sizes)
    chosen = choose_hardware(config, sizes, config.tokens)
    reasons = {"device": _accelerators(torch), **chosen.reasons}
    lines = [
        f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"{quantity(obtainable_bytes(torch.device('cpu')))}B of memory free",
        f"software: fledge {fledge.__version__}, Python {platform.python_version()}, torch {torch.__version__}",
        f"for: {sizes.n_layers} layers, {sizes.d_model} wide, {quantity(sizes.n_parameters)} parameters, "
        f"context {config.context_length}, {quantity(config.tokens)} tokens",
        "",
    ]
    width = max(map(len, CHOICES))
    for name in CHOICES:
        given = getattr(config, name) not in ("auto", 0)
        why = f"as --pretrain.{name} says" if given else reasons.get(name, "")
        lines.append(f"{name:<{width}}  {_shown(getattr(chosen, name)):<9} {why}".rstrip())
    lines += [
        "",
        f"training would take about {duration(chosen.seconds(config.tokens))}, {chosen.tokens_per_second:,.0f} "
        f"tokens/s by a short measurement; the fastest product runs at {chosen.flops_per_second / 1e9:,.0f} GFLOP/s",
        "each choice can be overruled: --pretrain.NAME VALUE, or in the recipe",
    ]
    return lines


def _shown(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _accelerators(torch: Any) -> str:
    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name()}"
    return "Apple's GPU (MPS)" if torch.backends.mps.is_available() else "no CUDA device and no MPS here"
