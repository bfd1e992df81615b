from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.run.progress import quantity
from fledge.train import hardware, memory
from fledge.train import probe as machine
from fledge.train.config import ModelOverrides, PretrainConfig, TrainConfig
from fledge.train.hardware import store_hardware, stored_hardware
from fledge.train.memory import available_bytes, keep_buffers, obtainable_bytes
from fledge.train.probe import choose_hardware
from fledge.types import FledgeError

MODEL = ModelConfig.from_depth(2, 300)
CONFIG = TrainConfig(context_length=64, batch_tokens=1024, device="cpu", compile="off", threads=1)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_choices_are_complete_and_come_back_from_disk(tmp_path):
    chosen = choose_hardware(CONFIG, MODEL, 10_000)
    assert chosen.flops_per_second > 1e6 and chosen.tokens_per_second > 1
    assert CONFIG.batch_rows % chosen.micro_batch_rows == 0
    store_hardware(tmp_path / "hardware.json", chosen)
    assert stored_hardware(tmp_path / "hardware.json") == chosen
    assert stored_hardware(tmp_path / "absent.json") is None
    assert "10.0k tokens" in chosen.describe(10_000) or "10k tokens" in chosen.describe(10_000)


@pytest.mark.parametrize(("bf16_speed", "expected"), [(3.0, "bf16"), (1.1, "fp32"), (0.03, "fp32")])
def test_precision_is_chosen_by_speed_never_by_name(monkeypatch, bf16_speed, expected):
    def fake(works, device):
        return {name: 1.0 / bf16_speed if name == "bf16" else 1.0 for name in works}

    monkeypatch.setattr(machine, "best_seconds", fake)
    monkeypatch.setattr(machine, "_eager_tokens_per_second", lambda *_: 1000.0)
    config = replace(CONFIG, attention="sdpa")
    assert choose_hardware(config, MODEL, 10_000).precision == expected
    assert choose_hardware(replace(config, precision="fp32"), MODEL, 10_000).precision == "fp32"


@pytest.mark.parametrize(("products", "sdpa"), [(1.0, 2.0), (2.0, 1.0)])
def test_attention_is_chosen_by_speed(monkeypatch, products, sdpa):
    monkeypatch.setattr(machine, "best_seconds", lambda works, device: {"products": products, "sdpa": sdpa})
    reasons = {}
    kernel = machine._choose_attention(CONFIG, MODEL, torch.device("cpu"), torch.float32, reasons)
    assert kernel == ("products" if products < sdpa else "sdpa") and "ms" in reasons["attention"]


def test_long_context_takes_the_kernel_without_the_square():
    config = replace(CONFIG, context_length=4096, batch_tokens=4096)
    assert machine._choose_attention(config, MODEL, torch.device("cpu"), torch.float32, {}) == "sdpa"


def test_rows_at_once_follow_the_memory(monkeypatch):
    for free, expected in ((10**12, 16), (10**6, 1)):
        monkeypatch.setattr(machine, "available_bytes", lambda device, free=free: free)
        rows = machine._choose_rows(CONFIG, MODEL, torch.device("cpu"), torch.float32, "products", {})
        assert rows == expected


def test_a_processor_takes_no_more_tokens_at_once_than_make_it_faster(monkeypatch):
    monkeypatch.setattr(machine, "available_bytes", lambda device: 10**12)
    config = replace(CONFIG, context_length=512, batch_tokens=16_384, micro_batch_rows=0)
    for device, expected in (("cpu", 8), ("cuda", 32)):
        monkeypatch.setattr(machine, "sharers", lambda device: 1)
        assert machine._choose_rows(config, MODEL, torch.device(device), torch.float32, "products", {}) == expected


def test_compiling_must_be_repaid_and_possible(monkeypatch):
    monkeypatch.setattr(machine, "compiler_problem", lambda: "")
    assert not machine._choose_compile("auto", 5.0, {})
    assert machine._choose_compile("auto", 5000.0, {})
    assert machine._choose_compile("on", 5.0, {})
    monkeypatch.setattr(machine, "compiler_problem", lambda: "there is no C++ compiler")
    reasons = {}
    assert not machine._choose_compile("auto", 5000.0, reasons)
    assert reasons["compile"] == "there is no C++ compiler"
    with pytest.raises(FledgeError, match="no C\\+\\+ compiler"):
        machine._choose_compile("on", 5000.0, {})


def test_without_a_compiler_on_the_path_it_is_said(monkeypatch):
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    assert hardware.compiler_problem() == "there is no C++ compiler"


@pytest.mark.parametrize(("change", "told"), [({"device": "cuda"}, "not here"), ({"compile": True}, "compile")])
def test_choices_that_this_machine_cannot_repeat_are_refused(tmp_path, monkeypatch, change, told):
    monkeypatch.setattr(hardware, "compiler_problem", lambda: "there is no C++ compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = choose_hardware(CONFIG, MODEL, 10_000)
    store_hardware(tmp_path / "hardware.json", replace(chosen, **change))
    with pytest.raises(FledgeError, match=told):
        stored_hardware(tmp_path / "hardware.json")


def test_a_device_that_is_not_there_is_one_line():
    with pytest.raises(FledgeError, match="there is no device 'gpu9'"):
        hardware.choose_device("gpu9")


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**63 - 1])
def test_seeds_that_are_taken_can_be_used(seed):
    assert PretrainConfig(seed=seed).seed == seed
    Decoder(ModelConfig.from_depth(1, 8, d_model=8, head_dim=2, d_ff=8), seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)


def test_a_model_beyond_the_memory_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr(machine, "best_seconds", lambda *_: pytest.fail("measured"))
    needed = MODEL.training_bytes(64, 1, 2, keeps_pattern=False)
    monkeypatch.setattr(machine, "obtainable_bytes", lambda device: needed - 1)
    told = rf"needs about {quantity(needed)}B of memory, and {quantity(needed - 1)}B are free; take a smaller depth"
    with pytest.raises(FledgeError, match=told):
        choose_hardware(CONFIG, MODEL, 10_000)
    for free in (0, needed):
        monkeypatch.setattr(machine, "obtainable_bytes", lambda device, free=free: free)
        machine.check_memory(CONFIG, MODEL)
    with pytest.raises(FledgeError, match="of memory, and"):
        machine.check_memory(CONFIG, ModelConfig.from_depth(1024, 4096))


def test_files_kept_in_the_memory_of_a_control_group_give_way(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_meminfo", lambda: 10**9)
    monkeypatch.setattr(memory, "_physical", lambda: 10**9)
    cpu = torch.device("cpu")
    assert obtainable_bytes(cpu) == available_bytes(cpu) == 10**9
    for name, text in (
        ("memory.max", "1000\n"),
        ("memory.current", "900\n"),
        ("memory.stat", "anon 200\nfile 700\nactive_file 300\ninactive_file 350\n"),
    ):
        (tmp_path / name).write_text(text, encoding="ascii")
    assert (available_bytes(cpu), obtainable_bytes(cpu)) == (100, 750)
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert obtainable_bytes(cpu) == 10**9
    monkeypatch.setattr(memory, "_meminfo", lambda: 0)
    assert obtainable_bytes(cpu) == 2 * 10**9


def test_memory_and_buffers():
    assert available_bytes(torch.device("cpu")) > 2**20
    assert keep_buffers() in (True, False)


@pytest.mark.parametrize(("gain", "setting", "kept"), [(3.0, "auto", True), (1.0, "auto", False), (1.0, "on", True)])
def test_memory_is_kept_where_that_is_measured_to_help(monkeypatch, gain, setting, kept):
    calls, reasons = [], {}
    monkeypatch.setattr(machine, "reuse_gain", lambda: gain)
    monkeypatch.setattr(machine, "keep_buffers", calls.append)
    assert machine._choose_reuse(setting, torch.device("cpu"), reasons) is kept
    assert calls == [kept] and f"{gain:.1f} times" in reasons["reuse_buffers"]


def test_memory_is_not_kept_where_it_is_switched_off_or_cannot_be(monkeypatch):
    monkeypatch.setattr(machine, "reuse_gain", lambda: 0.0)
    monkeypatch.setattr(machine, "keep_buffers", lambda on: None)
    for setting in ("auto", "on", "off"):
        assert machine._choose_reuse(setting, torch.device("cpu"), {}) is False


@pytest.mark.parametrize(
    ("seconds", "chosen"), [({"2": 1.0, "4": 2.0, "8": 1.5}, 2), ({"2": 1.2, "4": 1.0, "8": 0.95}, 4), ({}, 4)]
)
def test_threads_are_those_on_which_a_product_is_fastest(monkeypatch, seconds, chosen):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", (told := []).append)
    monkeypatch.setattr(machine, "usable_processors", lambda: frozenset(range(8)))
    monkeypatch.setattr(machine, "best_seconds", lambda works, device: {name: seconds.get(name, 1.0) for name in works})
    reasons = {}
    flops = machine._choose_threads(0, MODEL, torch.device("cpu"), torch.float32, 1.0, reasons)
    assert told == [chosen] and flops > 1e6 and "2: " in reasons["threads"] and "8: " in reasons["threads"]


@pytest.mark.parametrize("given", ["setting", "environment"])
def test_threads_that_somebody_chose_are_left_alone(monkeypatch, given):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given == "environment":
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    machine._choose_threads(int(given == "setting"), MODEL, torch.device("cpu"), torch.float32, 1.0, {})
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("batch_tokens", {"batch_tokens": 100}),
        ("micro_batch_rows", {"batch_tokens": 8192, "micro_batch_rows": 5}),
        ("warmup", {"warmup": 1.5}),
        ("decay", {"warmup": 0.5, "decay": 0.7}),
        ("keep", {"keep": 0}),
        ("depth", {"depth": 0}),
        ("depth must be at most 1024", {"depth": 10**6}),
        ("seed must lie between", {"seed": 10**23}),
        ("seed must lie between", {"seed": -(2**63) - 1}),
        (r"model\.d_model: d_model must be at most", {"model": ModelOverrides(d_model=10**10)}),
        (r"model\.n_kv_heads: ", {"model": ModelOverrides(n_heads=4, n_kv_heads=3)}),
        (r"model\.rope_theta: ", {"model": ModelOverrides(rope_theta=float("nan"))}),
    ],
)
def test_impossible_settings_are_refused_by_name(name, change):
    with pytest.raises(FledgeError, match=name):
        PretrainConfig(**change)


def test_horizon_follows_the_dial():
    config = PretrainConfig(depth=4)
    model = config.model_config(2048)
    filled = config.for_model(model)
    assert abs(filled.tokens / model.n_matrix_parameters - 12) < 0.1
    assert filled.tokens % filled.batch_tokens == 0
    assert PretrainConfig(depth=4, tokens=100_000).for_model(model).tokens == 12 * 8192
    assert filled.for_model(model) == filled


def test_batch_follows_the_horizon():
    model = PretrainConfig(depth=4).model_config(2048)
    sizes = [PretrainConfig(tokens=10**n).for_model(model).batch_tokens for n in range(4, 13)]
    assert sizes == sorted(sizes) and sizes[0] == sizes[2] == 8192 and sizes[-1] == 2**20
    assert all(size & (size - 1) == 0 for size in sizes)
    assert PretrainConfig(tokens=10**9, batch_tokens=512).for_model(model).batch_tokens == 512
    assert PretrainConfig(tokens=10**9, context_length=3000).for_model(model).batch_tokens % 3000 == 0
    assert PretrainConfig(tokens=10**4, context_length=32768).for_model(model).batch_rows == 1
    assert PretrainConfig(micro_batch_rows=5).for_model(model).batch_rows % 5 == 0
    short = PretrainConfig(tokens=10**9).for_model(model, at_most=10**6)
    assert short.batch_tokens == 8192 and short.tokens <= 10**6
    with pytest.raises(FledgeError, match="batch_tokens must be at least 1"):
        TrainConfig(batch_tokens=0)
