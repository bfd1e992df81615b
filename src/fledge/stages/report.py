"""The report of a run, or of two side by side: ``report.md`` and ``report.html``, made from what the stages left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.run.events import read_events
from fledge.run.files import read_json, write_text
from fledge.run.manifest import EVENTS_NAME, Manifest, read_manifest
from fledge.run.progress import duration, quantity
from fledge.stages import plots
from fledge.stages.figures import BITS_HEADER, TASK_HEADER, bits_rows, task_rows
from fledge.stages.page import Block, Code, Picture, Section, Table, Text, Tokens, picture_file, to_html, to_markdown
from fledge.stages.table import stage_names
from fledge.types import FledgeError

TRAINED = ("pretrain", "sft")
SAMPLES_SHOWN = 5


@dataclass(frozen=True)
class RunFacts:
    """What a run directory says of itself: the manifests of its finished stages, and its path."""

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


def write_report(run: Path, other: Path | None = None) -> tuple[Path, Path]:
    """Write ``report.md`` (with its pictures beside it) and ``report.html`` into ``run``; returns their paths."""
    runs = [read_run(run), *([read_run(other)] if other is not None else [])]
    if len(runs) == 2 and runs[0].name == runs[1].name:
        runs = [RunFacts(each.path, str(each.path), each.manifests) for each in runs]
    title = " and ".join(each.name for each in runs)
    stem = "report" if other is None else "comparison"
    sections = [section for build in _SECTIONS for section in build(runs)]
    lead = "; ".join(_lead(each) for each in runs)
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                write_text(run / picture_file(block), block.svg)
    markdown, page = run / f"{stem}.md", run / f"{stem}.html"
    write_text(markdown, to_markdown(title, lead, sections))
    write_text(page, to_html(title, lead, sections))
    return markdown, page


def _lead(run: RunFacts) -> str:
    seconds = sum(manifest.seconds for manifest in run.manifests.values())
    pretrain = run.summary("pretrain")
    told = f"{run.name}: {duration(seconds)} of work"
    if pretrain:
        told += f", {quantity(pretrain['n_parameters'])} parameters, {quantity(pretrain['tokens'])} tokens of text"
    return told


def _per_run(runs: Sequence[RunFacts], header: tuple[str, ...], rows_of: Any) -> Table | None:
    """The rows of each run under one header, with the run's name before them where there are two."""
    two = len(runs) > 1
    rows = [((run.name, *row) if two else row) for run in runs for row in rows_of(run)]
    return Table((("run", *header) if two else header), tuple(rows)) if rows else None


def _section(title: str, *blocks: Block | None) -> list[Section]:
    present = tuple(block for block in blocks if block is not None)
    return [Section(title, present)] if present else []


def _measured(runs: Sequence[RunFacts]) -> list[Section]:
    results = {run.name: run.json("eval", "results.json") for run in runs}
    tasks = [(name, task) for name, result in results.items() for task in result.get("tasks", ()) if task["n"]]
    chart = None
    if tasks:
        labels = [f"{task['name']}{' · ' + name if len(runs) > 1 else ''}".replace("_", " ") for name, task in tasks]
        svg = plots.bars(
            labels,
            [task["mean"] for _, task in tasks],
            [task["stderr"] or 0.0 for _, task in tasks],
            [task["chance"] for _, task in tasks],
        )
        chart = Picture("tasks", svg, "Share of right answers on prompts that training never saw.")
    can_do = _per_run(runs, TASK_HEADER, lambda run: task_rows(results[run.name]))
    predicts = _per_run(runs, BITS_HEADER, lambda run: bits_rows(results[run.name]))
    told = Text("Bits per byte: fewer is better. The n-gram baseline read the same training text in the same tokens.")
    return [
        *_section("What it can do", chart, can_do),
        *(_section("How well it predicts text", told, predicts) if predicts else []),
    ]


def _training(runs: Sequence[RunFacts]) -> list[Section]:
    sections = []
    for stage in TRAINED:
        curves, heldout = {}, {}
        for run in runs:
            steps = run.events(stage, "step")
            if not steps:
                continue
            minutes = {event["step"]: event["elapsed"] / 60 for event in steps}
            shown = [event for event in steps if event["loss"] is not None]
            curves[run.name] = (
                [event["tokens"] for event in shown],
                [minutes[event["step"]] for event in shown],
                [event["loss"] for event in shown],
            )
            measured = [event for event in run.events(stage, "heldout") if event["step"]]
            if measured:
                heldout[run.name] = (
                    [event["tokens"] for event in measured],
                    [minutes[event["step"]] for event in measured],
                    [event["bits_per_byte"] for event in measured],
                )
        picture = None
        if curves:
            svg = plots.loss_curves(curves, heldout, "bits per byte on held-out text")
            picture = Picture(stage, svg, f"Loss of {stage} against tokens and against time.")
        header = ("", "parameters", "tokens", "steps", "last loss", "tokens/s", "arithmetic", "utilisation")
        sections += _section(
            {"pretrain": "Pretraining", "sft": "Tuning"}[stage],
            picture,
            _per_run(runs, header, lambda run, stage=stage: _training_row(run, stage)),
        )
    return sections


def _training_row(run: RunFacts, stage: str) -> list[tuple[str, ...]]:
    summary = run.summary(stage)
    if not summary:
        return []
    hardware = summary["hardware"]
    used = sorted(event["utilisation"] for event in run.events(stage, "step") if event.get("utilisation"))
    arithmetic = f"{hardware['precision']}, {'compiled' if hardware['compile'] else 'not compiled'}"
    return [
        (
            stage,
            quantity(summary["n_parameters"]),
            quantity(summary["tokens"]),
            f"{summary['steps']:,}",
            f"{summary['loss']:.4f}",
            f"{summary['tokens_per_second']:,.0f}",
            f"{arithmetic}, {hardware['device']}",
            f"{100 * used[len(used) // 2]:.0f} %" if used else "–",
        )
    ]


def _samples(runs: Sequence[RunFacts]) -> list[Section]:
    sections = []
    for stage, title in (("pretrain", "Samples as the model grew"), ("sft", "Samples as the assistant grew")):
        blocks: list[Block] = [
            Text(
                "Taken at fixed steps with fixed seeds, not chosen. "
                "The colour under a token is its probability: red low, green high."
            )
        ]
        for run in runs:
            samples = run.events(stage, "sample")
            steps = sorted({event["step"] for event in samples})
            chosen = (
                {steps[round(i * (len(steps) - 1) / (SAMPLES_SHOWN - 1))] for i in range(SAMPLES_SHOWN)}
                if steps
                else set()
            )
            for event in samples:
                if event["step"] in chosen:
                    name = f"{run.name}, " if len(runs) > 1 else ""
                    blocks.append(_sample(event, name, " → " if stage == "sft" else ""))
        if len(blocks) > 1:
            sections.append(Section(title, tuple(blocks)))
    return sections


def _sample(event: Mapping[str, Any], run: str, reply_mark: str) -> Tokens:
    given: list[tuple[str, float | None]] = [(event["prompt"] + reply_mark, None)] if event["prompt"] else []
    pieces = list(zip(event["pieces"], event["probabilities"], strict=True))
    return Tokens(f"{run}step {event['step']:,} ({quantity(event['tokens'])} tokens)", (*given, *pieces))


def _documents(runs: Sequence[RunFacts]) -> list[Section]:
    sections: list[Section] = []
    for run in runs:
        funnel = run.json("text", "funnel.json").get("funnel", [])
        name = f" of {run.name}" if len(runs) > 1 else ""
        if funnel:
            rows = tuple(
                (
                    row["step"],
                    f"{row['documents_in']:,}",
                    f"{row['documents_rejected']:,}",
                    f"{row['bytes_in'] / 1e6:,.2f}",
                    f"{row['bytes_rejected'] / 1e6:,.2f}",
                    next(iter(row["reasons"]), ""),
                )
                for row in funnel
            )
            header = ("step", "documents in", "documents lost", "MB in", "MB lost", "commonest reason")
            svg = plots.funnel(
                [row["step"] for row in funnel],
                [row["bytes_out"] / 1e6 for row in funnel],
                [row["bytes_rejected"] / 1e6 for row in funnel],
                "MB that went on (dark) and that fell (light)",
            )
            picture = Picture(f"funnel{len(sections) or ''}", svg, "What each step let through and what it set aside.")
            sections += _section(f"The funnel{name}", picture, Table(header, rows))
    world = _per_run(runs, ("the town", ""), lambda run: _plain_rows(run.summary("world")))
    return [*sections, *_section("The world", world)]


def _plain_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The numbers and words of a summary; nested parts are left to ``inspect``."""
    rows = []
    for key, value in summary.items():
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            shown = value if isinstance(value, str) else (f"{value:,}" if isinstance(value, int) else f"{value:,.4g}")
            rows.append((key.replace("_", " "), shown))
    return rows


def _tokenizer(runs: Sequence[RunFacts]) -> list[Section]:
    def rows(run: RunFacts) -> list[tuple[str, ...]]:
        facts = run.summary("tokens").get("facts")
        if not facts:
            return []
        per_token = ", ".join(f"{name} {value:.2f}" for name, value in facts["bytes_per_token"].items())
        n_tokens = run.summary("tokens")["n_tokens"]
        fertility = run.summary("tokenizer").get("fertility")
        fertile = "–" if fertility is None else f"{fertility:.3f}"
        return [(f"{facts['vocab_size']:,}", quantity(n_tokens), per_token, fertile, str(facts["n_unused_tokens"]))]

    header = ("vocabulary", "training tokens", "bytes a token", "tokens a word", "unused tokens")
    longest = [
        Text(
            f"Longest tokens{' of ' + run.name if len(runs) > 1 else ''}: "
            + ", ".join(repr(t) for t in facts["longest_tokens"][:12])
        )
        for run in runs
        if (facts := run.summary("tokens").get("facts"))
    ]
    return _section("The tokenizer", _per_run(runs, header, rows), *longest)


def _provenance(runs: Sequence[RunFacts]) -> list[Section]:
    def rows(run: RunFacts) -> list[tuple[str, ...]]:
        return [
            (stage, duration(manifest.seconds), quantity(sum(f.n_bytes for f in manifest.outputs.values())) + "B")
            for stage, manifest in run.manifests.items()
        ]

    last = {run.name: list(run.manifests.values())[-1] for run in runs}
    told: list[Block] = []
    for run in runs:
        versions = ", ".join(f"{name} {value}" for name, value in last[run.name].versions.items())
        told += [Code(last[run.name].command), Text(f"{run.name} was made with {versions}.")]
    recipes = [
        Code((run.path / "recipe.toml").read_text("utf-8")) for run in runs if (run.path / "recipe.toml").exists()
    ]
    return [
        *_section("How it was made", *told, _per_run(runs, ("stage", "time", "output"), rows)),
        *_section("Every setting", *recipes),
    ]


_SECTIONS = (_measured, _training, _samples, _documents, _tokenizer, _provenance)
