"""Walk the stages of a recipe in one run directory: skip, resume, run or re-run each, and say why first."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fledge.run.files import TEMPORARY, read_json, remove_leftovers, sha256, told, write_json, write_text
from fledge.run.lock import locked
from fledge.run.manifest import (
    MANIFEST_NAME,
    SETTINGS_NAME,
    Manifest,
    chosen_outputs,
    hash_outputs,
    read_manifest_or_none,
    versions,
    write_manifest,
)
from fledge.run.progress import duration, quantity
from fledge.run.settings import settings_hash
from fledge.run.storage import Store
from fledge.stages.job import RECIPE_NAME, Job, check_upstream, wanted_stages
from fledge.stages.mirror import commit_stage, fetch_stages, forget_checkpoints
from fledge.stages.plan import NEXT, Decision, begun_as_json, begun_now, decide, plan, read_begun
from fledge.stages.table import STAGES, StageSpec
from fledge.stages.together import announce
from fledge.types import FledgeError

FORCED_NAME = ".from.json"


def run_job(
    job: Job, *, until: str | None = None, start: str | None = None, only: str | None = None, say: Callable[[str], None]
) -> list[Decision]:
    """Bring the run directory to the state that the recipe describes; gives back what was decided for each stage.

    ``until`` stops after a stage, ``start`` re-runs from a stage on, ``only`` runs one whose upstream stages are done.
    :func:`fledge.stages.job.check_job` comes first. Raises FledgeError where another process is at work, or for
    whatever a stage refuses.
    """
    with locked(job.run):
        recover(job.run, job.specs)
        store = Store(job.mirror) if job.mirror else None
        if store:
            fetch_stages(store, job.run, [spec.name for spec in job.stages], say)
        if only:
            check_upstream(job, only)
        write_text(job.run / RECIPE_NAME, job.recipe_toml)
        if only:
            return [_run_only(job, only, store, say)]
        wanted, from_start = wanted_stages(job, until, start)
        forced = _forced(job, from_start, start)
        decisions = plan(wanted, job.settings_of, job.run, forced)
        say(plan_text(job, decisions))
        done = []
        for spec in wanted:
            decision = decide(
                spec, job.settings_of[spec.name], job.run, list(job.settings_of), forced=spec.name in forced
            )
            _do(job, spec, decision, say, anew=spec.name in forced)
            if store:
                commit_stage(store, job.run, spec.name, say)
            if spec.name in forced:
                forced.remove(spec.name)
                _note_forced(job.run, start, forced)
            done.append(decision)
        return done


def recover(run: Path, specs: Sequence[StageSpec] = STAGES) -> None:
    """Finish or undo what a killed process left half-way; call only under the lock."""
    for spec in specs:
        if read_manifest_or_none(run / f"{spec.name}{NEXT}"):
            _swap_in(run, spec.name)
    with told(run):
        remove_leftovers(run)


def _swap_in(run: Path, stage: str) -> None:
    """Put a finished successor in the stage's place; the old one goes only when the new one is whole."""
    home, old = run / stage, run / f"{TEMPORARY}{os.getpid()}-old-{stage}"
    with told(home):
        if home.exists():
            os.replace(home, old)
        os.replace(run / f"{stage}{NEXT}", home)
        _remove(old)


def _remove(directory: Path) -> None:
    """Remove a directory tree; its name changes first, so that a kill in between leaves no half directory."""
    if directory.exists():
        doomed = directory.with_name(f"{TEMPORARY}{os.getpid()}-removed-{directory.name}")
        os.replace(directory, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _forced(job: Job, from_start: list[str], start: str | None) -> list[str]:
    """The stages that ``--from`` still has to re-run; those that an interrupted call finished are not run twice.

    Work on them that was cut off before this ``--from`` is dropped, so that they do begin afresh.
    """
    noted = job.run / FORCED_NAME
    if start is not None and noted.exists():
        before = read_json(noted)
        if before.get("from") == start:
            return [name for name in from_start if name in before["left"]]
    for name in from_start:
        _remove(job.run / f"{name}{NEXT}")
        if read_manifest_or_none(job.run / name) is None:
            _remove(job.run / name)
    _note_forced(job.run, start, from_start)
    return from_start


def _note_forced(run: Path, start: str | None, left: Sequence[str]) -> None:
    if left:
        write_json(run / FORCED_NAME, {"from": start, "left": list(left)})
    else:
        (run / FORCED_NAME).unlink(missing_ok=True)


def _run_only(job: Job, only: str, store: Store | None, say: Callable[[str], None]) -> Decision:
    spec = next(spec for spec in job.stages if spec.name == only)
    decision = decide(spec, job.settings_of[only], job.run, list(job.settings_of))
    say(plan_text(job, [decision]))
    _do(job, spec, decision, say)
    if store:
        commit_stage(store, job.run, only, say)
    return decision


def _do(job: Job, spec: StageSpec, decision: Decision, say: Callable[[str], None], *, anew: bool = False) -> None:
    home, successor = job.run / spec.name, job.run / f"{spec.name}{NEXT}"
    with told(job.run):
        if decision.action == "done":
            _remove(successor)
            return
        if decision.action == "mend":
            _remove(successor)
            (home / MANIFEST_NAME).unlink()
        # a home without a whole manifest is no result worth keeping, so the work goes on or starts right there
        out = successor if read_manifest_or_none(home) else home
        resume = decision.action in ("resume", "mend")
        if not resume:
            _remove(out)
        out.mkdir(parents=True, exist_ok=True)
    settings = job.settings_of[spec.name]
    before = read_begun(out) if resume else None
    begun = before or begun_now(spec, settings, job.run, list(job.settings_of), None)
    if before is None:
        if anew and job.mirror:  # before it counts as begun, so that a kill in between leaves none to go on from
            forget_checkpoints(job.mirror, spec.name, settings, begun)
        write_json(out / SETTINGS_NAME, begun_as_json(spec.name, begun))
    why = f", {decision.reason}" if decision.action in ("re-run", "mend") else ""
    say(f"{spec.name}: {'goes on' if resume else 'starts'}{why}")
    started, clock = time.time(), time.monotonic()
    context = job.context(spec, out, resume=resume)
    _check_outputs(spec, context.upstream)
    with context.open_events() as events:
        events.write("stage_started", stage=spec.name, resume=resume, versions=versions())
    announce(spec, context)
    summary = spec.load()(context)
    seconds = time.monotonic() - clock
    with context.open_events() as events:
        events.write("stage_ended", stage=spec.name, seconds=round(seconds, 3), summary=summary)
    with told(out):
        outputs = hash_outputs(out)
    inputs = {**begun.inputs, **{name: entry.sha256 for name, entry in begun.files.items()}}
    write_manifest(
        out,
        Manifest(
            stage=spec.name,
            settings_hash=settings_hash(settings),
            inputs=inputs,
            outputs=outputs,
            versions=versions(),
            started=round(started, 3),
            ended=round(time.time(), 3),
            seconds=round(seconds, 3),
            summary=summary,
            command=shlex.join(["fledge", *sys.argv[1:]]),
        ),
    )
    if out != home:
        _swap_in(job.run, spec.name)
    say(f"{spec.name}: done in {duration(seconds)}{summary_text(summary)}")


def _check_outputs(spec: StageSpec, upstream: Mapping[str, Path]) -> None:
    """Raise FledgeError where a file that the stage reads is not what was written, whatever its time of change says."""
    for name, directory in upstream.items():
        manifest = read_manifest_or_none(directory)
        for file, entry in chosen_outputs(manifest, spec.upstream[name]).items() if manifest else ():
            path = directory / file
            if not path.is_file() or sha256(path) != entry.sha256:
                raise FledgeError(
                    "does not match its checksum", where=str(path), fix="remove it and run the same command again"
                )


def summary_text(summary: Mapping[str, Any], limit: int = 6) -> str:
    """The first plain figures of a stage's summary, as they end its line."""
    parts = []
    for key, value in summary.items():
        left_out = key == "seconds" or (isinstance(value, str) and len(value) > 24)
        if left_out or isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        shown = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else quantity(value)
        parts.append(f"{key.replace('_', ' ')} {shown}")
    return "".join(f" · {part}" for part in parts[:limit])


def plan_text(job: Job, decisions: Sequence[Decision]) -> str:
    """The plan as a table of plain lines."""
    lines = [f"{job.name} in {job.run}"]
    for each in decisions:
        action = "re-run?" if each.action == "depends" else each.action
        lines.append(f"  {each.stage:<10} {action:<7} {each.reason}" + (f" ({each.note})" if each.note else ""))
    return "\n".join(lines)


def is_done(run: Path, stage: str) -> bool:
    """Whether the stage has its manifest."""
    return (run / stage / MANIFEST_NAME).exists()
