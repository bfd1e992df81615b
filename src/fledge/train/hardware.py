"""What the machine does fastest: chosen by short measurements, stored with the stage, reused on resume."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from fledge.model.attention import Kernel, additive, attend_products, attend_sdpa, document_mask
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.run.files import read_json, write_json
from fledge.run.progress import duration, quantity
from fledge.train.config import TrainConfig
from fledge.train.cross_entropy import cross_entropy
from fledge.train.memory import available_bytes, obtainable_bytes, reuse_buffers
from fledge.train.share import process_bytes, sharers
from fledge.train.timing import best_seconds, one_thread
from fledge.types import FledgeError

COMPILE_SECONDS = 15.0
COMPILE_SECONDS_PER_LAYER = 2.0
COMPILE_GAIN = 1.4
BF16_MUST_GAIN = 1.2
PRODUCTS_MAX_CONTEXT = 2048


@dataclass(frozen=True)
class Hardware:
    """How a stage computes. ``flops_per_second`` is the best matrix product measured; rates are estimates."""

    device: str
    threads: int
    precision: Literal["bf16", "fp32"]
    compile: bool
    attention: Kernel
    micro_batch_rows: int
    flops_per_second: float
    tokens_per_second: float
    reasons: dict[str, str]
    torch_version: str
    machine: str

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def seconds(self, tokens: int) -> float:
        """Estimated time to train on ``tokens``, compilation included."""
        return tokens / self.tokens_per_second + (COMPILE_SECONDS if self.compile else 0.0)

    def describe(self, tokens: int) -> str:
        """``about 9m20s for 9.8M tokens: bf16, compiled, …``: the estimate told before training."""
        parts = [self.device, f"{self.threads} threads", self.precision, "compiled" if self.compile else "not compiled"]
        parts += [f"attention by {self.attention}", f"{self.micro_batch_rows} rows at once"]
        return f"about {duration(self.seconds(tokens))} for {quantity(tokens)} tokens: {', '.join(parts)}"


def choose_hardware(config: TrainConfig, model: ModelConfig, tokens: int) -> Hardware:
    """Measure and choose, in one to three seconds for a small model (more where a compiler has to be tried)."""
    check_memory(config, model)
    device = choose_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    reuse_buffers()
    reasons: dict[str, str] = {}
    precision, flops = _choose_precision(config.precision, model, device, reasons)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    kernel = _choose_attention(config, model, device, dtype, reasons)
    rows = config.micro_batch_rows or _choose_rows(config, model, device, dtype, kernel, reasons)
    eager = _eager_tokens_per_second(config, model, device, dtype, kernel)
    compiled = _choose_compile(config.compile, model, tokens / eager, reasons)
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
    )


def stored_hardware(path: Path) -> Hardware | None:
    """What an earlier process chose for this stage, or None; one line where this machine cannot do the same."""
    if not path.exists():
        return None
    values: dict[str, Any] = read_json(path)
    try:
        hardware = Hardware(**values)
    except TypeError as error:
        raise FledgeError("does not describe a machine", where=str(path), fix="remove it and run again") from error
    fix = f"remove {path} to choose anew; the result will differ in its last digits"
    kind = torch.device(hardware.device).type
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise FledgeError(f"training began on {hardware.device}, which is not here", where=str(path), fix=fix)
    if hardware.compile:
        problem = compiler_problem()
        if problem:
            raise FledgeError(f"training began with torch.compile, but here {problem}", where=str(path), fix=fix)
    return hardware


def store_hardware(path: Path, hardware: Hardware) -> None:
    write_json(path, asdict(hardware))


def apply_hardware(hardware: Hardware) -> None:
    """Set this process up: threads, buffer reuse, and algorithms that give the same bits every time."""
    torch.set_num_threads(hardware.threads)
    reuse_buffers()
    if hardware.device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_float32_matmul_precision("high")
    torch.use_deterministic_algorithms(True, warn_only=not hardware.device.startswith("cpu"))
    # Filling fresh memory is for programs that read it before they write it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def choose_device(setting: str) -> torch.device:
    """``auto`` is CUDA, else MPS, else the CPU."""
    if setting == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(setting)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise FledgeError(
            f"there is no device {setting!r} here", where="device", fix="use auto, cpu, cuda or mps"
        ) from error
    return device


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


def compiler_problem() -> str:
    """Why torch.compile cannot work here, found by compiling a line; empty where it does."""
    compilers = [os.environ.get("CXX", ""), "g++", "clang++", "c++", "cl", "icx"]
    if not any(shutil.which(name) for name in compilers if name):
        return "there is no C++ compiler"
    try:
        torch.compile(lambda x: (x + 1).sin(), dynamic=False)(torch.zeros(8))
    except Exception as error:  # torch wraps whatever the compiler says in many kinds of errors
        return f"the compiler fails ({str(error).strip().splitlines()[0][:120]})"
    return ""


def _product_flops(
    model: ModelConfig, device: torch.device, dtypes: Mapping[str, torch.dtype], n_flops: float
) -> dict[str, float]:
    """FLOP/s, in each type, of a product shaped like the model's MLP, of about ``n_flops``."""
    rows = int(min(8192, max(16, n_flops / (2 * model.d_model * model.d_ff))))

    def product(dtype: torch.dtype) -> Callable[[], Any]:
        x = torch.ones(rows, model.d_model, dtype=dtype, device=device)
        w = torch.ones(model.d_ff, model.d_model, dtype=dtype, device=device)
        return lambda: x @ w.T

    seconds = best_seconds({name: product(dtype) for name, dtype in dtypes.items()}, device)
    return {name: 2 * rows * model.d_model * model.d_ff / each for name, each in seconds.items()}


def _choose_precision(
    setting: str, model: ModelConfig, device: torch.device, reasons: dict[str, str]
) -> tuple[Literal["bf16", "fp32"], float]:
    """The faster arithmetic. A processor may take bfloat16 and be 30 times slower in it, so only timing tells."""
    dtypes = {"bf16": torch.bfloat16, "fp32": torch.float32}
    with one_thread():
        little = _product_flops(model, device, dtypes, 1e8)
    gain = little["bf16"] / little["fp32"]
    reasons["precision"] = f"bf16 products run at {gain:.2f} times the speed of fp32"
    name: Literal["bf16", "fp32"] = "bf16" if setting == "bf16" else "fp32"
    if setting == "auto":
        name = "bf16" if gain >= BF16_MUST_GAIN else "fp32"
    large = _product_flops(model, device, {name: dtypes[name]}, max(2e9, little[name] / 50))
    return name, max(little[name], large[name])


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
    """The most rows, of those that divide the batch, whose training takes at most half of the free memory."""
    free = available_bytes(device) // sharers(device)
    n = config.batch_rows
    divisors = [rows for rows in range(n, 0, -1) if n % rows == 0]
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


def _choose_compile(setting: str, model: ModelConfig, eager_seconds: float, reasons: dict[str, str]) -> bool:
    if setting == "off":
        return False
    cost = COMPILE_SECONDS + COMPILE_SECONDS_PER_LAYER * model.n_layers
    saved = eager_seconds * (1 - 1 / COMPILE_GAIN)
    if setting == "auto" and saved < cost:
        reasons["compile"] = f"compiling would cost about {duration(cost)} and save {duration(saved)}"
        return False
    problem = compiler_problem()
    if problem and setting == "on":
        raise FledgeError(f"compile is on, but {problem}", where="compile", fix="use auto or off")
    reasons["compile"] = problem or f"saves about {duration(saved)} of {duration(eager_seconds)}"
    return not problem
