"""What a run directory says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.run.events import read_events
from fledge.run.files import read_json
from fledge.run.manifest import EVENTS_NAME, Manifest, read_manifest
from fledge.stages.table import stage_names
from fledge.types import FledgeError


@dataclass(frozen=True)
class RunFacts:
    """The manifests of a run's finished stages, its path, and the name to call it by."""

    path: Path
    name: str
    manifests: Mapping[str, Manifest]

    def events(self, stage: str, kind: str) -> list[dict[str, Any]]:
        return list(read_events(self.path / stage / EVENTS_NAME, kind))

    def json(self, *parts: str) -> dict[str, Any]:
        path = self.path.joinpath(*parts)
        return read_json(path) if path.is_file() else {}

    def summary(self, stage: str) -> Mapping[str, Any]:
        return self.manifests[stage].summary if stage in self.manifests else {}


def read_run(path: Path) -> RunFacts:
    """Raises FledgeError for a directory in which no stage has ended."""
    manifests = {stage: read_manifest(path / stage) for stage in stage_names()}
    done = {stage: manifest for stage, manifest in manifests.items() if manifest is not None}
    if not done:
        raise FledgeError(
            "holds no finished stage", where=str(path), fix="give a run directory, or run its recipe first"
        )
    return RunFacts(path, path.resolve().name, done)
