"""The report of a run, or of two side by side: ``report.md`` and ``report.html``, made from what the stages left."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fledge.run.files import write_text
from fledge.run.progress import duration, quantity
from fledge.stages import plots
from fledge.stages.compare import (
    compare_bits,
    compare_tasks,
    differing,
    interleaved,
    merged,
    settings_rows,
    side_by_side,
)
from fledge.stages.figures import (
    BITS_HEADER,
    CALLS_HEADER,
    SEEN,
    TASK_HEADER,
    bits_rows,
    call_rows,
    measures,
    task_rows,
)
from fledge.stages.finished import RunFacts, read_run
from fledge.stages.page import Block, Code, Picture, Section, Table, Text, Tokens, picture_file, to_html, to_markdown

TRAINED = ("pretrain", "sft")
SAMPLES_SHOWN = 5
Lines = Sequence[tuple[str, ...]]


def write_report(run: Path, other: Path | None = None) -> tuple[Path, Path]:
    """Write ``report.md`` (with its pictures beside it) and ``report.html`` into ``run``; returns their paths.

    With ``other``, ``comparison.md`` and ``comparison.html`` show the two side by side.
    """
    runs = [read_run(run), *([read_run(other)] if other is not None else [])]
    if len({run.name for run in runs}) < len(runs):
        runs = [replace(each, name=str(each.path)) for each in runs]
    title = " and ".join(each.name for each in runs)
    stem = "report" if other is None else "comparison"
    sections = [section for build in _SECTIONS for section in build(runs)]
    lead = "; ".join(_lead(each) for each in runs)
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                write_text(run / picture_file(block, stem), block.svg)
    markdown, page = run / f"{stem}.md", run / f"{stem}.html"
    write_text(markdown, to_markdown(title, lead, sections, stem))
    write_text(page, to_html(title, lead, sections))
    return markdown, page


def _lead(run: RunFacts) -> str:
    seconds = sum(manifest.seconds for manifest in run.manifests.values())
    told = f"{run.name}: {duration(seconds)} of work"
    if pretrain := run.summary("pretrain"):
        told += f", {quantity(pretrain['n_parameters'])} parameters, {quantity(pretrain['tokens'])} tokens of text"
    older = ", ".join(f"{stage} (of an older {above})" for stage, above in run.stale.items())
    return told + (f"; stale and left out until the recipe runs again: {older}" if older else "")


def _table(runs: Sequence[RunFacts], header: Sequence[str], rows_of: Callable[[RunFacts], Lines]) -> Table | None:
    """The rows of a run under ``header``; of two runs side by side."""
    tables = [rows_of(run) for run in runs]
    if not any(tables):
        return None
    if len(runs) > 1:
        return side_by_side([run.name for run in runs], header, tables)
    return Table(tuple(header), tuple(tuple(row) for row in tables[0]))


def _facts_table(runs: Sequence[RunFacts], title: str, facts_of: Callable[[RunFacts], Lines]) -> Table | None:
    """Named facts of a run in one row; of two runs a row a fact."""
    if len(runs) > 1:
        return _table(runs, ("", ""), facts_of)
    facts = facts_of(runs[0])
    if not facts:
        return None
    return Table(("", *(name for name, _ in facts)), ((title, *(value for _, value in facts)),))


def _section(title: str, *blocks: Block | None) -> list[Section]:
    present = tuple(block for block in blocks if block is not None)
    return [Section(title, present)] if present else []


def _measured(runs: Sequence[RunFacts]) -> list[Section]:
    results = [run.json("eval", "results.json") for run in runs]
    shares: dict[str, dict[str, plots.Share]] = {run.name: {} for run in runs}
    labels: dict[str, str] = {}
    for run, result in zip(runs, results, strict=True):
        for each in measures(result):
            if each.mean is not None and each.chance is not None:
                shares[run.name][each.task] = (each.mean, each.stderr or 0.0, each.chance)
                labels[each.task] = max(each.label, labels.get(each.task, ""), key=len)
    chart = None
    if labels:
        caption = "Share of right answers."
        if any(SEEN in label for label in labels.values()):
            caption += f" {SEEN.capitalize()}: tuning may have asked the same questions."
        in_order = {name: labels[name] for name in merged([list(found) for found in shares.values()])}
        chart = Picture("tasks", plots.bars(in_order, shares), caption)
    if len(runs) == 2:
        names = (runs[0].name, runs[1].name)
        can_do, predicts = compare_tasks(names, results), compare_bits(names, results)
    else:
        can_do, predicts = Table(TASK_HEADER, task_rows(results[0])), Table(BITS_HEADER, bits_rows(results[0]))
    calls = _table(runs, CALLS_HEADER, lambda run: call_rows(run.json("eval", "results.json")))
    told = Text("Bits per byte: fewer is better. The n-gram baseline read the same training text in the same tokens.")
    return [
        *_section("What it can do", chart, can_do if can_do.rows else None, calls),
        *(_section("How well it predicts text", told, predicts) if predicts.rows else []),
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
            curves[run.name] = _curve([event for event in steps if event["loss"] is not None], minutes, "loss")
            measured = [event for event in run.events(stage, "heldout") if event["step"]]
            heldout[run.name] = {
                text: _curve([each for each in measured if each["name"] == text], minutes, "bits_per_byte")
                for text in dict.fromkeys(event["name"] for event in measured)
            }
        picture = None
        if curves:
            svg = plots.loss_curves(curves, heldout, "bits per byte on held-out text")
            picture = Picture(stage, svg, f"Loss of {stage} against tokens and against time.")
        sections += _section(
            {"pretrain": "Pretraining", "sft": "Tuning"}[stage],
            picture,
            _facts_table(runs, stage, partial(_training_facts, stage)),
        )
    return sections


def _curve(events: Sequence[Mapping[str, Any]], minutes: Mapping[int, float], key: str) -> plots.Losses:
    return (
        [event["tokens"] for event in events],
        [minutes[event["step"]] for event in events],
        [event[key] for event in events],
    )


def _training_facts(stage: str, run: RunFacts) -> Lines:
    summary = run.summary(stage)
    if not summary.get("steps"):  # nothing was trained: the model was taken as it is
        return []
    hardware = summary["hardware"]
    used = sorted(event["utilisation"] for event in run.events(stage, "step") if event.get("utilisation"))
    arithmetic = f"{hardware['precision']}, {'compiled' if hardware['compile'] else 'not compiled'}"
    return [
        ("parameters", quantity(summary["n_parameters"])),
        ("tokens", quantity(summary["tokens"])),
        ("steps", f"{summary['steps']:,}"),
        ("last loss", "–" if summary["loss"] is None else f"{summary['loss']:.4f}"),
        ("tokens/s", f"{summary['tokens_per_second']:,.0f}"),
        ("arithmetic", f"{arithmetic}, {hardware['device']}"),
        ("utilisation", f"{100 * used[len(used) // 2]:.0f} %" if used else "–"),
    ]


def _samples(runs: Sequence[RunFacts]) -> list[Section]:
    sections = []
    for stage, title in (("pretrain", "Samples as the model grew"), ("sft", "Samples as the assistant grew")):
        told = (
            "Taken at fixed steps with fixed seeds, not chosen. "
            "The colour under a token is its probability: red low, green high."
        )
        samples = [
            _sample(event, f"{run.name}, " if len(runs) > 1 else "", " → " if stage == "sft" else "")
            for run, event in interleaved([[(run, event) for event in _chosen_samples(run, stage)] for run in runs])
        ]
        sections += [Section(title, (Text(told), *samples))] if samples else []
    return sections


def _chosen_samples(run: RunFacts, stage: str) -> list[dict[str, Any]]:
    """The samples of ``SAMPLES_SHOWN`` steps, evenly spread."""
    samples = run.events(stage, "sample")
    steps = sorted({event["step"] for event in samples})
    chosen = {steps[round(i * (len(steps) - 1) / (SAMPLES_SHOWN - 1))] for i in range(SAMPLES_SHOWN)} if steps else ()
    return [event for event in samples if event["step"] in chosen]


def _sample(event: Mapping[str, Any], run: str, reply_mark: str) -> Tokens:
    given: list[tuple[str, float | None]] = [(event["prompt"] + reply_mark, None)] if event["prompt"] else []
    pieces = list(zip(event["pieces"], event["probabilities"], strict=True))
    return Tokens(f"{run}step {event['step']:,} ({quantity(event['tokens'])} tokens)", (*given, *pieces))


def _documents(runs: Sequence[RunFacts]) -> list[Section]:
    pictures: list[Block] = []
    for number, run in enumerate(runs, 1):
        funnel = _funnel(run)
        if funnel:
            svg = plots.funnel(
                [row["step"] for row in funnel],
                [row["bytes_out"] / 1e6 for row in funnel],
                [row["bytes_rejected"] / 1e6 for row in funnel],
                "MB that went on (dark) and that fell (light)",
            )
            name, told = (f"funnel-{number}", f" of {run.name}") if len(runs) > 1 else ("funnel", "")
            pictures.append(Picture(name, svg, f"What each step{told} let through and what it set aside."))
    header = ("step", "documents in", "documents lost", "MB in", "MB lost", "commonest reason")
    world = _table(runs, ("the town", ""), lambda run: _plain_rows(run.summary("world")))
    return [*_section("The funnel", *pictures, _table(runs, header, _funnel_rows)), *_section("The world", world)]


def _funnel(run: RunFacts) -> list[Mapping[str, Any]]:
    return list(run.json("text", "funnel.json").get("funnel", []))


def _funnel_rows(run: RunFacts) -> Lines:
    return [
        (
            row["step"],
            f"{row['documents_in']:,}",
            f"{row['documents_rejected']:,}",
            f"{row['bytes_in'] / 1e6:,.2f}",
            f"{row['bytes_rejected'] / 1e6:,.2f}",
            next(iter(row["reasons"]), ""),
        )
        for row in _funnel(run)
    ]


def _plain_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The numbers and words of a summary; nested parts are left to ``inspect``."""
    rows = []
    for key, value in summary.items():
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            shown = value if isinstance(value, str) else (f"{value:,}" if isinstance(value, int) else f"{value:,.4g}")
            rows.append((key.replace("_", " "), shown))
    return rows


def _tokenizer(runs: Sequence[RunFacts]) -> list[Section]:
    def facts_of(run: RunFacts) -> Lines:
        facts = run.summary("tokens").get("facts")
        if not facts:
            return []
        fertility = run.summary("tokenizer").get("fertility")
        return [
            ("vocabulary", f"{facts['vocab_size']:,}"),
            ("training tokens", quantity(run.summary("tokens")["n_tokens"])),
            ("bytes a token", ", ".join(f"{name} {value:.2f}" for name, value in facts["bytes_per_token"].items())),
            ("tokens a word", "–" if fertility is None else f"{fertility:.3f}"),
            ("unused tokens", str(facts["n_unused_tokens"])),
        ]

    longest = [
        Text(
            f"Longest tokens{' of ' + run.name if len(runs) > 1 else ''}: "
            + ", ".join(repr(t) for t in facts["longest_tokens"][:12])
        )
        for run in runs
        if (facts := run.summary("tokens").get("facts"))
    ]
    return _section("The tokenizer", _facts_table(runs, "", facts_of), *longest)


def _provenance(runs: Sequence[RunFacts]) -> list[Section]:
    def rows(run: RunFacts) -> Lines:
        return [
            (stage, duration(manifest.seconds), quantity(sum(f.n_bytes for f in manifest.outputs.values())) + "B")
            for stage, manifest in run.manifests.items()
        ]

    told: list[Block] = []
    for run in runs:
        last = list(run.manifests.values())[-1]
        versions = ", ".join(f"{name} {value}" for name, value in last.versions.items())
        told += [Code(last.command), Text(f"{run.name} was made with {versions}.")]
    made = _section("How it was made", *told, _table(runs, ("stage", "time", "output"), rows))
    recipes = [path.read_text("utf-8") for run in runs if (path := run.path / "recipe.toml").exists()]
    if len(runs) == 1:
        return [*made, *_section("Every setting", *(Code(recipe) for recipe in recipes))]
    if len(recipes) < len(runs):
        return made
    settings = side_by_side(
        [run.name for run in runs], ("setting", ""), [settings_rows(tomllib.loads(recipe)) for recipe in recipes]
    )
    rows_that_differ = differing(settings)
    same = Text(f"{len(settings.rows) - len(rows_that_differ)} settings are the same in both.")
    table = Table(settings.header, rows_that_differ) if rows_that_differ else None
    return [*made, *_section("Settings that differ", table, same)]


_SECTIONS = (_measured, _training, _samples, _documents, _tokenizer, _provenance)
