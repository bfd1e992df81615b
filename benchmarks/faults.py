"""The faults of ``make chaos``: each harms a run as the world would, undoes the harm as a person would, and goes on."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from small_run import STEPS, Lost, Round, checkpoints, newest_whole

NAN_ONCE = "pretrain:40:1"
CONTINUES = r"^\w+: (continuing after step \d+ of \d+|starts|goes on)"
STOPPED = r"^fledge: stopped(; the same command goes on| at step \d+ of \d+, saved; run)"
LEFT_ALONE = r"^fledge: (process \d+: )?error: another process of this training ended; run the same command again"
FULL = r"^fledge: error: .*no space left on device; free some space"


class Skipped(Exception):
    """Why a fault cannot be struck on this machine."""


@dataclass(frozen=True)
class Fault:
    """``strike`` harms a run and lets it end; the undisturbed run has the same ``poison`` and ``processes``."""

    strike: Callable[[Round], None]
    poison: str = ""
    processes: int = 1


def sigkill(round_: Round) -> None:
    """SIGKILL at a random instant, once or twice, wherever the run is."""
    round_.prepare(share_from_nothing=0.3)
    for _ in range(round_.chance.choice((1, 1, 2))):
        process = round_.start()
        deadline = time.monotonic() + round_.chance.uniform(0.3, 1.0) * round_.reference.seconds
        round_.wait_for(process, lambda end=deadline: time.monotonic() > end, 0.005)
        process.kill()
    round_.again()


def sigkill_in_training(round_: Round) -> None:
    """SIGKILL after a random step."""
    round_.prepare()
    process, _ = round_.start_until_step()
    process.kill()
    round_.again(CONTINUES)


def sigkill_in_checkpoint(round_: Round) -> None:
    """SIGKILL while a checkpoint is written, as soon as its temporary directory is seen or a moment later."""
    round_.prepare()
    stage, step = round_.training()
    folder = round_.run / stage / "checkpoints"

    def writing() -> bool:
        return any(name.startswith(".partial-") and "step-" in name and "-old-" not in name for name in listed(folder))

    process = round_.start()
    if round_.wait_for(process, lambda: newest_name(folder) >= step - STEPS[stage] // 4 and writing(), 0):
        time.sleep(round_.chance.choice((0.0, 0.0, 0.001, 0.003)))
    process.kill()
    round_.again(CONTINUES if process.popen.returncode else "")


def sigterm(round_: Round) -> None:
    """SIGTERM or Ctrl-C anywhere; in training it saves first."""
    round_.prepare(share_from_nothing=0.2)
    number = round_.chance.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGINT))
    process, _ = round_.start_until_step()
    process.send(number)
    if process.wait() != 0:
        round_.ends(
            process, 128 + number, r"^fledge: stopped(; the same command goes on| at step \d+ of \d+, saved; run)"
        )
    round_.again()


def sigterm_twice(round_: Round) -> None:
    """A second SIGTERM, as launchers send when the first is not obeyed at once, changes nothing."""
    round_.prepare()
    process, _ = round_.start_until_step()
    process.send(signal.SIGTERM)
    time.sleep(round_.chance.uniform(0, 0.01))
    process.send(signal.SIGTERM)
    if process.wait() not in (0, 130, 143):
        raise Lost(f"ended with {process.popen.returncode}")
    if process.popen.returncode:
        round_.tells(process, STOPPED)
    round_.again()


def full_disk(round_: Round) -> None:
    """The disk of the run fills up at some point of it; then it is made larger."""
    disk = round_.folder / "disk"
    disk.mkdir()
    used = sum(path.stat().st_size + 4096 for path in (round_.reference.folder / "prepared").rglob("*"))
    size = used + 40_000 + int(round_.chance.uniform(0, 0.8) * (round_.reference.n_bytes - used))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size // 1024}k", "tmpfs", disk], capture_output=True
    )
    if mounted.returncode:
        raise Skipped("only root may mount a small disk")
    try:
        round_.run = disk / "run"
        round_.prepare()
        process = round_.start()
        if process.wait() != 0:
            round_.ends(process, 2, FULL)
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        round_.again()
        home = round_.folder / "run"
        shutil.copytree(round_.run, home)
        round_.run = home
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def file_limit(round_: Round) -> None:
    """No file may grow beyond a size (as quotas of some systems have it); then any may."""
    round_.prepare()
    largest = round_.chance.randint(3_000, 40_000)
    process = round_.start(
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    )
    if process.wait() != 0:
        round_.ends(process, 2, r"^fledge: error: .*file too large; ")
    round_.again()


def flipped_checkpoint(round_: Round) -> None:
    """A byte of the newest checkpoint changes while nothing runs."""
    round_.prepare()
    process, stage = round_.start_until_step()
    round_.wait_for(process, lambda: bool(newest_whole(round_.run, stage)))
    process.kill()
    found = checkpoints(round_.run, stage)
    if not found or process.popen.returncode == 0:
        return
    path = round_.chance.choice(sorted(found[0].glob("*.safetensors")))
    flip(round_, path)
    round_.again(rf"^{stage}: .*{found[0].name}: {path.name} does not match its checksum; .*damaged-{found[0].name}")


def flipped_output(round_: Round) -> None:
    """A byte of a finished stage's output changes, its time of change too or not (a disk that forgets)."""
    round_.prepare()
    names = ["text/train/part-00000.parquet", "tokenizer/tokenizer.json"]
    harmed(round_, names + ["pretrain/model/model.safetensors"] * ("sft" in round_.reference.trained))


def flipped_shard(round_: Round) -> None:
    """A byte of a token shard changes, its time of change too or not."""
    round_.prepare()
    harmed(round_, [f"tokens/train/text/shard-00000.{suffix}" for suffix in ("bin", "idx")])


def harmed(round_: Round, names: list[str]) -> None:
    process, _ = round_.start_until_step()
    process.kill()
    path = round_.run / round_.chance.choice([name for name in names if (round_.run / name).exists()])
    stage, _, name = path.relative_to(round_.run).as_posix().partition("/")
    seen = round_.chance.random() < 0.5
    flip(round_, path, keep_times=not seen)
    if not seen:
        process = round_.start()
        if process.wait() == 0:  # nothing that was left to do read it
            return
        round_.ends(
            process, 2, rf"^fledge: error: .*{re.escape(path.name)}: does not match its checksum; remove it and "
        )
        path.unlink()
        round_.again(rf"^  {stage} +(re-run|mend) +{name} is missing")
        return
    round_.again(rf"^  {stage} +(re-run|mend) +{name} has changed since it was written")


def shard_gone(round_: Round) -> None:
    """A data shard is deleted while training reads it, or a moment before the run goes on."""
    round_.prepare()
    name = round_.chance.choice(["tokens/train/text/shard-00000.bin", "text/train/part-00000.parquet"])
    stage, _, rest = name.partition("/")
    process, _ = round_.start_until_step()
    if at_work := round_.chance.random() < 0.5:
        (round_.run / name).unlink()
        time.sleep(round_.chance.uniform(0, 0.5))
    if not at_work or round_.chance.random() < 0.5:
        process.kill()
        (round_.run / name).unlink(missing_ok=True)
    elif process.wait() not in (0, 2):
        raise Lost(f"ended with {process.popen.returncode}")
    round_.again(rf"^  {stage} +re-run +{rest} is missing$")


def nan_batches(round_: Round) -> None:
    """The batches of some steps hold a NaN: three in a row end the training, which later goes on without them."""
    round_.prepare()
    stage, step = round_.training()
    process = round_.start(poison=f"{stage}:{min(step, STEPS[stage] - 3)}:3")
    round_.ends(process, 2, r"^fledge: error: .*loss or gradient was no number in 3 steps running, up to step \d+;")
    round_.again()


def one_nan(round_: Round) -> None:
    """One batch holds a NaN: its step is passed over, with a kill or without."""
    round_.prepare()
    if round_.chance.random() < 0.5:
        process, _ = round_.start_until_step(poison=NAN_ONCE)
        process.kill()
        round_.again(poison=NAN_ONCE)
    else:
        round_.again(r"^pretrain: step 41: loss or gradient is no number; the step is passed over$", poison=NAN_ONCE)


def dead_process(round_: Round) -> None:
    """One of two processes that train together is killed: the other ends soon and says so."""
    round_.prepare()
    process, _ = round_.start_until_step()
    team = [process, *process.partners]
    victim = round_.chance.choice(team)
    victim.kill_alone()
    for each in team:
        if each is not victim and each.wait() != 0:
            round_.ends(each, 2, LEFT_ALONE)
    round_.again()


def listed(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def newest_name(folder: Path) -> int:
    """The step of the newest checkpoint by name alone, which costs no reading."""
    return max([int(name.removeprefix("step-")) for name in listed(folder) if name.startswith("step-")], default=0)


def flip(round_: Round, path: Path, *, keep_times: bool = False) -> None:
    """Change one bit of one byte."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[round_.chance.randrange(len(data))] ^= 1 << round_.chance.randrange(8)
    path.write_bytes(data)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


FAULTS = {
    "SIGKILL": Fault(sigkill),
    "SIGKILL in training": Fault(sigkill_in_training),
    "SIGKILL in a checkpoint": Fault(sigkill_in_checkpoint),
    "SIGTERM": Fault(sigterm),
    "SIGTERM twice": Fault(sigterm_twice),
    "full disk": Fault(full_disk),
    "limit on files": Fault(file_limit),
    "flipped checkpoint": Fault(flipped_checkpoint),
    "flipped output": Fault(flipped_output),
    "flipped token shard": Fault(flipped_shard),
    "shard gone": Fault(shard_gone),
    "NaN in three batches": Fault(nan_batches),
    "NaN in one batch": Fault(one_nan, NAN_ONCE),
    "dead process of two": Fault(dead_process, processes=2),
}
