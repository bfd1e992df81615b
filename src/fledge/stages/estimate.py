"""How long training will take on this machine, told before any stage begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fledge.run.progress import duration


def training_estimate(settings_of: Mapping[str, Any], run: Path) -> str:
    """A line with the time that pretraining will take, by a short measurement; empty where it has begun already."""
    config, tokenizer = settings_of.get("pretrain"), settings_of.get("tokenizer")
    begun = any((run / "pretrain" / name).exists() for name in ("hardware.json", "manifest.json"))
    if config is None or tokenizer is None or begun:
        return ""
    from fledge.train.hardware import choose_hardware

    sizes = config.model_config(tokenizer.vocab_size)
    tokens = config.horizon(sizes)
    hardware = choose_hardware(config, sizes, tokens)
    how = f"{hardware.device}, {hardware.precision}, {'compiled' if hardware.compile else 'not compiled'}"
    return (
        f"estimate: pretraining takes about {duration(hardware.seconds(tokens))} here ({how}), the rest a few minutes"
    )
