"""``fledge plan``: what it foretells is what the model and the optimizer hold, and what cannot be is told in a line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.cli.main import main
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.optim.build import build_optimizer
from fledge.optim.config import OptimConfig
from fledge.optim.rates import learning_rates
from fledge.stages.estimate import plan_text
from fledge.stages.recipe import recipe_from
from fledge.stages.resources import (
    DEVICES,
    USABLE,
    checkpoint_bytes,
    fit,
    layouts,
    memory,
    n_checkpoints,
    parse_devices,
    rows_of_each,
)
from fledge.train.checkpoint import kept_steps
from fledge.train.config import PretrainConfig, TrainConfig
from fledge.types import FledgeError

ALL = ("replicated", "sharded")
ROOT = Path(__file__).parents[2]
SMALL = ModelConfig.from_depth(3, 96, d_model=64, head_dim=16, n_heads=4)
RECIPE = {
    "name": "x",
    "tokenizer": {"vocab_size": 4096},
    "tokens": {},
    "pretrain": {"depth": 12, "context_length": 1024},
}


def recipe(**pretrain):
    return recipe_from({**RECIPE, "pretrain": {**RECIPE["pretrain"], **pretrain}}, {}).settings_of


def told(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.strip().startswith(name))


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("tied", [False, True])
def test_states_are_what_the_module_and_its_optimizer_hold(tied: bool, kind: Literal["muon", "adamw"]) -> None:
    sizes = replace(SMALL, tie_embeddings=tied)
    model = Decoder(sizes)
    config = OptimConfig(kind=kind)
    optimizer = build_optimizer(model.named_parameters(), config, learning_rates(config, width=sizes.d_model))
    model(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    optimizer.step(1.0)
    held = sum(tensor.nbytes for name, tensor in optimizer.state_dict().items() if ".step." not in name)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    parts = memory(sizes, 8, 1, compute_bytes=4, muon=config.muon)
    assert parts.weights == parts.gradients == weights
    norms = sum(p.nbytes for p in model.parameters() if p.dim() == 1)  # AdamW holds two of these, the rule says one
    assert parts.optimizer == held - (norms if config.muon else 0)
    assert checkpoint_bytes(sizes, TrainConfig(optim=config))[0] == pytest.approx(weights + held, rel=0.02)


def test_activations_grow_with_the_rows_and_logits_only_up_to_a_chunk() -> None:
    one, five = (memory(SMALL, 32, rows) for rows in (1, 5))
    assert five.weights == one.weights
    assert five.activations == pytest.approx(5 * one.activations)
    grown = SMALL.training_bytes(32, 5, 2, False) - SMALL.training_bytes(32, 1, 2, False)
    assert 0 < five.activations - one.activations < grown
    wide = replace(SMALL, vocab_size=96 * 50)
    assert memory(wide, 32, 5).activations == five.activations  # the vocabulary is the logits' affair
    assert memory(wide, 4096, 8).logits == memory(wide, 4096, 64).logits > memory(wide, 32, 1).logits
    assert memory(wide, 32, 1, compiled=False).logits > memory(wide, 32, 1).logits


def test_recomputing_keeps_less_the_deeper_the_model() -> None:
    deep = replace(SMALL, n_layers=24)
    kept, again = (memory(deep, 512, 8, recompute=recompute).activations for recompute in (False, True))
    assert again < kept / 5
    state = memory(deep, 512, 8, recompute=True)
    assert (state.weights, state.logits) == (memory(deep, 512, 8).weights, memory(deep, 512, 8).logits)


def test_the_layout_is_the_one_that_training_takes() -> None:
    config = PretrainConfig(depth=24, context_length=512, batch_tokens=512 * 32)
    model = config.model_config(32_768)
    chosen = {name: layouts(model, config, 8, DEVICES[name])[0] for name in ("L4", "H200")}
    assert chosen == {"L4": "sharded", "H200": "replicated"}
    assert layouts(model, replace(config, parallel="fsdp"), 8, DEVICES["H200"]) == ["sharded"]
    assert layouts(model, replace(config, parallel="ddp"), 8, DEVICES["L4"]) == ["replicated"]
    assert layouts(model, replace(config, parallel="fsdp"), 1, DEVICES["H200"]) == ["replicated"]


def test_experts_that_a_token_does_not_pass_take_memory_and_no_time() -> None:
    found = recipe(depth=4, batch_tokens=65_536, tokens=65_536 * 100, model={"n_experts": 8, "n_active_experts": 2})
    model = found["pretrain"].model_config(4096)
    lines = plan_text(found, "H100")
    assert re.search(r"M parameters \(\S+M active\)", lines[0])
    assert f"{model.flops_per_token(1024) * 65_536 * 100:.3g} " in told(lines, "FLOPs")
    assert memory(model, 1024, 1).gradients == 4 * model.n_parameters > 4 * model.n_active_parameters


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 24), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from(sorted(DEVICES)))
def test_what_is_said_to_fit_fits_and_no_more_would(depth: int, n_devices: int, name: str) -> None:
    config = PretrainConfig(depth=depth, context_length=512, batch_tokens=512 * 32)
    model, device = config.model_config(32_768), DEVICES[name]
    found = fit(model, config, n_devices, device)
    limit = USABLE * device.memory_bytes
    if found is None:
        assert all(memory(model, 512, 1, n_devices=n_devices, layout=each).total > limit for each in ALL)
        return
    assert found.memory.total <= limit
    share = rows_of_each(config, n_devices)
    assert share % found.rows == 0
    more = [rows for rows in range(found.rows + 1, share + 1) if share % rows == 0]
    for rows in more:
        assert memory(model, 512, rows, n_devices=n_devices, layout=found.layout).total > limit


def test_sharding_lets_a_model_train_that_one_device_cannot_hold() -> None:
    config = PretrainConfig(depth=40, context_length=512, batch_tokens=512 * 32)
    model = config.model_config(32_768)
    assert fit(model, config, 1, DEVICES["L4"]) is None
    found = fit(model, config, 16, DEVICES["L4"])
    assert found is not None
    assert found.layout == "sharded"
    shares = [memory(model, 512, 1, n_devices=n, layout="sharded").optimizer for n in (1, 16)]
    assert shares[0] == pytest.approx(16 * shares[1])


@given(
    n_steps=st.integers(1, 700),
    keep=st.integers(1, 5),
    every=st.integers(0, 300),
    spaced=st.booleans(),
    chosen=st.lists(st.integers(1, 900), max_size=3),
)
@settings(deadline=None)
def test_checkpoints_are_counted_as_the_trainer_keeps_them(n_steps, keep, every, spaced, chosen) -> None:
    config = PretrainConfig(
        keep=keep, checkpoint_every=every, log_spaced_checkpoints=spaced, checkpoint_steps=tuple(chosen)
    )
    saved: list[int] = []
    for step in range(1, n_steps + 1):
        due = step == n_steps or (spaced and step & (step - 1) == 0) or step in chosen or (every and step % every == 0)
        if due:
            saved = sorted(kept_steps([*saved, step], keep, spaced, chosen))
    assert n_checkpoints(config, n_steps) == len(saved)


def test_time_price_and_flops_follow_from_each_other() -> None:
    found = recipe(depth=12, batch_tokens=65_536, tokens=65_536 * 100)
    model = found["pretrain"].model_config(4096)
    lines = plan_text(found, "8xH100", utilisation=0.5, price=2.0)
    flops = model.flops_per_token(1024) * 65_536 * 100
    assert f"{flops:.3g} " in told(lines, "FLOPs")
    rate = 8 * 989e12 * 0.5 / model.flops_per_token(1024)
    assert f"{rate:,.0f} tokens/s, 50% of the peak" in told(lines, "time")
    assert f"${65_536 * 100 / rate / 3600 * 16:,.2f} at $2 " in told(lines, "price")
    slower = plan_text(found, "8xH100", utilisation=0.25, price=2.0)
    assert float(told(slower, "price").split("$")[1].split(" ")[0]) == pytest.approx(
        2 * float(told(lines, "price").split("$")[1].split(" ")[0]), abs=0.02
    )


def test_on_cpu_speed_is_measured_and_conversations_are_not_guessed() -> None:
    tiny = {"depth": 1, "context_length": 32, "batch_tokens": 64, "tokens": 640, "precision": "fp32", "compile": "off"}
    data = {**RECIPE, "tokenizer": {"vocab_size": 300}, "pretrain": tiny, "sft": {**tiny, "tokens": 0}}
    data["sft"].pop("depth")
    lines = plan_text(recipe_from(data, {}).settings_of, "cpu")
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == ["pretrain", "sft"]
    assert re.search(r"at [\d,]+ tokens/s by a short measurement", told(lines, "time"))
    assert "in 10 steps of 64" in told(lines, "tokens")
    assert "as many as its conversations give" in told(lines[1 + len(lines) // 2 :], "tokens")
    assert not any(line.strip().startswith("price") for line in lines)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [("8xH100", (8, "H100")), ("h100", (1, "H100")), ("2×a100", (2, "A100")), ("cpu", (1, None)), ("CPU", (1, None))],
)
def test_devices_are_read_as_people_write_them(devices: str, expected: tuple[int, str | None]) -> None:
    count, device = parse_devices(devices)
    assert (count, device and device.name) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--devices", "8xH900"], r"--devices: there is no device 'H900'; known are cpu, L4, .*H100.*, as 8xH100$"),
        (["--devices", "0xH100"], r"--devices: takes 1 to 4096 devices, got 0$"),
        (["--devices", "2xcpu"], r"--devices: cpu is this machine, and only one of it"),
        (["--devices", "H100", "--utilisation", "1.5"], r"--utilisation: is a share above 0, up to 1, got 1.5$"),
        (["--utilisation", "0.5"], r"--utilisation: is measured on cpu, not given$"),
        (["--devices", "H100", "--price", "-1"], r"--price: must not be negative, got -1.0$"),
        (["--devices", "3xH100"], r"batch_tokens: a step has 16 rows, which 3 devices .*take a multiple of 1536$"),
        (
            ["--devices", "L4", "--pretrain.depth", "40"],
            r"pretrain: 3.16G parameters do not fit on 1xL4: one row .*; it would on \d+xL4 or 1x\w+",
        ),
        (["--pretrain.dept", "3"], r"--pretrain.dept: unknown flag"),
        (["another.toml"], r"fledge plan: expected one recipe, got 2"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], words: list[str], expected: str) -> None:
    assert main(["plan", str(ROOT / "recipes" / "demo.toml"), *words]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert re.search(expected, line.removeprefix("fledge: error: ").strip()), line


def test_a_recipe_without_a_model_is_refused() -> None:
    with pytest.raises(FledgeError, match=r"no \[pretrain\]"):
        plan_text(recipe_from({"name": "x", "tokenizer": {}}, {}).settings_of, "H100")
