"""What a run directory says of itself, and which of its stages were made of what is no longer there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fledge.run.events import read_events
from fledge.run.files import read_json
from fledge.run.manifest import EVENTS_NAME, Manifest, outputs_hash, read_manifest, read_manifest_or_none
from fledge.stages.table import STAGES, stage_names
from fledge.types import FledgeError


@dataclass(frozen=True)
class RunFacts:
    """The manifests of a run's finished stages, its path, and the name to call it by.

    ``stale`` are the stages made of an older state of those above them, and which; nothing is told of these.
    """

    path: Path
    name: str
    manifests: Mapping[str, Manifest]
    stale: Mapping[str, str] = field(default_factory=dict)

    def events(self, stage: str, kind: str) -> list[dict[str, Any]]:
        return [] if stage in self.stale else list(read_events(self.path / stage / EVENTS_NAME, kind))

    def json(self, stage: str, name: str) -> dict[str, Any]:
        path = self.path / stage / name
        return read_json(path) if stage not in self.stale and path.is_file() else {}

    def summary(self, stage: str) -> Mapping[str, Any]:
        return self.manifests[stage].summary if stage in self.manifests else {}


def read_run(path: Path) -> RunFacts:
    """Raises FledgeError for a directory in which no stage has ended."""
    done = _manifests(path, read_manifest)
    stale = _stale(path, done)
    fresh = {stage: manifest for stage, manifest in done.items() if stage not in stale}
    if not fresh:
        raise FledgeError(
            "holds no finished stage", where=str(path), fix="give a run directory, or run its recipe first"
        )
    return RunFacts(path, path.resolve().name, fresh, stale)


def stale_stages(run: Path) -> dict[str, str]:
    """The finished stages that were made of an older state of a stage above them, each with the name of that stage.

    A manifest that cannot be read is as good as none.
    """
    return _stale(run, _manifests(run, read_manifest_or_none))


def stale_note(model: Path) -> str:
    """A line where ``model`` lies in a stage of a run that is stale; else nothing."""
    resolved = model.resolve()
    for stage in (resolved, *resolved.parents[:3]):
        if stage.name in stage_names():
            above = stale_stages(stage.parent).get(stage.name)
            if above:
                return f"this is the {stage.name} of an older {above}; fledge run {stage.parent} makes it anew"
    return ""


def _manifests(run: Path, read: Callable[[Path], Manifest | None]) -> dict[str, Manifest]:
    found = {stage: read(run / stage) for stage in stage_names()}
    return {stage: manifest for stage, manifest in found.items() if manifest is not None}


def _stale(run: Path, done: Mapping[str, Manifest]) -> dict[str, str]:
    stale: dict[str, str] = {}
    for spec in STAGES:
        inputs = done[spec.name].inputs if spec.name in done else {}
        for name, patterns in spec.upstream.items():
            # a directory that was removed to save space takes nothing back from what was made of it
            if name in inputs and (run / name).is_dir():
                above = done.get(name)
                if above is None or name in stale or outputs_hash(above, patterns) != inputs[name]:
                    stale[spec.name] = name
                    break
    return stale


def root_of(run: Path) -> Path:
    """The run that ``run`` is or lies in; of something else that holds a model, itself."""
    resolved = run.resolve()
    return next((each for each in (resolved, *resolved.parents[:4]) if (each / "recipe.toml").is_file()), resolved)
