"""What training will take: told in a line before any stage begins, and in full by ``fledge plan``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fledge.model.config import ModelConfig
from fledge.run.progress import duration, quantity
from fledge.stages.resources import (
    Device,
    checkpoint_bytes,
    fit,
    layouts,
    memory_here,
    n_checkpoints,
    parse_devices,
    refusal,
)
from fledge.train.config import PretrainConfig, TrainConfig
from fledge.types import FledgeError

UTILISATION = 0.4
"""Share of the peak that trainings of this size reach on accelerators, where nobody says otherwise."""
MILLION = 1_000_000


def training_estimate(settings_of: Mapping[str, Any], run: Path) -> str:
    """A line with the time that pretraining will take, by a short measurement; empty where it has begun already."""
    config, tokenizer = settings_of.get("pretrain"), settings_of.get("tokenizer")
    begun = any((run / "pretrain" / name).exists() for name in ("hardware.json", "manifest.json"))
    if config is None or tokenizer is None or "tokens" not in settings_of or begun:
        return ""
    from fledge.train.probe import choose_hardware

    sizes = config.model_config(tokenizer.vocab_size)
    config = config.for_model(sizes)
    hardware = choose_hardware(config, sizes, config.tokens)
    how = f"{hardware.device}, {hardware.precision}, {'compiled' if hardware.compile else 'not compiled'}"
    time = duration(hardware.seconds(config.tokens))
    return f"estimate: pretraining takes about {time} here ({how}), the rest a few minutes"


def plan_text(
    settings_of: Mapping[str, Any], devices: str, *, utilisation: float | None = None, price: float | None = None
) -> list[str]:
    """The lines of ``fledge plan``: for each training stage its size, memory, time, price and disk on ``devices``.

    On "cpu" speed is measured here as before a training; on other devices it is their peak times ``utilisation``.
    Raises FledgeError for a device that is not known, and for a model that fits on no layout of these devices.
    """
    n_devices, device = parse_devices(devices)
    if utilisation is not None and (device is None or not 0 < utilisation <= 1):
        what = "is measured on cpu, not given" if device is None else f"is a share above 0, up to 1, got {utilisation}"
        raise FledgeError(what, where="--utilisation")
    if price is not None and price < 0:
        raise FledgeError(f"must not be negative, got {price}", where="--price")
    pretrain, tokenizer = settings_of.get("pretrain"), settings_of.get("tokenizer")
    if pretrain is None or tokenizer is None:
        absent = "pretrain" if pretrain is None else "tokenizer"
        raise FledgeError(f"the recipe has no [{absent}], which sets the model's size", where="fledge plan")
    model = pretrain.model_config(tokenizer.vocab_size)
    lines = []
    for stage in ("pretrain", "sft"):
        config = settings_of.get(stage)
        as_it_is = stage == "pretrain" and "tokens" not in settings_of
        if config is not None and not as_it_is:
            if isinstance(config, PretrainConfig):
                config = config.for_model(model)
            tokens = config.tokens and config.n_steps() * config.batch_tokens  # 0: its conversations decide
            lines += [_title(stage, model, config), *_amounts(model, config, tokens)]
            if device is None:
                lines += _here(model, config, tokens, price)
            else:
                lines += _there(stage, model, config, tokens, n_devices, device, utilisation or UTILISATION, price)
            lines += _disk(model, config, tokens)
    return lines


def _title(stage: str, model: ModelConfig, config: TrainConfig) -> str:
    mixture = f" ({quantity(model.n_active_parameters)} active)" if model.n_experts else ""
    return (
        f"{stage}: {model.n_layers} layers, {model.d_model} wide, {quantity(model.n_parameters)} parameters{mixture}, "
        f"context {config.context_length}"
    )


def _line(name: str, value: str) -> str:
    return f"  {name:<10}{value}"


def _amounts(model: ModelConfig, config: TrainConfig, tokens: int) -> list[str]:
    of_one = model.flops_per_token(config.context_length)
    if not tokens:
        told = f"as many as its conversations give; what follows is for {quantity(MILLION)}"
        return [_line("tokens", told), _line("FLOPs", f"{of_one * MILLION:.3g} ({quantity(of_one)} a token)")]
    steps = f"{config.n_steps():,} steps of {config.batch_tokens:,}"
    return [
        _line("tokens", f"{quantity(tokens)} in {steps}"),
        _line("FLOPs", f"{of_one * tokens:.3g} ({quantity(of_one)} a token)"),
    ]


def _here(model: ModelConfig, config: TrainConfig, tokens: int, price: float | None) -> list[str]:
    """Memory and time on this machine, by the probe that a training begins with."""
    from fledge.train.probe import choose_hardware

    hardware = choose_hardware(config, model, tokens or MILLION)
    parts = memory_here(
        model,
        config,
        hardware.micro_batch_rows,
        compute_bytes=hardware.dtype.itemsize,
        keeps_pattern=hardware.attention == "products",
        compiled=hardware.compile,
    )
    seconds = hardware.seconds(tokens or MILLION)
    reached = hardware.tokens_per_second * model.flops_per_token(config.context_length) / hardware.flops_per_second
    compiled = "compiled" if hardware.compile else "not compiled"
    lines = [
        _line("devices", f"{hardware.device}, {hardware.threads} threads, {hardware.precision}, {compiled}"),
        _line("layout", f"{hardware.micro_batch_rows} rows of {config.batch_rows} at once"),
        _line("memory", f"{quantity(parts.total)}B: {parts.describe()}"),
        _line(
            "time",
            f"{duration(seconds)} at {hardware.tokens_per_second:,.0f} tokens/s by a short measurement "
            f"({reached:.0%} of the fastest product)",
        ),
    ]
    return [*lines, _line("price", _dollars(seconds, 1, price))] if price is not None else lines


def _there(
    stage: str,
    model: ModelConfig,
    config: TrainConfig,
    tokens: int,
    n_devices: int,
    device: Device,
    utilisation: float,
    price: float | None,
) -> list[str]:
    """Layout, memory, time and price on accelerators that need not be here."""
    found = fit(model, config, n_devices, device)
    if found is None:
        raise refusal(model, config, n_devices, device, stage)
    rate = n_devices * device.peak_flops * utilisation / model.flops_per_token(config.context_length)
    seconds = (tokens or MILLION) / rate
    of_each = config.batch_rows // n_devices
    ways = {"replicated": "ddp", "sharded": "fsdp"}
    by_itself = found.layout == layouts(model, config, n_devices, device)[0]
    hint = "" if by_itself else f" (give --{stage}.parallel {ways[found.layout]})"
    each = f"{quantity(device.memory_bytes)}B, {quantity(device.peak_flops)}FLOP/s in bf16"
    return [
        _line("devices", f"{n_devices} × {device.name} ({each})"),
        _line(
            "layout", f"{found.layout}{hint}; {found.rows} rows at once of the {of_each} that each device takes a step"
        ),
        _line("memory", f"{quantity(found.memory.total)}B on each: {found.memory.describe()}"),
        _line("time", f"{duration(seconds)} at {rate:,.0f} tokens/s, {utilisation:.0%} of the peak"),
        _line("price", _dollars(seconds, n_devices, device.price_per_hour if price is None else price)),
    ]


def _dollars(seconds: float, n_devices: int, price: float) -> str:
    return f"${seconds / 3600 * n_devices * price:,.2f} at ${price:g} a device and hour (--price)"


def _disk(model: ModelConfig, config: TrainConfig, tokens: int) -> list[str]:
    of_one, final = checkpoint_bytes(model, config)
    sizes = f"{quantity(of_one)}B a checkpoint, {quantity(final)}B the model"
    if not tokens:
        return [_line("disk", sizes)]
    n = n_checkpoints(config, config.n_steps())
    return [_line("disk", f"{quantity(n * of_one + final)}B in all: {sizes}, {n} checkpoints kept")]
