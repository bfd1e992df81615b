"""A copy of a run on a store: finished stages and checkpoints, so that another machine goes on where this one was lost.

Below the URL lie ``<stage>/`` for each finished stage, and ``checkpoints/<stage>-<identity>/step-XXXXXXXX/``, where the
identity is that of the stage's settings and inputs, so that no run ever goes on from another one's checkpoint. The run
on the disk stays the truth: a copy that fails is told in a line and tried again with the next one. From the store goes
only what this process saw go from the disk, so that what another machine kept for good stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fledge.run.files import TEMPORARY, sha256
from fledge.run.manifest import CHECKPOINTS, EVENTS_NAME, MANIFEST_NAME, TRACKERS_NAME
from fledge.run.settings import settings_hash
from fledge.run.storage import Store
from fledge.stages.plan import Begun, read_begun
from fledge.stages.table import StageContext
from fledge.types import FledgeError

Say = Callable[[str], None]
RECORDS = ("hardware.json", EVENTS_NAME, TRACKERS_NAME)
"""What of a stage goes with each checkpoint: whoever goes on from it needs them."""


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
    place = _place(context.stage, context.settings, read_begun(context.out))
    mirror = CheckpointMirror(Store(context.mirror), place, context.out, say)
    mirror.restore()
    try:
        yield [mirror]
    finally:
        mirror.finish()


def forget_checkpoints(url: str, stage: str, settings: Any, begun: Begun) -> None:
    """Remove a stage's checkpoints from the store, so that one that is to begin anew goes on from none of them."""
    store, place = Store(url), _place(stage, settings, begun)
    for name in store.names(place):
        store.remove(f"{place}/{name}")


def _place(stage: str, settings: Any, begun: Begun | None) -> str:
    """Named by the settings that affect results, the outputs that the stage reads and the contents of the user's
    files, wherever they lie.
    """
    inputs = dict(begun.inputs) if begun else {}
    files = sorted(entry.sha256 for entry in begun.files.values()) if begun else []
    told = json.dumps([settings_hash(settings), inputs, files], sort_keys=True)
    return f"{CHECKPOINTS}/{stage}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


class CheckpointMirror:
    """Keeps ``place`` on a store as ``directory/checkpoints`` is, each with the records of its stage."""

    def __init__(self, store: Store, place: str, directory: Path, say: Say) -> None:
        self.store, self.place, self.directory, self.say = store, place, directory, say
        self._seen: frozenset[str] = frozenset()
        self._pool = ThreadPoolExecutor(1)
        self._copying: Future[None] | None = None

    def __call__(self, state: Any) -> None:
        """Begin to copy what is new, unless a copy is under way: then it is the next call's."""
        if self._copying is None or self._copying.done():
            names = self._local()
            if not names <= self._seen:
                self._seen |= names
                self._copying = self._pool.submit(self._copy, names)

    def restore(self) -> None:
        """Put the newest good checkpoint of the store on the disk, if it is newer than the newest good one there."""
        from fledge.train.checkpoint import damage, latest_checkpoint

        there = self.store.names(self.place)
        latest = latest_checkpoint(self.directory / CHECKPOINTS, self.say, set_aside=True)
        for name in reversed(there):
            if latest and name <= latest.name:
                return
            fetched = self.directory / f"{TEMPORARY}{os.getpid()}-{name}"
            try:
                self.store.fetch(f"{self.place}/{name}", fetched)
                if problem := damage(fetched):
                    shutil.rmtree(fetched)
                    raise FledgeError(problem, where=f"{self.store.url}/{self.place}/{name}")
            except FledgeError as error:
                self.say(f"{error}; the mirror's checkpoint before it is used")
                continue
            for record in RECORDS:
                if (fetched / record).exists():
                    os.replace(fetched / record, self.directory / record)
            (self.directory / CHECKPOINTS).mkdir(exist_ok=True)
            os.replace(fetched, self.directory / CHECKPOINTS / name)
            self.say(f"{name} is taken from {self.store.url}/{self.place}")
            return

    def finish(self) -> None:
        """Copy what is left, in the foreground."""
        self._pool.shutdown()
        names = self._local()
        self._seen |= names
        self._copy(names)

    def _local(self) -> frozenset[str]:
        from fledge.train.checkpoint import checkpoint_steps, step_directory

        home = self.directory / CHECKPOINTS
        return frozenset(step_directory(home, step).name for step in checkpoint_steps(home))

    def _copy(self, names: frozenset[str]) -> None:
        try:
            for name in sorted(names):
                self._copy_one(name)
            for name in (self._seen - names) & frozenset(self.store.names(self.place)):
                if name < max(names, default=""):
                    self.store.remove(f"{self.place}/{name}")
        except (FledgeError, OSError) as error:
            self.say(f"checkpoints are not mirrored: {error}")

    def _copy_one(self, name: str) -> None:
        from fledge.train.checkpoint import damage

        home = self.directory / CHECKPOINTS / name
        try:
            state = (self.store.committed(f"{self.place}/{name}") or {}).get("state.json")
            if state and state.sha256 == sha256(home / "state.json"):
                return
            records = [self.directory / record for record in RECORDS]
            files: dict[str, Path | bytes] = {each.name: each.read_bytes() for each in records if each.exists()}
            files |= dict(_files(home))
            problem = damage(home)  # after the listing: what is whole now was listed whole
            if not problem:
                self.store.commit(f"{self.place}/{name}", files)
            elif home.exists():
                self.say(f"{name} is not mirrored: {problem}")
        except (FileNotFoundError, FledgeError):
            if home.exists():
                raise
            # meanwhile it was an old one and removed; what was uploaded of it has no marker
