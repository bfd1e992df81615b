"""What a training costs before it is begun: memory with its parts, time, price and disk. No torch in here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from fledge.model.config import ModelConfig
from fledge.run.progress import quantity
from fledge.train.config import TrainConfig, chunk_tokens
from fledge.types import FledgeError

Layout = Literal["replicated", "sharded"]
USABLE = 0.9
"""Share of a device's memory that tensors get: the rest is the driver's, the libraries' and lost between buffers."""
MOST_DEVICES = 4096
FLOAT32, COMPUTE = 4, 2
PROCESS_BYTES = {True: 510e6, False: 700e6}
"""What a process holds on a CPU without any model, compiled or not: Python, torch, what probe and allocator leave."""
KEPT_SHARE = {True: 0.8, False: 1.45}
"""Activations held on a CPU, compiled or not, of those that are counted (benchmarks/plan_check.py, 2 to 6 layers)."""
LOGIT_BYTES = {True: 10, False: 24}
"""What the loss holds of each logit of a chunk, compiled or not: probabilities, gradients, and what lies between."""


@dataclass(frozen=True)
class Device:
    """An accelerator: memory in bytes, peak bf16 FLOP/s without sparsity, and a price in dollars an hour.

    Memory and FLOP/s are those of the makers' data sheets (NVIDIA A100, L4, L40S, H100 SXM, H200 SXM, B200; GeForce
    RTX 4090 with float32 accumulation, from NVIDIA's Ada white paper; AMD Instinct MI300X). Prices are round figures to
    count with, not offers: they change by provider and month, so give your own.
    """

    name: str
    memory_bytes: float
    peak_flops: float
    price_per_hour: float


DEVICES = {
    device.name: device
    for device in (
        Device("L4", 24e9, 121e12, 0.7),
        Device("RTX4090", 24e9, 165e12, 0.5),
        Device("L40S", 48e9, 362e12, 1.2),
        Device("A100-40GB", 40e9, 312e12, 1.3),
        Device("A100", 80e9, 312e12, 1.6),
        Device("H100", 80e9, 989e12, 2.5),
        Device("H200", 141e9, 989e12, 3.5),
        Device("MI300X", 192e9, 1307e12, 3.0),
        Device("B200", 180e9, 2250e12, 5.5),
    )
}


@dataclass(frozen=True)
class Memory:
    """Bytes on one device while it trains on some rows at once.

    ``checkpoint`` is the copy that is written in the background, ``process`` what there is without a model; both count
    on a CPU alone.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    checkpoint: float = 0.0
    process: float = 0.0

    @property
    def total(self) -> float:
        return sum(vars(self).values())

    def describe(self) -> str:
        """``weights 40MB, gradients 40MB, …``."""
        return ", ".join(f"{name} {quantity(n_bytes)}B" for name, n_bytes in vars(self).items() if n_bytes)


@dataclass(frozen=True)
class Fit:
    """How a training lies on its devices: the layout, and the rows that each takes at once."""

    layout: Layout
    rows: int
    memory: Memory


def parse_devices(words: str) -> tuple[int, Device | None]:
    """``8xH100`` → 8 and the device; ``cpu`` → 1 and None. Raises FledgeError with what is known."""
    match = re.fullmatch(r"(?:(\d+)\s*[xX×])?\s*(\S+)", words.strip())
    count, name = (int(match[1] or 1), match[2]) if match else (0, words)
    if name.lower() == "cpu":
        if count != 1:
            raise FledgeError("cpu is this machine, and only one of it", where="--devices", fix="give cpu")
        return 1, None
    known = {each.lower(): device for each, device in DEVICES.items()}
    if name.lower() not in known:
        raise FledgeError(
            f"there is no device {name!r}", where="--devices", fix=f"known are cpu, {', '.join(DEVICES)}, as 8xH100"
        )
    if not 1 <= count <= MOST_DEVICES:
        raise FledgeError(f"takes 1 to {MOST_DEVICES} devices, got {count}", where="--devices")
    return count, known[name.lower()]


def memory(
    model: ModelConfig,
    context: int,
    rows: int,
    *,
    n_devices: int = 1,
    layout: Layout = "replicated",
    compute_bytes: int = COMPUTE,
    keeps_pattern: bool = False,
    compiled: bool = True,
    recompute: bool = False,
    muon: bool = True,
) -> Memory:
    """Memory on each of ``n_devices`` to train on ``rows`` rows at once.

    Masters and gradients are float32; the optimizer holds one float32 a parameter of the blocks (with ``muon``: its
    momentum, each matrix's at its owner alone) and two of the rest (AdamW). With ``compute_bytes`` = 2 the matrices are
    there in bfloat16 as well. Sharded (FSDP, arXiv 2304.11277) each device keeps its share of all that, and whole what
    is being computed: embeddings and head, and two blocks, of which one is fetched while the other works. Activations
    are those of :meth:`ModelConfig.training_bytes`, less the logits that it counts: the loss holds a chunk of them at a
    time. With ``recompute`` they are the input of each block and what one block needs.
    """
    outside = model.vocab_size * model.d_model * (1 if model.tie_embeddings else 2)
    inside = model.n_parameters - outside
    tokens = rows * context
    of_one, of_two = (model.training_bytes(context, n * rows, compute_bytes, keeps_pattern) for n in (1, 2))
    activations = float(of_two - of_one) - tokens * model.vocab_size * (FLOAT32 + compute_bytes)
    if recompute:
        activations = activations / model.n_layers + tokens * model.n_layers * model.d_model * compute_bytes
    casts = compute_bytes * inside if compute_bytes < FLOAT32 else 0.0
    whole = 1.0
    if layout == "sharded":
        whole = 1.0 / n_devices
        casts = FLOAT32 * outside + 2 * compute_bytes * inside / model.n_layers
    moments = 2.0 * FLOAT32 * whole * model.n_parameters
    if muon:
        moments = FLOAT32 * inside / n_devices + 2.0 * FLOAT32 * whole * outside
    return Memory(
        weights=whole * model.n_parameters * FLOAT32 + casts,
        gradients=whole * model.n_parameters * FLOAT32,
        optimizer=moments,
        activations=activations,
        logits=min(tokens, chunk_tokens(model.vocab_size)) * model.vocab_size * LOGIT_BYTES[compiled],
    )


def memory_here(
    model: ModelConfig, config: TrainConfig, rows: int, *, compute_bytes: int, keeps_pattern: bool, compiled: bool
) -> Memory:
    """Memory of a whole process that trains on this CPU."""
    parts = memory(
        model,
        config.context_length,
        rows,
        compute_bytes=compute_bytes,
        keeps_pattern=keeps_pattern,
        compiled=compiled,
        recompute=config.recompute,
        muon=config.optim.muon,
    )
    copied = config.background_checkpoints and (config.checkpoint_every or config.log_spaced_checkpoints)
    return replace(
        parts,
        activations=parts.activations * KEPT_SHARE[compiled],
        checkpoint=float(model.checkpoint_bytes(muon=config.optim.muon)) if copied else 0.0,
        process=PROCESS_BYTES[compiled],
    )


def rows_of_each(config: TrainConfig, n_devices: int) -> int:
    """Rows of a step that each device takes; FledgeError where they cannot be dealt out evenly."""
    if config.batch_rows % n_devices:
        raise FledgeError(
            f"a step has {config.batch_rows} rows, which {n_devices} devices cannot share evenly",
            where="batch_tokens",
            fix=f"take a multiple of {n_devices * config.context_length}",
        )
    return config.batch_rows // n_devices


def layouts(model: ModelConfig, config: TrainConfig, n_devices: int, device: Device) -> list[Layout]:
    """The layouts that ``config.parallel`` allows, first the one that training would choose by itself."""
    if n_devices == 1:
        return ["replicated"]
    if config.parallel != "auto":
        return ["replicated" if config.parallel == "ddp" else "sharded"]
    whole = 16 * model.n_parameters <= device.memory_bytes / 2
    return ["replicated", "sharded"] if whole else ["sharded", "replicated"]


def fit(model: ModelConfig, config: TrainConfig, n_devices: int, device: Device) -> Fit | None:
    """The first layout that fits, with the most rows at once that do; None where one row is too much for each."""
    share = rows_of_each(config, n_devices)
    compute_bytes = FLOAT32 if config.precision == "fp32" else COMPUTE
    wanted = [config.micro_batch_rows] if config.micro_batch_rows else range(share, 0, -1)
    for layout in layouts(model, config, n_devices, device):
        for rows in wanted:
            if share % rows == 0:
                found = memory(
                    model,
                    config.context_length,
                    rows,
                    n_devices=n_devices,
                    layout=layout,
                    compute_bytes=compute_bytes,
                    keeps_pattern=config.attention == "products",
                    recompute=config.recompute,
                    muon=config.optim.muon,
                )
                if found.total <= USABLE * device.memory_bytes:
                    return Fit(layout, rows, found)
    return None


def refusal(model: ModelConfig, config: TrainConfig, n_devices: int, device: Device, where: str) -> FledgeError:
    """Why nothing fits, and the fewest of these devices and the other devices that would."""
    layout = layouts(model, config, n_devices, device)[-1]
    one = memory(
        model,
        config.context_length,
        1,
        n_devices=n_devices,
        layout=layout,
        recompute=config.recompute,
        muon=config.optim.muon,
    )
    more = [2**k for k in range(1, 13) if 2**k > n_devices and config.batch_rows % 2**k == 0]
    enough = next((n for n in more if fit(model, config, n, device)), 0)
    others = [
        f"{n_devices}x{other.name}"
        for other in sorted(DEVICES.values(), key=lambda each: each.price_per_hour)
        if fit(model, config, n_devices, other)
    ]
    would = [f"{enough}x{device.name}"] if enough else []
    would += others[:1]
    fix = f"it would on {' or '.join(would)}" if would else "take a smaller depth, vocab_size or context_length"
    return FledgeError(
        f"{quantity(model.n_parameters)} parameters do not fit on {n_devices}x{device.name}: one row at a time, "
        f"{layout}, needs {quantity(one.total)}B on each, which has {quantity(USABLE * device.memory_bytes)}B for it",
        where=where,
        fix=fix,
    )


def checkpoint_bytes(model: ModelConfig, config: TrainConfig) -> tuple[float, float]:
    """Bytes of one checkpoint (masters and optimizer) and of the model at the end (masters), in float32."""
    return float(model.checkpoint_bytes(muon=config.optim.muon)), float(FLOAT32 * model.n_parameters)


def n_checkpoints(config: TrainConfig, n_steps: int) -> int:
    """Checkpoints that lie on the disk at the end: the newest, the log-spaced, those at chosen steps."""
    every = config.checkpoint_every
    spaced = {2**k for k in range(n_steps.bit_length())} if config.log_spaced_checkpoints else set()
    chosen = {step for step in config.checkpoint_steps if step <= n_steps}
    saved = {n_steps, *spaced, *chosen, *(range(every, n_steps + 1, every) if every else ())}
    return len({*sorted(saved)[-config.keep :]} | spaced | chosen)
