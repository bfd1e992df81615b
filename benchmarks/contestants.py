"""Who is compared in the benchmarks, under which circumstances, and how a contestant's process is started."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.task import Task

from fledge.run.processes import usable_processors

HERE = Path(__file__).resolve().parent
PEERS = ("nanogpt", "litgpt", "transformers", "nanochat")
ALWAYS_COMPILED = ("litgpt", "nanochat")
"""Their own training commands compile whatever the machine."""
CLONES = {"nanogpt": "model.py", "nanochat": "nanochat/gpt.py"}
LEVERS = ("OMP_", "KMP_", "GOMP_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "TORCHINDUCTOR_", "ONEDNN_", "MKL_")
REUSE = {"MALLOC_MMAP_THRESHOLD_": str(2**31 - 1), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""What Fledge asks of glibc by mallopt, for processes that do not ask themselves."""
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Contestant:
    """One row of the table. ``family`` says under which circumstances it runs."""

    peer: str
    family: str
    precision: str = "fp32"
    compile: bool = False
    best: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.peer}, {self.family}"

    @property
    def graph(self) -> tuple[str, str, bool, tuple[tuple[str, str], ...]]:
        """What decides the compiled code: contestants that share it share the compiler's cache."""
        return self.peer, self.precision, self.compile, tuple(sorted(self.settings.items()))


@dataclass(frozen=True)
class Places:
    """Where the peers are: a Python that has the packages, and clones of those without a package."""

    python: str = ""
    nanogpt: str = ""
    nanochat: str = ""

    def missing(self, peer: str) -> str:
        """Why ``peer`` cannot run here; empty where it can."""
        if peer == "fledge":
            return ""
        if not self.python:
            return "no --peers-python was given"
        if peer in CLONES:
            clone = getattr(self, peer)
            if not clone:
                return f"no --{peer} was given"
            return "" if Path(clone, CLONES[peer]).exists() else f"{clone} holds no {CLONES[peer]}"
        look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({peer!r}) is None)"
        try:
            found = subprocess.run([self.python, "-c", look], capture_output=True, timeout=300)
        except OSError as error:
            return f"{self.python} does not start: {error}"
        return f"{self.python} has no {peer}" if found.returncode else ""


def tcmalloc() -> str:
    """The file of tcmalloc, where the system has it."""
    name = ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")
    return name or ""


def contestants(fledge: Mapping[str, str], *, bf16: bool) -> list[Contestant]:
    """Everyone, those that matter most first. Without ``bf16`` all arithmetic is float32."""
    precision = "bf16" if bf16 else "fp32"
    at_best = {"precision": precision, "compile": True, "best": True}
    tuned = f"{precision}, compiled"
    found = [
        Contestant("fledge", "default", environment=PASSIVE, settings=fledge),
        Contestant("fledge", "AdamW", environment=PASSIVE, settings={**fledge, "optim.kind": "adamw"}),
    ]
    found += [Contestant(peer, tuned, **at_best) for peer in PEERS]  # type: ignore[arg-type]
    environments = {"glibc reuse": REUSE} | ({"tcmalloc": {"LD_PRELOAD": tcmalloc()}} if tcmalloc() else {})
    for name, environment in environments.items():
        levers = {**PASSIVE, **environment}
        found += [Contestant(p, f"{tuned}, {name}", environment=levers, **at_best) for p in PEERS]  # type: ignore[arg-type]
    found += [Contestant(peer, "fp32 default", compile=peer in ALWAYS_COMPILED) for peer in PEERS]
    own = {**fledge, "own_shape": "yes"}
    return [*found, Contestant("fledge", "own shape", environment=PASSIVE, settings=own)]


def without_levers(fledge: Mapping[str, str], *, bf16: bool) -> list[Contestant]:
    """Fledge as it chooses by itself, then with one thing after the other taken away that makes it fast."""
    less = {
        "without compilation": {"compile": "off"},
        "without kept memory": {"reuse_buffers": "off"},
        "without attention of products": {"attention": "sdpa"},
        "without the second thread": {"threads": "1"},
        "without small pieces": {"micro_batch_rows": "all"},
        "without Muon": {"optim.kind": "adamw"},
    }
    if bf16:
        less["without bf16"] = {"precision": "fp32"}
    found = [Contestant("fledge", "default", environment=PASSIVE, settings=fledge)]
    found += [Contestant("fledge", name, environment=PASSIVE, settings={**fledge, **s}) for name, s in less.items()]
    return [*found, Contestant("fledge", "without patient threads", settings=fledge)]


@dataclass
class Turn:
    """What one process of a contestant told. ``error`` says why there is nothing more."""

    contestant: str
    round: int
    first_seconds: float = 0.0
    ready_seconds: float = 0.0
    step_seconds: list[float] = field(default_factory=list)
    n_parameters: int = 0
    peak_bytes: int = 0
    peak_step_bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """Enter one line of the child."""
        match event["event"]:
            case "ready":
                self.ready_seconds, self.n_parameters = event["seconds"], event["n_parameters"]
                self.versions, self.hardware = event["versions"], event.get("hardware", {})
            case "step" if event["kind"] == "first":
                self.first_seconds = event["seconds"]
            case "step" if event["kind"] == "timed":
                self.step_seconds.append(event["seconds"])
            case "end":
                self.peak_bytes, self.peak_step_bytes = event["peak_bytes"], event["peak_step_bytes"]


def environment_of(contestant: Contestant, further: Mapping[str, str], threads: int) -> dict[str, str]:
    """This process's environment without whatever levers it has, with the contestant's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEVERS)}
    paths = [str(HERE), str(HERE.parent / "src")]
    fixed = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths), "TOKENIZERS_PARALLELISM": "false"}
    return {**kept, **fixed, **contestant.environment, **further}


def take_turn(
    task: Task, contestant: Contestant, places: Places, number: int, env: dict[str, str], limit: float
) -> Turn:
    """Run the contestant in a process of its own; it is killed after ``limit`` seconds."""
    turn = Turn(contestant.name, number)
    python = sys.executable if contestant.peer == "fledge" else places.python
    for event in child_events([python, "-m", "peers.child", task.dump()], env, limit):
        if event["event"] == "error":
            turn.error = event["what"]
        else:
            turn.take(event)
    return turn


def child_events(command: list[str], env: Mapping[str, str], limit: float) -> Iterable[dict[str, Any]]:
    """The JSON lines of a child; at the end {"event": "error", "what"} where it failed or ran over ``limit``."""
    child = subprocess.Popen(
        command,
        env=env,
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    late = threading.Event()

    def kill() -> None:
        late.set()
        os.killpg(child.pid, signal.SIGKILL)

    said: list[str] = []
    assert child.stdout and child.stderr
    listener = threading.Thread(target=lambda stream: said.extend(stream), args=(child.stderr,), daemon=True)
    timer = threading.Timer(limit, kill)
    listener.start()
    timer.start()
    try:
        for line in child.stdout:
            yield json.loads(line)
        code = child.wait()
    finally:
        timer.cancel()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    listener.join(5)
    if late.is_set():
        yield {"event": "error", "what": f"did not end within {limit:.0f} s"}
    elif code:
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        yield {"event": "error", "what": f"ended with status {code}: {last[:300]}"}


def end_on_terminate() -> None:
    """Make SIGTERM raise SystemExit here, so that the contestant's process is ended too, as by Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def machine() -> dict[str, Any]:
    """The processor as far as it matters to speed, and the versions of what the parent runs on."""
    flags: set[str] = set()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            if name.strip() == "flags":
                flags |= set(value.split())
    units = [unit for unit in ("amx_bf16", "amx_int8", "avx512_bf16", "avx512f", "avx2") if unit in flags]
    return {
        "processor": model,
        "cores": len(usable_processors()),
        "units": units,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
    }
