"""A copy of a run on a store: finished stages and checkpoints, so that another machine goes on where this one was lost.

Below the URL lie ``<stage>/`` for each finished stage, and ``checkpoints/<stage>-<identity>/step-XXXXXXXX/``, where the
identity is that of the stage's settings and inputs, so that no run ever goes on from another one's checkpoint. The run
on the disk stays the truth: a copy that fails is told in a line and tried again with the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fledge.run.files import TEMPORARY, sha256
from fledge.run.manifest import CHECKPOINTS, EVENTS_NAME, MANIFEST_NAME
from fledge.run.settings import settings_hash
from fledge.run.storage import Store
from fledge.stages.plan import NEXT, read_begun
from fledge.stages.table import StageContext
from fledge.types import FledgeError

Say = Callable[[str], None]
HARDWARE_NAME = "hardware.json"
_STEP = re.compile(r"step-\d{8}")


def fetch_stages(store: Store, run: Path, stages: Sequence[str], say: Say) -> None:
    """Bring the finished stages that this disk knows nothing of; the plan then decides whether they still hold."""
    for stage in stages:
        if (run / stage).exists() or store.committed(stage) is None:
            continue
        try:
            store.fetch(stage, run / stage)
        except FledgeError as error:
            say(f"{stage}: is not taken from the mirror: {error}")
        else:
            say(f"{stage}: taken from {store.url}/{stage}")


def commit_stage(store: Store, run: Path, stage: str, say: Say) -> None:
    """Copy a finished stage, without its checkpoints, which have a place of their own."""
    home = run / stage
    try:
        there = store.committed(stage) or {}
        manifest = there.get(MANIFEST_NAME)
        if manifest and manifest.sha256 == sha256(home / MANIFEST_NAME):
            return
        store.commit(stage, {name: path for name, path in _files(home) if not name.startswith(f"{CHECKPOINTS}/")})
    except FledgeError as error:
        say(f"{stage}: is not mirrored: {error}")


def _files(home: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and TEMPORARY not in path.as_posix():
            yield path.relative_to(home).as_posix(), path


@contextmanager
def mirrored_checkpoints(context: StageContext, say: Say) -> Iterator[list[Callable[[Any], None]]]:
    """Around a training: begins with the mirror's newest checkpoint if that is newer than the disk's, and gives the
    callback that copies each new one in the background. What is still to be copied is, however the training ends.
    """
    if not context.mirror:
        yield []
        return
    place = f"{CHECKPOINTS}/{context.out.name.removesuffix(NEXT)}-{identity(context)}"
    mirror = CheckpointMirror(Store(context.mirror), place, context.out, say)
    mirror.restore()
    try:
        yield [mirror]
    finally:
        mirror.finish()


def identity(context: StageContext) -> str:
    """Of the settings that affect results, the outputs that the stage reads and the user's files, wherever they lie."""
    begun = read_begun(context.out)
    inputs = dict(begun.inputs) if begun else {}
    files = sorted(entry.sha256 for entry in begun.files.values()) if begun else []
    told = json.dumps([settings_hash(context.settings), inputs, files], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class CheckpointMirror:
    """Keeps ``place`` on a store as ``directory/checkpoints`` is, each with the events and the choices of hardware."""

    def __init__(self, store: Store, place: str, directory: Path, say: Say) -> None:
        self.store, self.place, self.directory, self.say = store, place, directory, say
        self._seen: frozenset[str] = frozenset()
        self._pool = ThreadPoolExecutor(1)
        self._copying: Future[None] | None = None

    def __call__(self, state: Any) -> None:
        """Begin to copy what is new, unless a copy is under way: then it is the next call's."""
        if self._copying is None or self._copying.done():
            there = self._local()
            if there != self._seen:
                self._seen = there
                self._copying = self._pool.submit(self._copy, there)

    def restore(self) -> None:
        """Put the newest whole checkpoint of the store on the disk, if it is newer than what lies there."""
        newest = max(self._local(), default="")
        for name in sorted(self.store.names(self.place), reverse=True):
            if name <= newest:
                return
            fetched = self.directory / f"{TEMPORARY}{os.getpid()}-{name}"
            try:
                self.store.fetch(f"{self.place}/{name}", fetched)
            except FledgeError as error:
                self.say(f"{error}; the mirror's checkpoint before it is used")
                continue
            for record in (HARDWARE_NAME, EVENTS_NAME):
                if (fetched / record).exists():
                    os.replace(fetched / record, self.directory / record)
            (self.directory / CHECKPOINTS).mkdir(exist_ok=True)
            os.replace(fetched, self.directory / CHECKPOINTS / name)
            self.say(f"{name} is taken from {self.store.url}/{self.place}")
            return

    def finish(self) -> None:
        """Copy what is left, in the foreground."""
        self._pool.shutdown()
        self._copy(self._local())

    def _local(self) -> frozenset[str]:
        try:
            return frozenset(
                path.name for path in (self.directory / CHECKPOINTS).glob("step-*") if _STEP.fullmatch(path.name)
            )
        except FileNotFoundError:
            return frozenset()

    def _copy(self, names: frozenset[str]) -> None:
        try:
            there = set(self.store.names(self.place))
            for name in sorted(names):
                self._copy_one(name)
            for name in there - names:
                if name < max(names, default=""):
                    self.store.remove(f"{self.place}/{name}")
        except (FledgeError, OSError) as error:
            self._seen = frozenset()  # so that the next call tries again
            self.say(f"checkpoints are not mirrored: {error}")

    def _copy_one(self, name: str) -> None:
        home = self.directory / CHECKPOINTS / name
        try:
            state = (self.store.committed(f"{self.place}/{name}") or {}).get("state.json")
            if state and state.sha256 == sha256(home / "state.json"):
                return
            files: dict[str, Path | bytes] = dict(_files(home))
            for record in (HARDWARE_NAME, EVENTS_NAME):
                if (self.directory / record).exists():
                    files[record] = (self.directory / record).read_bytes()
            self.store.commit(f"{self.place}/{name}", files)
        except (FileNotFoundError, FledgeError):
            if home.exists():
                raise
            # meanwhile it was an old one and removed; what was uploaded of it has no marker
