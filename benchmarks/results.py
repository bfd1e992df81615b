"""Keep the figures of runs as JSON in docs/results, and render docs/results.md from them.

python benchmarks/results.py keep RUN NAME     # the figures of a finished run, with its command and versions
python benchmarks/results.py render            # docs/results.md from docs/results/*.json and the words below
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fledge.run.progress import duration, quantity
from fledge.stages.figures import BITS_HEADER, TASK_HEADER, bits_rows, task_rows
from fledge.stages.page import Section, Table, Text, to_markdown
from fledge.stages.finished import read_run

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "results.md"
LEAD = (
    "Every figure here comes from a run of this code with the command that stands beside it; the data lie in "
    "docs/results/*.json, and benchmarks/results.py renders this page from them. Times are of two processor cores."
)


def keep(run: Path, name: str) -> None:
    """Write ``docs/results/NAME.json``: what the report of ``run`` shows, without its pictures."""
    facts = read_run(run)
    last = list(facts.manifests.values())[-1]
    trained = {stage: dict(facts.summary(stage)) for stage in ("pretrain", "sft") if stage in facts.manifests}
    kept = {
        "command": last.command,
        "versions": dict(last.versions),
        "seconds": {stage: manifest.seconds for stage, manifest in facts.manifests.items()},
        "trained": trained,
        "world": {k: v for k, v in facts.summary("world").items() if isinstance(v, (int, float, str))},
        "funnel": facts.json("text", "funnel.json").get("funnel", []),
        "results": facts.json("eval", "results.json"),
        "samples": [
            {key: event[key] for key in ("step", "prompt", "text")}
            for stage in ("pretrain", "sft")
            for event in facts.events(stage, "sample")
            if event["step"] == facts.summary(stage).get("steps")
        ],
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """A run: what it took, what it measured, what it says."""
    seconds = kept["seconds"]
    spent = tuple((stage, duration(value)) for stage, value in seconds.items())
    blocks: list[Any] = [Text(words), Text(f"`{kept['command']}`")]
    blocks.append(Table(("stage", "time"), (*spent, ("in all", duration(sum(seconds.values()))))))
    trained = tuple(
        (
            stage,
            quantity(each["n_parameters"]),
            quantity(each["tokens"]),
            f"{each['tokens_per_second']:,.0f}",
            f"{each['hardware']['precision']}, {'compiled' if each['hardware']['compile'] else 'not compiled'}",
        )
        for stage, each in kept["trained"].items()
    )
    if trained:
        blocks.append(Table(("", "parameters", "tokens", "tokens/s", "arithmetic"), trained))
    for header, rows in ((TASK_HEADER, task_rows(kept["results"])), (BITS_HEADER, bits_rows(kept["results"]))):
        if rows:
            blocks.append(Table(header, rows))
    if kept["funnel"]:
        rows = tuple(
            (
                row["step"],
                f"{row['documents_in']:,}",
                f"{row['documents_rejected']:,}",
                f"{row['bytes_out'] / 1e6:,.1f}",
            )
            for row in kept["funnel"]
        )
        blocks.append(Table(("step", "documents in", "documents lost", "MB out"), rows))
    for sample in kept["samples"]:
        said = " ".join(sample["text"].split())
        blocks.append(Text(f"> *{sample['prompt'] or '(nothing)'}* → {said}"))
    return Section(title, tuple(blocks))


def wordings_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    rows = tuple(
        (row["wordings"], str(row["seed"]), f"{100 * row['unasked']:.1f} %", f"{100 * row['asked']:.1f} %")
        for row in kept["rows"]
    )
    means = tuple(
        (f"{name}, mean", "± 1 s.e.", f"{100 * each['mean']:.1f} %", f"± {100 * (each['stderr'] or 0):.1f} %")
        for name, each in kept["unasked"].items()
    )
    return Section(title, (Text(words), Table(("wordings", "seed", "never asked about", "asked about"), rows + means)))


def plain_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    rows = tuple((key.replace("_", " "), str(value)) for key, value in kept["figures"].items())
    return Section(title, (Text(words), Text(f"`{kept['command']}`"), Table(("", ""), rows)))


Render = Callable[[str, str, Mapping[str, Any]], Section]
SECTIONS: dict[str, Render] = {"run": run_section, "wordings": wordings_section, "plain": plain_section}


def render() -> str:
    """The page. ``docs/results/pages.json`` lists its sections: file, kind, title and the words above the tables."""
    pages = json.loads((KEPT / "pages.json").read_text("utf-8"))
    sections = [
        SECTIONS[page["kind"]](page["title"], page["words"], json.loads((KEPT / page["file"]).read_text("utf-8")))
        for page in pages
    ]
    return to_markdown("Results", LEAD, sections)


def main() -> None:
    match sys.argv[1:]:
        case ["keep", run, name]:
            keep(Path(run), name)
        case ["render"]:
            PAGE.write_text(render(), encoding="utf-8", newline="\n")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
