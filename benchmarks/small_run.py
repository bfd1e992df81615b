"""A small run of the real command line that faults are struck at, and what must be the same at its end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sigkill import losses, outputs

HERE = Path(__file__).resolve().parent
PREPARED = ("text", "tokenizer", "tokens")
"""Stages that most rounds find done, since the faults of training are the costly ones."""
STEPS = {"pretrain": 120, "sft": 30}
BATCH_TOKENS = 256
EVERY = {"pretrain": 12, "sft": 8}
SECONDS_TO_END = 600


class Lost(Exception):
    """What a round shows to be broken."""


def write_small_recipe(folder: Path) -> Path:
    """The recipe of the tests' whole runs, longer in training, with every choice of the machine fixed."""
    sys.path.insert(0, str(HERE.parent / "tests" / "stages"))
    from small_recipe import write_recipe

    folder.mkdir(parents=True)
    steps = {name: f"tokens = {n * BATCH_TOKENS}\ncheckpoint_every = {EVERY[name]}" for name, n in STEPS.items()}
    return write_recipe(
        folder,
        n_documents=400,
        training=f"context_length = 32\nbatch_tokens = {BATCH_TOKENS}\nmicro_batch_rows = 4\n",
        pretrain=f"{steps['pretrain']}\neval_every = 50\nsample_every = 60",
        sft=f"{steps['sft']}\nsample_every = 20",
        evaluation="heldout_bytes = 2000\nngram_order = 3",
    )


@dataclass
class Process:
    """One ``fledge run`` as a child process, with all that it tells in ``log``; ``partners`` train with it."""

    popen: subprocess.Popen[bytes]
    log: Path
    partners: list[Process] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it told, and after that what its partners did."""
        return "\n".join(each.log.read_text(encoding="utf-8", errors="replace") for each in (self, *self.partners))

    def ended(self) -> bool:
        return self.popen.poll() is not None

    def wait(self) -> int:
        """Its exit status; one that hangs is killed, and the round lost."""
        try:
            return self.popen.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Lost(f"hung for {SECONDS_TO_END} s") from None

    def kill(self) -> None:
        """SIGKILL for it and every worker of its own, and for its partners."""
        for each in (self, *self.partners):
            each.kill_alone()

    def kill_alone(self) -> None:
        if not self.ended():
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def send(self, number: int) -> None:
        if not self.ended():
            self.popen.send_signal(number)


def begin(
    recipe: Path, out: Path, log: Path, words: Sequence[str], *, poison: str = "", processes: int = 1, **options: Any
) -> Process:
    """Start the command as the leader of its own process group, on one thread.

    ``poison`` (``pretrain:40:3``) goes through ``poisoned.py``, which puts a NaN into the batches of those steps.
    ``processes`` train together, started as ``torchrun`` would start them but without it, so that each is alone.
    """
    program = [str(HERE / "poisoned.py"), poison] if poison else ["-m", "fledge"]
    command = [sys.executable, *program, "run", str(recipe), "--out", str(out), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "FLEDGE_DEBUG": ""}
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment |= {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    made = []
    for rank in range(processes):
        here = log.with_suffix(f".{rank}.txt") if rank else log
        with open(here, "wb") as file:
            popen = subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=environment | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
                **options,
            )
        made.append(Process(popen, here))
    return Process(made[0].popen, made[0].log, made[1:])


@dataclass
class Reference:
    """The undisturbed run, and a copy of it with the first stages alone that rounds begin with."""

    recipe: Path
    folder: Path
    words: tuple[str, ...] = ()
    poison: str = ""
    processes: int = 1
    seconds: float = field(default=0.0, init=False)

    def make(self) -> Reference:
        """Run it once."""
        began = time.monotonic()
        how: dict[str, Any] = {"poison": self.poison, "processes": self.processes}
        process = begin(self.recipe, self.run, self.folder / "calm.log", self.words, **how)
        if process.wait() != 0:
            raise SystemExit(f"the undisturbed run failed:\n{process.text}")
        self.seconds = time.monotonic() - began
        prepared = self.folder / "prepared"
        prepared.mkdir()
        shutil.copy2(self.run / "recipe.toml", prepared)
        for stage in PREPARED:
            shutil.copytree(self.run / stage, prepared / stage)
        return self

    @property
    def run(self) -> Path:
        return self.folder / "calm"

    @cached_property
    def outputs(self) -> dict[str, str]:
        return outputs(self.run)

    @cached_property
    def losses(self) -> dict[str, list[tuple[int, float]]]:
        return losses(self.run)

    @cached_property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.run.rglob("*") if path.is_file())

    @property
    def trained(self) -> list[str]:
        """The stages of training that the reference holds."""
        return [name for name in STEPS if (self.run / name).exists()]


class Round:
    """One disturbed run: its directory, its processes one after another, what they told, what it cost."""

    def __init__(self, reference: Reference, folder: Path, chance: random.Random) -> None:
        self.reference, self.folder, self.chance = reference, folder, chance
        self.run = folder / "run"
        self.processes: list[Process] = []
        self.redone_steps = 0
        self.line = ""
        folder.mkdir(parents=True)

    def prepare(self, *, share_from_nothing: float = 0.0) -> None:
        """Let the run begin with its first stages done, or in a share of the rounds from nothing."""
        if self.chance.random() >= share_from_nothing:
            shutil.copytree(self.reference.folder / "prepared", self.run)

    def start(self, **options: Any) -> Process:
        log = self.folder / f"log-{len(self.processes)}.txt"
        options.setdefault("processes", self.reference.processes)
        self.processes.append(begin(self.reference.recipe, self.run, log, self.reference.words, **options))
        return self.processes[-1]

    def wait_for(self, process: Process, condition: Callable[[], bool], pause: float = 0.001) -> bool:
        """Until ``condition`` holds; False where the process ended first."""
        end = time.monotonic() + SECONDS_TO_END
        while not condition():
            if process.ended():
                return condition()
            if time.monotonic() > end:
                process.kill()
                raise Lost(f"hung for {SECONDS_TO_END} s")
            time.sleep(pause)
        return True

    def training(self) -> tuple[str, int]:
        """A stage of training and a step in it, at random over all steps."""
        stages = self.reference.trained
        stage = self.chance.choices(stages, [STEPS[name] for name in stages])[0]
        return stage, self.chance.randint(1, STEPS[stage] - 1)

    def start_until_step(self, **options: Any) -> tuple[Process, str]:
        """Start, and wait for a random step of training; the process (still at work, if it was seen) and the stage."""
        stage, step = self.training()
        process = self.start(**options)
        self.wait_for(process, lambda: last_step(self.run, stage) >= step)
        return process, stage

    def tells(self, process: Process, pattern: str) -> None:
        """Raise Lost unless a line of what the process told fits ``pattern``."""
        found = re.search(f"{pattern}.*$", process.text, re.MULTILINE)
        if not found:
            raise Lost(f"did not tell /{pattern}/, but: {' | '.join(process.text.splitlines()[-3:])}")
        self.line = self.line or found.group().strip().replace(f"{self.run}{os.sep}", "")

    def ends(self, process: Process, status: int, pattern: str = "") -> None:
        """Raise Lost unless the process ends with ``status`` and told ``pattern``."""
        if (got := process.wait()) != status:
            raise Lost(f"ended with {got}, not {status}: {' | '.join(process.text.splitlines()[-3:])}")
        if pattern:
            self.tells(process, pattern)

    def again(self, pattern: str = "", **options: Any) -> Process:
        """The same command again, to its end; training must go on after the newest whole checkpoint there is."""
        left = {stage: (newest_whole(self.run, stage), last_step(self.run, stage)) for stage in self.reference.trained}
        done = {stage for stage in left if (self.run / stage / "manifest.json").exists()}
        process = self.start(**options)
        self.ends(process, 0, pattern)
        going_on = re.search(r"^\w+: (continuing after step|goes on).*$", process.text, re.MULTILINE)
        self.line = self.line or (going_on.group() if going_on else "")
        for stage, (whole, reached) in left.items():
            if stage in done or not reached:
                continue
            found = re.search(rf"^{stage}: continuing after step (\d+) of", process.text, re.MULTILINE)
            after = int(found.group(1)) if found else whole if whole == STEPS[stage] else 0
            if after < whole:
                raise Lost(f"{stage} went on after step {after}, although step {whole} was saved")
            self.redone_steps += reached - after
        return process

    def check(self) -> None:
        """Raise Lost unless the end is the undisturbed one, bit for bit, and nothing half-written is left."""
        for process in self.processes:
            if trace := re.search(r"^(Traceback|frame #\d+:).*", process.text, re.MULTILINE | re.DOTALL):
                raise Lost(f"a traceback: {trace.group()[-600:]}")
        wanted, found = self.reference.outputs, outputs(self.run)
        found = {name: digest for name, digest in found.items() if "/damaged-" not in name}
        # a stop saves, and so moves which of the newest checkpoints are kept; the last one must be there
        kept = {checkpoint_of(name) for name in found} & {checkpoint_of(name) for name in wanted}
        for stage in self.reference.trained:
            kept.add(checkpoint_of(max(name for name in wanted if name.startswith(f"{stage}/checkpoints/step-"))))
        wanted, found = ({n: sha for n, sha in each.items() if checkpoint_of(n) in kept} for each in (wanted, found))
        differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if differing:
            raise Lost(f"{len(differing)} files differ: {', '.join(differing[:4])}")
        if losses(self.run) != self.reference.losses:
            raise Lost("the recorded losses differ")
        leftovers = [path.name for path in self.run.rglob("*") if ".partial-" in path.name or ".next" in path.name]
        if leftovers:
            raise Lost(f"half-written files are left: {', '.join(leftovers[:4])}")


def last_step(run: Path, stage: str) -> int:
    """The last step that the stage's events record."""
    try:
        lines = (run / stage / "events.jsonl").read_bytes().splitlines()
    except OSError:
        return 0
    for line in reversed(lines):
        if line.startswith(b'{"kind": "step"') and line.endswith(b"}"):
            return int(json.loads(line)["step"])
    return 0


def checkpoints(run: Path, stage: str) -> list[Path]:
    """The directories of whole names, newest first."""
    return sorted((run / stage / "checkpoints").glob("step-*"), reverse=True)


def checkpoint_of(name: str) -> str:
    """The checkpoint that an output lies in; "" for all others."""
    parts = name.split("/")
    return "/".join(parts[:3]) if parts[1:2] == ["checkpoints"] else ""


def newest_whole(run: Path, stage: str) -> int:
    """The step of the newest checkpoint in which every file has its checksum; 0 where there is none."""
    for path in checkpoints(run, stage):
        try:
            listed = json.loads((path / "state.json").read_bytes())["sha256"]
            if all(hashlib.sha256((path / name).read_bytes()).hexdigest() == sha for name, sha in listed.items()):
                return int(path.name.removeprefix("step-"))
        except (OSError, ValueError, KeyError):
            continue
    return 0
