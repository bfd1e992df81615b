"""What is in a run, a checkpoint, a shard or a recipe, as lines of text."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fledge.run.files import read_json
from fledge.run.lock import in_use
from fledge.run.manifest import MANIFEST_NAME, damaged_outputs, read_manifest
from fledge.run.progress import duration, quantity
from fledge.run.setting_types import shown
from fledge.run.settings import dump
from fledge.run.terminal import printable
from fledge.run.toml_file import read_toml
from fledge.stages.finished import stale_stages
from fledge.stages.graph import summary_text
from fledge.stages.inspect_shards import parquet_lines, token_shard_lines
from fledge.stages.job import RECIPE_NAME
from fledge.stages.plan import plan, read_begun
from fledge.stages.recipe import Recipe, read_recipe, settings_class
from fledge.stages.table import STAGES, stage_names
from fledge.types import FledgeError


def inspect_text(path: Path, *, row: int = 0) -> Iterator[str]:
    """Lines that tell what ``path`` holds. Raises FledgeError where it is nothing that Fledge knows."""
    colour = sys.stdout.isatty()
    if not path.exists():
        raise FledgeError("is not there", where=str(path), fix="check the path")
    if (path / RECIPE_NAME).is_file():
        return run_lines(path)
    if (path / "state.json").is_file():
        return map(printable, checkpoint_lines(path))
    if path.suffix == ".toml":
        return recipe_lines(path)
    if path.suffix == ".parquet":
        return parquet_lines(path, row)
    if path.suffix in (".bin", ".idx", ".wgt") and (path.parent / "index.json").is_file():
        return token_shard_lines(path.parent, row, colour)
    if (path / "index.json").is_file():
        return token_shard_lines(path, row, colour)
    if path.is_dir() and any(path.glob("*.parquet")):
        return parquet_lines(path, row)
    if (path / MANIFEST_NAME).is_file() or path.name in stage_names():
        return stage_lines(path)
    raise FledgeError(
        "is no run, stage, checkpoint, shard or recipe", where=str(path), fix="see fledge inspect --help for examples"
    )


def run_lines(run: Path) -> Iterator[str]:
    """Stages of a run: state, size, time, key figures. Needs no lock, so a run at work can be looked at."""
    recipe = read_toml(run / RECIPE_NAME)[0]
    yield f"run {run} of the recipe {recipe.get('name')}" + (" (a process is at work)" if in_use(run) else "")
    damaged = None
    stale = stale_stages(run)
    for name in stage_names():
        if name in recipe or (run / name).exists():
            try:
                yield from stage_lines(run / name)
                if name in stale:
                    yield f"  stale     made of an older {stale[name]}; fledge run {run} makes it anew"
            except FledgeError as error:
                damaged = damaged or error
    if damaged:
        raise damaged


def stage_lines(stage: Path) -> Iterator[str]:
    """One stage: state, unusual settings, sizes, key figures; at the end of a damaged one FledgeError."""
    manifest, begun = read_manifest(stage), read_begun(stage)
    faults: list[str] = []
    if manifest is None:
        yield f"{stage.name}: {'begun, not finished' if begun else 'not begun'}"
    else:
        faults = damaged_outputs(stage, manifest)
        n_bytes = sum(entry.n_bytes for entry in manifest.outputs.values())
        yield (
            f"{stage.name}: {'DAMAGED: ' + '; '.join(faults) if faults else 'done'} in {duration(manifest.seconds)}, "
            f"{len(manifest.outputs)} files, {quantity(n_bytes)}B, fledge {manifest.versions.get('fledge')}"
        )
        figures = summary_text(manifest.summary, limit=99)
        if figures:
            yield f"  figures   {figures.removeprefix(' · ')}"
        for row in manifest.summary.get("funnel") or ():
            yield f"  funnel    {_funnel_line(row)}"
    if begun and stage.name in stage_names():
        changed = list(_unusual(begun.settings, dump(settings_class(stage.name)())))
        yield f"  settings  {', '.join(changed) or 'all as by default'}"
    if faults:
        raise FledgeError(faults[0], where=str(stage), fix="run the recipe again: it repairs this stage")


def _unusual(settings: Mapping[str, Any], default: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        usual = default.get(key)
        if isinstance(value, dict) and isinstance(usual, dict) and usual:
            yield from _unusual(value, usual, f"{prefix}{key}.")
        elif value != usual:
            yield f"{prefix}{key} {shown(value)}"


def _funnel_line(row: Mapping[str, Any]) -> str:
    line = f"{row.get('step', ''):<18} {row.get('documents_in', 0)} → {row.get('documents_out', 0)} documents"
    line += f", {quantity(row.get('bytes_in', 0))}B → {quantity(row.get('bytes_out', 0))}B"
    reasons = row.get("reasons") or {}
    return line + (f" ({', '.join(f'{key} {count}' for key, count in reasons.items())})" if reasons else "")


def checkpoint_lines(path: Path) -> Iterator[str]:
    """A checkpoint: its model, its step, and whether every byte is as it was written."""
    from fledge.model.config import ModelConfig
    from fledge.train.checkpoint import damage

    problem = damage(path)
    state = read_json(path / "state.json")
    yield f"checkpoint {path}"
    yield f"  {'DAMAGED: ' + problem if problem else 'whole: every file matches its checksum'}"
    yield f"  step {state.get('step')} of {state.get('n_steps')}, {quantity(state.get('tokens', 0))} tokens"
    for name, values in (state.get("models") or {}).items():
        config = ModelConfig.from_dict(values)
        yield f"  {name}: {quantity(config.n_parameters)} parameters"
        yield from (f"    {key} {value}" for key, value in values.items())
    for name in sorted(state.get("sha256", {})):
        size = (path / name).stat().st_size if (path / name).is_file() else 0
        yield f"  {name} {quantity(size)}B sha256 {state['sha256'][name][:16]}"
    if problem:
        raise FledgeError(problem, where=str(path), fix="use another checkpoint; a run goes on from the last whole one")


def recipe_lines(path: Path) -> Iterator[str]:
    """A recipe with every setting resolved, and what would run in its default directory."""
    recipe: Recipe = read_recipe(path)
    run = Path("runs") / recipe.name
    yield f"recipe {recipe.name}: {recipe.description}"
    given = read_toml(path)[0]
    for stage, settings in recipe.settings_of.items():
        yield f"[{stage}]"
        yield from _setting_lines(dump(settings), given.get(stage, {}))
    yield f"in {run}:"
    specs = [spec for spec in STAGES if spec.name in recipe.settings_of]
    for each in plan(specs, recipe.settings_of, run):
        yield f"  {each.stage:<10} {'re-run?' if each.action == 'depends' else each.action:<7} {each.reason}"


def _setting_lines(settings: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        below = given.get(key)
        if isinstance(value, dict) and value and not isinstance(below, (int, float, str)):
            yield from _setting_lines(value, below or {}, f"{prefix}{key}.")
        else:
            told = "none" if value is None else json.dumps(value, ensure_ascii=False)
            yield f"  {prefix + key:<32} {told}" + ("" if key in given else "  (default)")
