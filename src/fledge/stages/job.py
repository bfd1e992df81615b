"""What to run, and everything that can be found wrong with it before it starts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.run.files import TEMPORARY, told
from fledge.run.lock import LOCK_NAME
from fledge.run.manifest import read_manifest_or_none
from fledge.run.storage import Store, is_url
from fledge.run.toml_file import read_toml
from fledge.stages.config import NO_TRACKERS, TrackConfig
from fledge.stages.plan import decide, input_entries, mode_of, plan
from fledge.stages.table import STAGES, StageContext, StageSpec, stage_names
from fledge.stages.track import check_trackers
from fledge.types import FledgeError

RECIPE_NAME = "recipe.toml"


@dataclass(frozen=True)
class Job:
    """A recipe's name, its settings by stage, and its text, which is kept with the run.

    ``mirror`` is the URL where the run is copied, empty for none.
    """

    name: str
    settings_of: Mapping[str, Any]
    recipe_toml: str
    run: Path
    specs: tuple[StageSpec, ...] = STAGES
    mirror: str = ""
    track: TrackConfig = NO_TRACKERS

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """The stages of the recipe, in order."""
        return tuple(spec for spec in self.specs if spec.name in self.settings_of)

    def spec(self, name: str) -> StageSpec:
        return next(spec for spec in self.stages if spec.name == name)

    def context(self, spec: StageSpec, out: Path, *, resume: bool) -> StageContext:
        """What the stage's function gets when it writes to ``out``."""
        upstream = {name: self.run / name for name in spec.upstream if name in self.settings_of}
        settings = self.settings_of[spec.name]
        return StageContext(
            self.run, out, settings, self.settings_of, upstream, resume, spec.name, self.name, self.mirror, self.track
        )


def wanted_stages(job: Job, until: str | None, start: str | None) -> tuple[tuple[StageSpec, ...], list[str]]:
    """The stages up to ``until``, and the names of those among them that ``--from start`` runs in any case."""
    names = stage_names(job.stages)
    wanted = job.stages[: names.index(until) + 1 if until else None]
    if start is None:
        return wanted, []
    names = stage_names(wanted)
    if start not in names:
        raise FledgeError(f"--from {start} lies after --until {names[-1]}", fix="swap them")
    return wanted, names[names.index(start) :]


def check_job(job: Job, *, until: str | None = None, start: str | None = None, only: str | None = None) -> None:
    """Everything that can be found wrong before anything is written or computed. Raises FledgeError."""
    for flag, name in (("--until", until), ("--from", start), ("", only)):
        if name is not None and name not in job.settings_of:
            if name in stage_names(job.specs):
                raise FledgeError(
                    f"the recipe {job.name} has no stage {name}", where=flag, fix=f"add a [{name}] table to it"
                )
            names = [spec.name for spec in job.stages]
            close = difflib.get_close_matches(name, names, n=1)
            fix = f"did you mean {close[0]}?" if close else f"its stages are {', '.join(names)}"
            raise FledgeError(f'there is no stage "{name}"', where=flag, fix=fix)
    _check_needs(job, only)
    _check_directory(job)
    if job.mirror and not is_url(job.mirror):
        raise FledgeError(
            "is no address of a store", where=f"mirror, {job.mirror}", fix="give one like s3://bucket/run"
        )
    if job.mirror:
        Store(job.mirror)
    wanted, forced = wanted_stages(job, until, start)
    if only:
        wanted = (job.spec(only),)
    # what is done stays good where its sources are gone or its settings could no longer be followed
    moving = {each.stage for each in plan(wanted, job.settings_of, job.run, forced) if each.action != "done"}
    running = [spec for spec in wanted if spec.name in moving]
    _check_inputs(job, running)
    if any(spec.mends for spec in running):
        check_trackers(job.track)
    for spec in running:
        spec.check_settings(job.settings_of)


def check_upstream(job: Job, only: str) -> None:
    """Raise FledgeError where a stage that ``only`` reads from is not done, or would run again in the whole recipe."""
    for name in job.spec(only).upstream:
        if name not in job.settings_of:
            continue
        decision = decide(job.spec(name), job.settings_of[name], job.run, list(job.settings_of))
        if decision.action != "done":
            finished = read_manifest_or_none(job.run / name) is not None
            raise FledgeError(
                f"{only} reads from {name}, which is {f'out of date ({decision.reason})' if finished else 'not done'}",
                where=str(job.run),
                fix=f"run fledge {name} --out {job.run}, or all that is due: fledge run {job.run}",
            )


def _check_needs(job: Job, only: str | None) -> None:
    """Raise FledgeError where a stage of the recipe lacks one that it reads from."""
    if not job.settings_of:
        raise FledgeError(f"the recipe {job.name} has no stage", fix="add a table such as [text]")
    for spec in job.stages:
        for group in spec.needs:
            if getattr(job.settings_of[spec.name], spec.lifted.get(group[0], ""), ""):
                continue
            if not any(name in job.settings_of for name in group):
                if only:
                    names = " or ".join(group)
                    fix = f"first run fledge {group[-1]} --out {job.run}"
                    raise FledgeError(f"{spec.name} reads from {names}, which this run lacks", where=only, fix=fix)
                tables = " or ".join(f"[{name}]" for name in group)
                raise FledgeError(f"[{spec.name}] needs {tables} in the recipe {job.name}", fix="add that table")


def _check_inputs(job: Job, running: Sequence[StageSpec]) -> None:
    """Raise FledgeError where a file that a later stage reads is not there, before hours of work went by, and where
    one of them holds what this run writes: it would change as it is read, and the lock be lost.
    """
    # a file may be an input of several stages; the last one is where the person named it
    named = {
        entry: f"{spec.name}.{setting}"
        for spec in job.stages
        for setting, entry in input_entries(spec, job.settings_of[spec.name])
    }
    for spec in running:
        own = Path(os.path.realpath(job.run / spec.name))
        for _, entry in input_entries(spec, job.settings_of[spec.name]):
            where = f"{named[entry]}, {entry}"
            if not mode_of(Path(entry)):
                if spec.upstream:
                    raise FledgeError("is not there", where=where, fix="check the path")
                continue  # the first stage says itself what is wrong with its sources
            path = Path(os.path.realpath(entry))
            if path == own or path in own.parents or own in path.parents:
                raise FledgeError(
                    f"holds what this run writes ({job.run})", where=where, fix="name other sources, or another --out"
                )


def _check_directory(job: Job) -> None:
    """Raise FledgeError where the directory holds the run of another recipe, or something else altogether."""
    recipe = job.run / RECIPE_NAME
    with told(job.run):
        if not job.run.exists():
            return
        if not job.run.is_dir():
            raise FledgeError("is a file, not a directory", where=str(job.run), fix="choose another with --out")
        if not recipe.exists():
            if any(path.name != LOCK_NAME and TEMPORARY not in path.name for path in job.run.iterdir()):
                raise FledgeError(
                    "is not empty and holds no run", where=str(job.run), fix="choose another directory with --out"
                )
            return
    name = read_toml(recipe)[0].get("name")
    if name != job.name:
        raise FledgeError(
            f"holds a run of the recipe {name}, not of {job.name}",
            where=str(job.run),
            fix="choose another directory with --out",
        )
