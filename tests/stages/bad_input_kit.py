"""A tiny trained run, and a box in which one bad input is prepared and shown to the real command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import small_recipe

from fledge.run.files import TEMPORARY
from fledge.run.manifest import damaged_outputs, read_manifest
from fledge.stages.table import stage_names
from fledge.text.shards import read_rows, shard_paths

NOBODY = 65534
GOOD = "\n\n".join(f"The good text of number {n} tells of a cat." for n in range(6)).encode()

TRAINING = """context_length = 32
batch_tokens = 64
checkpoint_every = 3
keep = 3
micro_batch_rows = 2
"""


def write_recipe(folder: Path) -> Path:
    """A recipe of seconds, with its text and conversations beside it."""
    return small_recipe.write_recipe(
        folder,
        n_documents=150,
        training=TRAINING,
        pretrain="tokens = 768",
        sft="tokens = 256",
        evaluation="heldout_bytes = 500\nngram_order = 2",
    )


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        """What stands on stderr besides progress, whose parts are told apart by `` · ``."""
        return [line for line in self.err.splitlines() if line.strip() and " · " not in line]


@dataclass
class Box:
    """A folder for one row: ``trained`` is shared and never changed."""

    folder: Path
    recipe: Path
    trained: Path
    undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def put(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        return path

    def text(self, *sources: object, **settings: object) -> list[object]:
        """``fledge text`` without filters on these sources."""
        flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
        plain = ["--split", "blank_lines", "--filters", "--near-dedup", "off", "--workers", 1]
        return ["text", "--out", self.out, *plain, *flags, "--sources", *sources]

    def run(self, *words: object) -> list[object]:
        return ["run", self.recipe, "--out", self.out, *words]

    def copy(self, *without: str, damage: str = "") -> Path:
        """The trained run as ``out``, without some of its stages; one byte of the file ``damage`` is flipped."""
        shutil.copytree(self.trained, self.out, ignore=shutil.ignore_patterns(*without))
        if damage:
            path = self.out / damage
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        return self.out

    def small_disk(self, *without: str, free: int) -> Path:
        """``out`` on a disk of its own, holding the trained run without some stages, ``free`` bytes left."""
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
        self.undo.append(lambda: subprocess.run(["umount", "-l", disk], check=True))
        shutil.copytree(self.trained, disk / "out", ignore=shutil.ignore_patterns(*without, "report*"))
        space = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - free))
        self.out.symlink_to(disk / "out")
        return disk / "filler"

    def check_nothing_half_written(self, intact: bool = True) -> None:
        """No temporary name is left, and (unless the row is about damage) what claims to be done is whole."""
        left = [path for path in self.folder.rglob(f"{TEMPORARY}*") if not path.is_symlink()]
        assert left == []
        for manifest in self.out.glob("*/manifest.json") if intact and self.out.is_dir() else ():
            if manifest.parent.name in stage_names() and (found := read_manifest(manifest.parent)):
                assert damaged_outputs(manifest.parent, found) == []


COMMAND = [sys.executable, "-m", "fledge.cli.main"]


def as_nobody(words: list[str], box: Box) -> Result:
    """The command by a user who owns nothing here; modules are loaded before, which that user need not be able to."""
    code = f"""import os, sys
import fledge.cli.main as cli, fledge.stages.recipe, fledge.stages.whole, fledge.stages.text
from fledge.text.clean import load_steps; from fledge.text.config import TextConfig; load_steps(TextConfig())
os.setgid({NOBODY}); os.setuid({NOBODY})
sys.exit(cli.main(sys.argv[1:]))"""
    return _result(subprocess.run([sys.executable, "-c", code, *words], capture_output=True, timeout=60, cwd="/"))


def interrupted(when: str) -> Callable[[list[str], Box], Result]:
    """The command in a process group that gets Ctrl-C once a path that matches ``when`` is there."""

    def go(words: list[str], box: Box) -> Result:
        with open(box.folder / "stdout", "wb") as out, open(box.folder / "stderr", "wb") as err:
            process = subprocess.Popen([*COMMAND, *words], stdout=out, stderr=err, start_new_session=True)
            deadline = time.monotonic() + 60
            while not any(box.out.glob(when)) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)
            code = process.wait(timeout=60)
        told = [(box.folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return Result(code, *told)

    return go


def while_held(words: list[str], box: Box) -> Result:
    """The command while another process holds the run."""
    code = "import sys, time; from pathlib import Path; from fledge.run.lock import locked\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(box.out)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            return _result(subprocess.run([*COMMAND, *words], capture_output=True, timeout=60))
        finally:
            process.kill()


def _result(done: subprocess.CompletedProcess[bytes]) -> Result:
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True)
class Row:
    """``words`` prepares and gives the command; ``says`` are parts of the error line, ``prints`` of stdout.

    ``rejects`` maps each rule to how many fell to it where the text stage ends well; ``undone`` are stages that must
    not claim to be done; ``then`` looks further.
    """

    name: str
    words: Callable[[Box], list[object]]
    says: tuple[str, ...] = ()
    code: int = 2
    prints: tuple[str, ...] = ()
    rejects: dict[str, int] | None = None
    undone: tuple[str, ...] = ("text",)
    then: Callable[[Box], object] = lambda box: None
    through: Callable[[list[str], Box], Result] | None = None
    needs: str = ""
    intact: bool = True


def recipe(text: str) -> Callable[[Box], list[object]]:
    return lambda box: ["run", box.put("r.toml", text), "--out", box.out]


def folder_of(**files: bytes) -> Callable[[Box], Path]:
    """A folder with one good file and ``files`` (``_`` stands for the dot)."""

    def make(box: Box) -> Path:
        for name, data in files.items():
            box.put(f"mixed/{name.replace('_', '.')}", data)
        return box.put("mixed/good.txt", GOOD).parent

    return make


def is_done(stage: str) -> Callable[[Box], object]:
    def check(box: Box) -> None:
        assert (box.out / stage / "manifest.json").exists()

    return check


INSPECT = "see all with fledge inspect"


def rejects_of(box: Box) -> dict[str, int]:
    """How many documents fell to each rule; each has its reason."""
    folder, counts = box.out / "text" / "rejects", {}
    for row in read_rows(shard_paths(folder), ["rule", "reason"]) if any(folder.glob("*.parquet")) else ():
        assert row["reason"]
        counts[row["rule"]] = counts.get(row["rule"], 0) + 1
    return dict(sorted(counts.items()))
