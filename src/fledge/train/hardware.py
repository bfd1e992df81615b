"""How a stage computes on this machine: stored with the stage, and applied in every process that goes on with it."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from fledge.model.attention import Kernel
from fledge.run.files import read_json, write_json
from fledge.run.progress import duration, quantity
from fledge.train.memory import keep_buffers
from fledge.types import FledgeError

COMPILE_SECONDS = 18.0
"""However many layers: one block is compiled for all."""


@dataclass(frozen=True)
class Hardware:
    """How a stage computes, and ``reasons`` for each choice.

    ``flops_per_second`` is that of the best matrix product measured, ``tokens_per_second`` an estimate.
    """

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
    reuse_buffers: bool = True

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
    if hardware.reuse_buffers:
        keep_buffers()
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
