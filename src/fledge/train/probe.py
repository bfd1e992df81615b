"""What the machine does fastest, found by short measurements and never by a name."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from fledge.model.attention import Kernel, additive, attend_products, attend_sdpa, document_mask
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.run.processes import usable_processors
from fledge.run.progress import duration, quantity
from fledge.train.config import TrainConfig
from fledge.train.cross_entropy import cross_entropy
from fledge.train.hardware import COMPILE_SECONDS, Hardware, choose_device, compiler_problem
from fledge.train.memory import available_bytes, keep_buffers, obtainable_bytes, reuse_gain
from fledge.train.share import process_bytes, sharers
from fledge.train.timing import best_seconds, one_thread
from fledge.types import FledgeError

COMPILE_GAIN = 1.4
BF16_MUST_GAIN = 1.2
THREADS_MUST_GAIN = 1.1
REUSE_MUST_GAIN = 1.1
PRODUCTS_MAX_CONTEXT = 2048
CPU_TOKENS_AT_ONCE = 4096
"""More at once makes a processor no faster (docs/log.md), and keeps more."""


def choose_hardware(config: TrainConfig, model: ModelConfig, tokens: int) -> Hardware:
    """Measure and choose, in one to three seconds for a small model (more where a compiler has to be tried)."""
    check_memory(config, model)
    device = choose_device(config.device)
    reasons: dict[str, str] = {}
    reuse = _choose_reuse(config.reuse_buffers, device, reasons)
    if config.threads:
        torch.set_num_threads(config.threads)
    precision, little = _choose_precision(config.precision, model, device, reasons)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    flops = _choose_threads(config.threads, model, device, dtype, little, reasons)
    kernel = _choose_attention(config, model, device, dtype, reasons)
    rows = config.micro_batch_rows or _choose_rows(config, model, device, dtype, kernel, reasons)
    eager = _eager_tokens_per_second(config, model, device, dtype, kernel)
    compiled = _choose_compile(config.compile, tokens / eager, reasons)
    return Hardware(
        device=str(device),
        threads=torch.get_num_threads(),
        precision=precision,
        compile=compiled,
        attention=kernel,
        micro_batch_rows=rows,
        flops_per_second=flops,
        tokens_per_second=eager * (COMPILE_GAIN if compiled else 1.0),
        reasons=reasons,
        torch_version=torch.__version__,
        machine=platform.machine(),
        reuse_buffers=reuse,
    )


def check_memory(config: TrainConfig, model: ModelConfig) -> None:
    """Raise FledgeError where training by as few rows at a time as may be needs more memory than there is."""
    device = choose_device(config.device)
    rows, compute_bytes = config.micro_batch_rows or 1, 4 if config.precision == "fp32" else 2
    needed = process_bytes(config, model, device, rows, compute_bytes, config.attention == "products")
    free = obtainable_bytes(device) // sharers(device)
    if free and needed > free:
        raise FledgeError(
            f"training this model needs about {quantity(needed)}B of memory, and {quantity(free)}B are free",
            fix="take a smaller depth, vocab_size or context_length",
        )


@dataclass(frozen=True)
class _Product:
    """A product shaped like the model's MLP, and the floating-point operations of one call."""

    call: Callable[[], Any]
    flops: float


def _product(model: ModelConfig, device: torch.device, dtype: torch.dtype, n_flops: float) -> _Product:
    """One of about ``n_flops``."""
    rows = int(min(8192, max(16, n_flops / (2 * model.d_model * model.d_ff))))
    x = torch.ones(rows, model.d_model, dtype=dtype, device=device)
    w = torch.ones(model.d_ff, model.d_model, dtype=dtype, device=device)
    return _Product(lambda: x @ w.T, 2.0 * rows * model.d_model * model.d_ff)


def _choose_precision(
    setting: str, model: ModelConfig, device: torch.device, reasons: dict[str, str]
) -> tuple[Literal["bf16", "fp32"], float]:
    """The faster arithmetic. A processor may take bfloat16 and be 30 times slower in it, so only timing tells."""
    dtypes = {"bf16": torch.bfloat16, "fp32": torch.float32}
    products = {name: _product(model, device, dtype, 1e8) for name, dtype in dtypes.items()}
    with one_thread():
        seconds = best_seconds({name: product.call for name, product in products.items()}, device)
    little = {name: product.flops / seconds[name] for name, product in products.items()}
    gain = little["bf16"] / little["fp32"]
    reasons["precision"] = f"bf16 products run at {gain:.2f} times the speed of fp32"
    name: Literal["bf16", "fp32"] = "bf16" if setting == "bf16" else "fp32"
    if setting == "auto":
        name = "bf16" if gain >= BF16_MUST_GAIN else "fp32"
    return name, little[name]


def _choose_threads(
    setting: int, model: ModelConfig, device: torch.device, dtype: torch.dtype, little: float, reasons: dict[str, str]
) -> float:
    """Set the threads on which a large product is fastest, other than torch's own number only where that gains much.

    ``little`` is the rate of a small product in one thread. Returns the best rate, FLOP/s.
    """
    own = torch.get_num_threads()
    given = setting or "OMP_NUM_THREADS" in os.environ or device.type != "cpu" or sharers(device) > 1
    tried = {own} if given else {own, max(1, own // 2), len(usable_processors())}
    products = {n: _product(model, device, dtype, max(2e9, little / 50)) for n in sorted(tried)}

    def on(n: int) -> Callable[[], Any]:
        def work() -> None:
            torch.set_num_threads(n)
            products[n].call()

        return work

    seconds = best_seconds({str(n): on(n) for n in products}, device)
    rates = {n: products[n].flops / seconds[str(n)] for n in products}
    best = max(rates, key=lambda n: rates[n])
    chosen = best if rates[best] >= THREADS_MUST_GAIN * rates[own] else own
    torch.set_num_threads(chosen)
    told = ", ".join(f"{n}: {rate / 1e9:.0f}" for n, rate in rates.items())
    reasons["threads"] = f"GFLOP/s of a product by threads {told}"
    return max(little, rates[chosen])


def _choose_reuse(setting: str, device: torch.device, reasons: dict[str, str]) -> bool:
    if setting == "off" or device.type != "cpu":
        return False
    gain = reuse_gain()
    reasons["reuse_buffers"] = f"kept memory fills {gain:.1f} times as fast as fresh" if gain else "there is no glibc"
    reuse = gain > 0 and (setting == "on" or gain >= REUSE_MUST_GAIN)
    keep_buffers(reuse)
    return reuse


def _choose_attention(
    config: TrainConfig, model: ModelConfig, device: torch.device, dtype: torch.dtype, reasons: dict[str, str]
) -> Kernel:
    if config.attention != "auto":
        return config.attention
    t = config.context_length
    if device.type != "cpu" or t > PRODUCTS_MAX_CONTEXT:
        reasons["attention"] = "fused kernels need the least memory"
        return "sdpa"
    rows = max(1, 1024 // t)
    q, k, v = (
        torch.ones(rows, n, t, model.head_dim, dtype=dtype, device=device, requires_grad=True)
        for n in (model.n_heads, model.n_kv_heads, model.n_kv_heads)
    )
    mask = document_mask(torch.zeros(rows, t, dtype=torch.int64, device=device))
    added = additive(mask, dtype)
    with one_thread():
        seconds = best_seconds(
            {
                "products": lambda: attend_products(q, k, v, added, None, "").sum().backward(),
                "sdpa": lambda: attend_sdpa(q, k, v, mask).sum().backward(),
            },
            device,
        )
    reasons["attention"] = f"products {seconds['products'] * 1e3:.1f} ms, sdpa {seconds['sdpa'] * 1e3:.1f} ms"
    return "products" if seconds["products"] <= seconds["sdpa"] else "sdpa"


def _choose_rows(
    config: TrainConfig,
    model: ModelConfig,
    device: torch.device,
    dtype: torch.dtype,
    kernel: Kernel,
    reasons: dict[str, str],
) -> int:
    """The most rows, of those that divide the batch, whose training takes at most half of the free memory.

    On a processor, no more than 4,096 tokens.
    """
    free = available_bytes(device) // sharers(device)
    n = config.batch_rows
    most = max(1, CPU_TOKENS_AT_ONCE // config.context_length) if device.type == "cpu" else n
    divisors = [rows for rows in range(n, 0, -1) if n % rows == 0 and rows <= most]
    for rows in divisors:
        needed = process_bytes(config, model, device, rows, dtype.itemsize, kernel == "products")
        if needed <= free / 2 or rows == 1:
            reasons["micro_batch_rows"] = f"{quantity(needed)}B needed of {quantity(free)}B free"
            return rows
    raise AssertionError("one row always divides a batch")


def _eager_tokens_per_second(
    config: TrainConfig, model: ModelConfig, device: torch.device, dtype: torch.dtype, kernel: Kernel
) -> float:
    """Training speed without compilation, from the times of models of one and two layers."""
    t = config.context_length
    rows = min(config.batch_rows, max(1, 1024 // t))
    tokens = torch.zeros(rows, t, dtype=torch.int64, device=device)

    def training(n_layers: int) -> Callable[[], None]:
        decoder = Decoder(replace(model, n_layers=n_layers)).to(device)
        decoder.compute_dtype, decoder.kernel = dtype, kernel
        return lambda: cross_entropy(decoder(tokens, document_BT=tokens), tokens)[0].sum().backward()

    seconds = best_seconds({"one": training(1), "two": training(2)}, device)
    layer = max(seconds["two"] - seconds["one"], 0.2 * seconds["one"])
    return rows * t / (seconds["one"] + (model.n_layers - 1) * layer)


def _choose_compile(setting: str, eager_seconds: float, reasons: dict[str, str]) -> bool:
    if setting == "off":
        return False
    saved = eager_seconds * (1 - 1 / COMPILE_GAIN)
    if setting == "auto" and saved < COMPILE_SECONDS:
        reasons["compile"] = f"compiling would cost about {duration(COMPILE_SECONDS)} and save {duration(saved)}"
        return False
    problem = compiler_problem()
    if problem and setting == "on":
        raise FledgeError(f"compile is on, but {problem}", where="compile", fix="use auto or off")
    reasons["compile"] = problem or f"saves about {duration(saved)} of {duration(eager_seconds)}"
    return not problem
