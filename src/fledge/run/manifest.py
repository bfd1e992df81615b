"""A stage's manifest: what it was made from and what it made. Written last, so that its presence means done."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fledge
from fledge.run.files import TEMPORARY, read_json, sha256, write_json
from fledge.types import FledgeError

MANIFEST_NAME = "manifest.json"
SETTINGS_NAME = "settings.json"
EVENTS_NAME = "events.jsonl"
CHECKPOINTS = "checkpoints"
TRACKERS_NAME = "trackers.json"
NO_OUTPUTS = {MANIFEST_NAME, SETTINGS_NAME, EVENTS_NAME, TRACKERS_NAME, CHECKPOINTS, "tensorboard", "wandb"}
"""Files and directories of a stage that are not what it makes."""
MANIFEST_VERSION = 1


@dataclass(frozen=True)
class FileHash:
    """A file as it was when it was hashed; ``mtime_ns`` spares a second reading of a file nobody touched."""

    sha256: str
    n_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Manifest:
    """``inputs`` maps each upstream stage or source file to the hash that went in; times are Unix seconds."""

    stage: str
    settings_hash: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, FileHash]
    versions: Mapping[str, str]
    started: float
    ended: float
    seconds: float
    summary: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    version: int = MANIFEST_VERSION


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` whole or not at all."""
    write_json(directory / MANIFEST_NAME, asdict(manifest))


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest of a finished stage, else None. Raises FledgeError for one that cannot be understood."""
    path = directory / MANIFEST_NAME
    if not path.exists():
        return None
    data = read_json(path)
    try:
        outputs = {name: FileHash(**entry) for name, entry in data.pop("outputs").items()}
        return Manifest(outputs=outputs, **data)
    except (TypeError, KeyError, AttributeError) as error:
        raise FledgeError("is not a manifest that this version reads", where=str(path), fix="remove it") from error


def read_manifest_or_none(directory: Path) -> Manifest | None:
    """The manifest, or None where there is none that can be read."""
    try:
        return read_manifest(directory)
    except FledgeError:
        return None


def hash_file(path: Path, before: FileHash | None = None) -> FileHash:
    """Hash a file, or give ``before`` back where size and modification time are as they were."""
    stat = path.stat()
    if before and (before.n_bytes, before.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return before
    return FileHash(sha256(path), stat.st_size, stat.st_mtime_ns)


def hash_outputs(directory: Path) -> dict[str, FileHash]:
    """Every output file of a stage by its path with forward slashes.

    The stage's own records are left out, those of trackers, and checkpoints, which carry their own checksums: whoever
    removes old ones to free the disk has lost no result.
    """
    names = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
        and TEMPORARY not in path.as_posix()
        and path.relative_to(directory).parts[0] not in NO_OUTPUTS
    }
    return {name: hash_file(names[name]) for name in sorted(names)}


def damaged_outputs(directory: Path, manifest: Manifest, *, thorough: bool = False) -> list[str]:
    """What is wrong with the files that the manifest names; ``thorough`` reads even those nobody touched."""
    faults = []
    for name, before in manifest.outputs.items():
        path = directory / name
        if not path.is_file():
            faults.append(f"{name} is missing")
        elif path.stat().st_size != before.n_bytes:
            faults.append(f"{name} has {path.stat().st_size} bytes, {before.n_bytes} were written")
        elif hash_file(path, None if thorough else before).sha256 != before.sha256:
            faults.append(f"{name} has changed since it was written")
    return faults


def outputs_hash(manifest: Manifest, patterns: Sequence[str] = ("**",)) -> str:
    """One hash over the names and contents of the outputs that match a glob (``train/**``)."""
    chosen = {name: entry.sha256 for name, entry in chosen_outputs(manifest, patterns).items()}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def chosen_outputs(manifest: Manifest, patterns: Sequence[str]) -> dict[str, FileHash]:
    """The outputs that match a glob, by name."""
    return {
        name: entry for name, entry in manifest.outputs.items() if any(_matches(name, pattern) for pattern in patterns)
    }


def _matches(name: str, pattern: str) -> bool:
    return pattern == "**" or name == pattern or (pattern.endswith("/**") and name.startswith(pattern[:-2]))


def versions() -> dict[str, str]:
    """Versions that a result depends on, read without importing what is heavy."""
    found = {"fledge": fledge.__version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in ("torch", "numpy", "tokenizers", "rustbpe", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
