"""What is to be done in a run directory, stage by stage, and why."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import fledge
from fledge.run.files import read_json
from fledge.run.manifest import (
    SETTINGS_NAME,
    FileHash,
    Manifest,
    damaged_outputs,
    hash_file,
    outputs_hash,
    read_manifest,
    read_manifest_or_none,
)
from fledge.run.modules import code_files
from fledge.run.setting_types import default_of, has_default, shown
from fledge.run.settings import dump
from fledge.run.storage import is_url
from fledge.stages.table import StageSpec
from fledge.text.sources.walk import files_below
from fledge.text.steps import split_entry
from fledge.types import FledgeError

Action = Literal["done", "resume", "mend", "run", "re-run", "depends"]
NEXT = ".next"
"""A finished stage stays in place while its successor grows in ``<stage>.next``."""
UNGUARDED = "what may stand in the training text"
"""Among the inputs of a stage that is guarded: the files that its guard did not keep out of training, as JSON."""


@dataclass(frozen=True)
class Decision:
    """``action`` for one stage. ``depends``: done so far, but an upstream stage is about to run again.

    ``mend``: files of a finished stage are gone or damaged, and it makes them again without its whole work.
    """

    stage: str
    action: Action
    reason: str
    note: str = ""


@dataclass(frozen=True)
class Begun:
    """What ``settings.json`` says of a stage that began: its settings and everything that went in."""

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, FileHash] = field(default_factory=dict)


def read_begun(directory: Path) -> Begun | None:
    """What a stage directory was begun with; None where it never began, or nobody can tell."""
    try:
        data = read_json(directory / SETTINGS_NAME)
        files = {name: FileHash(**entry) for name, entry in data["files"].items()}
        return Begun(data["settings"], data["inputs"], files)
    except (FledgeError, TypeError, KeyError, AttributeError):
        return None


def begun_now(spec: StageSpec, settings: Any, run: Path, present: Sequence[str], before: Begun | None) -> Begun:
    """Settings and inputs as they are now. ``before`` spares hashing source files that nobody touched."""
    inputs: dict[str, str] = {}
    for name, patterns in spec.upstream.items():
        manifest = read_manifest_or_none(run / name) if name in present else None
        if manifest:
            inputs[name] = outputs_hash(manifest, patterns)
    known = before.files if before else {}
    code = own_code(spec, settings)
    read = {path.as_posix(): path for path in source_files(spec, settings)} | code
    files = {name: _hash_input(path, known.get(name)) for name, path in read.items()}
    files |= {name: known[name] for name in _known_below(gone_inputs(spec, settings), known)}
    guard = read_manifest_or_none(run / spec.guarded_by) if spec.guarded_by in present else None
    scored = {name: entry for name, entry in files.items() if name not in code}
    unguarded = sorted(name for name, entry in scored.items() if guard and guard.inputs.get(name) != entry.sha256)
    if unguarded:
        inputs[UNGUARDED] = json.dumps(unguarded)
    return Begun(dump(settings), inputs, files)


def _hash_input(path: Path, before: FileHash | None) -> FileHash:
    """The hash of a file of the user's; an empty one where it cannot be read, which is for the stage to tell."""
    try:
        return hash_file(path, before)
    except OSError:
        return FileHash("", 0, 0)


def input_entries(spec: StageSpec, settings: Any) -> list[tuple[str, str]]:
    """(setting, entry) for everything on the user's disk that a stage's settings name."""
    found: list[tuple[str, str]] = []
    for name in spec.input_settings:
        given = getattr(settings, name, ())
        entries = (given,) if isinstance(given, str) else given or ()
        found += [(name, entry) for entry in entries if entry and not (name == "sources" and is_remote(entry))]
    return found


def is_remote(entry: str) -> bool:
    """Whether a source of text lies elsewhere than on the user's disk, where no plan can look for changes."""
    return entry.startswith(("http://", "https://", "hf:")) or is_url(entry)


def source_files(spec: StageSpec, settings: Any) -> list[Path]:
    """The user's local files that a stage reads, folders walked in sorted order."""
    return [file for _, entry in input_entries(spec, settings) for file in files_of(entry)]


def files_of(entry: str) -> list[Path]:
    """A file that a setting names, or the files below a folder, sorted; nothing where it is not there."""
    path = Path(entry)
    files = (each for each, _ in files_below(path)) if stat.S_ISDIR(mode_of(path)) else (path,)
    return [each for each in files if stat.S_ISREG(mode_of(each))]


def mode_of(path: Path) -> int:
    """The mode of what lies at ``path``; 0 where nothing does, or nobody may look."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def gone_inputs(spec: StageSpec, settings: Any) -> list[str]:
    """The entries that lie nowhere any more. What a stage made of them stays good as long as it need not run again."""
    return [entry for _, entry in input_entries(spec, settings) if not os.path.lexists(entry)]


def _known_below(entries: Sequence[str], known: Mapping[str, FileHash]) -> list[str]:
    paths = [Path(entry).as_posix() for entry in entries]
    return [name for name in known if any(name == path or name.startswith(f"{path}/") for path in paths)]


def own_code(spec: StageSpec, settings: Any) -> dict[str, Path]:
    """The files of the user's functions that a stage calls, and of what these import from beside them.

    Their names do not depend on where the recipe lies.
    """
    found: dict[str, Path] = {}
    for setting in spec.function_settings:
        for entry in getattr(settings, setting, ()):
            module, colon, _ = split_entry(entry)[0].partition(":")
            if colon and module != "re":
                found |= code_files(module)
    return found


def changes(settings: Any, before: Begun, now: Begun) -> list[str]:
    """What differs between then and now that affects results, each in a few words."""
    told = [f"{key} {shown(old)} → {shown(new)}" for key, old, new in _changed_settings(settings, before.settings)]
    for name in sorted({*before.inputs, *now.inputs}):
        if before.inputs.get(name) != now.inputs.get(name):
            told.append(f"{name} changed" if name == UNGUARDED else f"the output of {name} changed")
    changed = sorted(
        name
        for name in {*before.files, *now.files}
        if getattr(before.files.get(name), "sha256", "") != getattr(now.files.get(name), "sha256", "")
    )
    if changed:
        told.append(f"{changed[0]} changed" + (f" and {len(changed) - 1} more" if len(changed) > 1 else ""))
    return told


def _changed_settings(settings: Any, before: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """(key, old, new) of result-affecting settings; a setting that did not exist then counts as its default."""
    found: list[tuple[str, Any, Any]] = []
    now = dump(settings, results_only=True)
    for item in dataclasses.fields(settings):
        if item.name not in now:
            continue
        name, value = prefix + item.name, getattr(settings, item.name)
        default = default_of(item) if has_default(item) else None
        old = before[item.name] if item.name in before else dump(default) if _is_config(default) else default
        if _is_config(value) and isinstance(old, Mapping):
            found += _changed_settings(value, old, name + ".")
        elif now[item.name] != (list(old) if isinstance(old, tuple) else old):
            found.append((name, old, now[item.name]))
    return found


def _is_config(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def decide(spec: StageSpec, settings: Any, run: Path, present: Sequence[str], *, forced: bool = False) -> Decision:
    """What to do with a stage whose upstream stages are as they shall be."""
    home, successor = run / spec.name, run / f"{spec.name}{NEXT}"
    try:
        manifest = read_manifest(home)
    except FledgeError as error:
        return Decision(spec.name, "re-run", f"{error.what}: {error.where}")
    if manifest is None:
        return _decide_unfinished(spec, settings, run, home, present, "not done yet")
    before = read_begun(home)
    if before is None:
        reasons = [f"its {SETTINGS_NAME} is missing or damaged"]
    else:
        now = begun_now(spec, settings, run, present, before)
        damaged = damaged_outputs(home, manifest)
        reasons = changes(settings, before, now) + damaged
        if damaged and reasons == damaged and spec.mends and not forced:
            return Decision(spec.name, "mend", _some(damaged))
    if forced:
        reasons.append("asked for with --from")
    if not reasons:
        return Decision(spec.name, "done", "nothing changed", _notes(manifest, gone_inputs(spec, settings)))
    reason = _some(reasons)
    again = _decide_unfinished(spec, settings, run, successor, present, "")
    if again.action == "resume":
        return Decision(spec.name, "resume", f"a re-run was cut off ({reason})")
    return Decision(spec.name, "re-run", reason)


def _some(reasons: Sequence[str], limit: int = 3) -> str:
    return "; ".join(reasons[:limit]) + (f" and {len(reasons) - limit} more" if len(reasons) > limit else "")


def _decide_unfinished(
    spec: StageSpec, settings: Any, run: Path, directory: Path, present: Sequence[str], reason: str
) -> Decision:
    before = read_begun(directory)
    if before is None:
        return Decision(spec.name, "run", reason)
    changed = changes(settings, before, begun_now(spec, settings, run, present, before))
    if changed:
        return Decision(spec.name, "run", f"begun before, but {'; '.join(changed[:3])}: starts afresh")
    return Decision(spec.name, "resume", "was cut off")


def _notes(manifest: Manifest, gone: Sequence[str]) -> str:
    made_by = manifest.versions.get("fledge", "?")
    notes = [] if made_by == fledge.__version__ else [f"made by fledge {made_by}, this is {fledge.__version__}"]
    return "; ".join(notes + [f"{entry} is no longer there" for entry in gone[:1]])


def plan(
    specs: Sequence[StageSpec], settings_of: Mapping[str, Any], run: Path, forced: Sequence[str] = ()
) -> list[Decision]:
    """Decide for every stage of the recipe, as far as can be told before anything has run."""
    decisions: list[Decision] = []
    moving: set[str] = set()
    for spec in specs:
        decision = decide(spec, settings_of[spec.name], run, list(settings_of), forced=spec.name in forced)
        above = [name for name in spec.upstream if name in moving]
        if above and decision.action in ("done", "resume", "mend"):
            names = " or ".join(above)
            done = decision.action == "done"
            reason = (
                f"only if the output of {names} changes" if done else f"{decision.reason}, if {names} stays as it is"
            )
            decision = Decision(spec.name, "depends", reason, decision.note)
        if decision.action != "done":
            moving.add(spec.name)
        decisions.append(decision)
    return decisions


def begun_as_json(stage: str, begun: Begun) -> dict[str, Any]:
    """The contents of ``settings.json``."""
    files = {name: asdict(entry) for name, entry in begun.files.items()}
    return {"stage": stage, "settings": dict(begun.settings), "inputs": dict(begun.inputs), "files": files}
