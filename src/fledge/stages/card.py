"""The model card: what a run was made of and what it measured, as Markdown with the hub's front matter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fledge.run.manifest import read_manifest_or_none
from fledge.run.progress import quantity
from fledge.stages.figures import BITS_HEADER, TASK_HEADER, bits_rows, task_rows
from fledge.stages.finished import RunFacts, read_run
from fledge.stages.table import stage_names


def card_of(run: Path, name: str) -> str:
    """The card of the run that ``run`` is or lies in; without one, a card that says so."""
    facts = _facts(run)
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation", "---", "", f"# {name}", ""]
    if facts is None:
        return "\n".join(
            [*lines, "Made with Fledge from weights that were imported; their own card tells of their data.", ""]
        )
    lines += ["Raised from nothing with Fledge. Everything below is taken from its run.", ""]
    lines += [*_model(facts), *_data(facts), *_figures(facts), *_limits(facts)]
    return "\n".join(lines).rstrip() + "\n"


def _facts(run: Path) -> RunFacts | None:
    for folder in (run, *run.resolve().parents[:3]):
        if any(read_manifest_or_none(folder / stage) for stage in stage_names()):
            return read_run(folder)
    return None


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def _model(facts: RunFacts) -> list[str]:
    lines = ["## Model", ""]
    summary = facts.summary("pretrain")
    sizes: dict[str, Any] = summary.get("model", {})
    if sizes:
        lines.append(
            f"- {quantity(sizes['n_parameters'])} parameters: {sizes['n_layers']} layers, {sizes['d_model']} wide, "
            f"vocabulary {sizes['vocab_size']}"
        )
    for stage, what in (("pretrain", "pretrained"), ("sft", "tuned on conversations")):
        told = facts.summary(stage)
        if told.get("steps"):
            loss = "" if told["loss"] is None else f", last loss {told['loss']:.3f}"
            lines.append(f"- {what}: {quantity(told['tokens'])} tokens in {told['steps']} steps{loss}")
    return [*lines, ""]


def _data(facts: RunFacts) -> list[str]:
    funnel = facts.json("text", "funnel.json")
    world = facts.summary("world")
    lines = ["## Data", ""]
    if world:
        lines += ["An invented world, written out by Fledge from a seed.", ""]
    if funnel:
        train = funnel["train"]
        lines += [f"Text: {train['documents']:,} documents, {train['bytes']:,} bytes after these steps.", ""]
        rows = [
            (row["step"], f"{row['documents_in']:,}", f"{row['documents_rejected']:,}", f"{row['documents_out']:,}")
            for row in funnel["funnel"]
        ]
        lines += _table(("step", "documents in", "set aside", "documents out"), rows)
    return lines if len(lines) > 2 else []


def _figures(facts: RunFacts) -> list[str]:
    results = facts.json("eval", "results.json")
    lines: list[str] = []
    for header, rows in ((BITS_HEADER, bits_rows(results)), (TASK_HEADER, task_rows(results))):
        if rows:
            lines += _table(header, rows)
    return ["## Measured", "", *lines] if lines else []


def _limits(facts: RunFacts) -> list[str]:
    sizes = facts.summary("pretrain").get("model", {})
    lines = ["## Limits", "", "- It knows what is in the data above and nothing else; it makes things up."]
    if sizes:
        lines.append("- It was measured only as the tables say, on the machine of its run.")
    if "sft" not in facts.manifests:
        lines.append("- It continues text; it was not tuned to answer.")
    return [*lines, "- User text must not be read for special tokens: the chat template refuses it.", ""]
