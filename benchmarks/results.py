"""Keep the figures of runs as JSON in docs/results, and render docs/results.md from them.

python benchmarks/results.py keep RUN NAME [FIGURES.json]   # the figures of a finished run, its command and versions
python benchmarks/results.py render                         # docs/results.md from docs/results/*.json

FIGURES.json holds what was measured beside the run: {"make_demo_seconds": 700, "text_peak_bytes": 400000000}.
pages.json lists the sections of the page; one whose file is not there is left out. Words take their figures from that
file: {tasks.sums_2}, {tasks.stories.consistent}, {bits.heldout/world}, {bits.heldout/world.ngram}, {seconds.pretrain},
{unasked.five}, or any path in it, as {figures.text_peak_bytes} or {kills}.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from fledge.evals.tools import ENDING
from fledge.run.progress import duration, quantity
from fledge.stages.figures import (
    BITS_HEADER,
    CALLS_HEADER,
    TASK_HEADER,
    baseline,
    bits_rows,
    call_rows,
    measures,
    percent,
    task_rows,
)
from fledge.stages.finished import read_run
from fledge.stages.page import Section, Table, Text, to_markdown

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "results"
N_EXAMPLES = 2
"""Of each task, that are shown as they were answered."""
SHOWN = 300  # characters of a call or a result
PAGE = ROOT / "docs" / "results.md"
LEAD = (
    "Every figure here comes from a run of this code with the command that stands beside it; the data lie in "
    "docs/results/*.json, and benchmarks/results.py renders this page from them. Times are of two processor cores."
)
ARMS = {"one": "one wording, one order", "one_shuffled": "one wording, shuffled", "five": "five wordings, shuffled"}
QUALITY_PLOT = "time-to-quality.png"
NOT_FIGURES = ("command", "versions")


def keep(run: Path, name: str, further: Mapping[str, Any]) -> None:
    """Write ``docs/results/NAME.json``: what the report of ``run`` shows, without its pictures."""
    facts = read_run(run)
    last = list(facts.manifests.values())[-1]
    trained = {stage: dict(facts.summary(stage)) for stage in ("pretrain", "sft") if stage in facts.manifests}
    kept = {
        "command": last.command.replace(f"{ROOT}/", "").replace(f"{ROOT.parent}/", "../"),
        "versions": dict(last.versions),
        "seconds": {stage: manifest.seconds for stage, manifest in facts.manifests.items()},
        "trained": trained,
        "figures": dict(further),
        "world": {k: v for k, v in facts.summary("world").items() if isinstance(v, (int, float, str))},
        "funnel": facts.json("text", "funnel.json").get("funnel", []),
        "results": facts.json("eval", "results.json"),
        "samples": [
            {key: event[key] for key in ("step", "prompt", "text")}
            for stage in ("pretrain", "sft")
            for event in facts.events(stage, "sample")
            if event["step"] == facts.summary(stage).get("steps")
        ],
        "with_tools": asked_both_ways(run / "eval" / "transcripts"),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def asked_both_ways(transcripts: Path) -> list[dict[str, Any]]:
    """The first prompts of each task that was asked with tools and without, where a tool was called."""
    found = []
    for path in sorted(transcripts.glob(f"*{ENDING}.jsonl")):
        plain = path.with_name(path.name.replace(ENDING, ""))
        if plain.is_file():
            with open(path, encoding="utf-8") as offered, open(plain, encoding="utf-8") as alone:
                for line, other in islice(zip(offered, alone, strict=True), N_EXAMPLES):
                    row, without = json.loads(line), json.loads(other)
                    answer = row["answers"][0]
                    said = without["answers"][0].get("text", "")
                    asked = {"asked": row["prompt"][-1]["content"], "without": said, "with": answer.get("text", "")}
                    found += [{**asked, "calls": answer["calls"]}] if answer.get("calls") else []
    return found


def opening(words: str, kept: Mapping[str, Any]) -> list[Any]:
    return [Text(words), *([Text(f"`{kept['command']}`")] if kept["command"] else [])]


def run_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """A run: what it took, what it measured, what it says."""
    seconds = kept["seconds"]
    spent = tuple((stage, duration(value)) for stage, value in seconds.items())
    blocks = opening(words, kept)
    blocks.append(Table(("stage", "time"), (*spent, ("in all", duration(sum(seconds.values()))))))
    blocks += figure_tables(kept.get("figures", {}))
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
    for header, rows_of in ((TASK_HEADER, task_rows), (CALLS_HEADER, call_rows), (BITS_HEADER, bits_rows)):
        if rows := rows_of(kept["results"]):
            blocks.append(Table(header, rows))
    if kept["funnel"]:
        blocks += funnel_blocks(kept["funnel"], seconds["text"])
    for sample in kept["samples"]:
        said, asked = (literal(" ".join(sample[key].split())) for key in ("text", "prompt"))
        blocks.append(Text(f"> *{asked or '(nothing)'}* → {said}"))
    return Section(title, tuple(blocks))


def funnel_blocks(funnel: Sequence[Mapping[str, Any]], seconds: float) -> list[Any]:
    """The speed of the text stage, and the documents and bytes that each step lost."""
    read, kept, n_documents = funnel[0]["bytes_in"] / 1e6, funnel[-1]["bytes_out"] / 1e6, funnel[-1]["documents_out"]
    told = f"{read:,.1f} MB of text read, {read / seconds:.1f} MB/s; {n_documents:,} documents kept, {kept:,.1f} MB."
    columns = ("documents_in", "documents_rejected", "bytes_in", "bytes_rejected", "bytes_changed")
    rows = tuple(
        (
            row["step"],
            *(
                f"{row[key]:,}" if key.startswith("documents") else f"{round(row[key] / 1e6, 2) + 0.0:,.2f}"
                for key in columns
            ),
        )
        for row in funnel
    )
    return [Text(told), Table(("step", "documents in", "documents lost", "MB in", "MB lost", "MB changed"), rows)]


def literal(text: str) -> str:
    """``text`` with what Markdown would take for its own marks escaped."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def tools_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """The same questions with tools and without, where they were asked both ways, and what was called."""
    found = {each.task: each for each in measures(kept["results"]) if not each.outcome}
    rows = []
    for name, offered in found.items():
        if name.endswith(ENDING):
            plain = found.get(name.removesuffix(ENDING))
            shares = [(percent(each.mean), percent(each.stderr)) if each else ("–", "–") for each in (offered, plain)]
            rows.append((name.removesuffix(ENDING).replace("_", " "), *shares[0], *shares[1], str(offered.n)))
    header = ("", "right with tools", "± 1 s.e.", "right without", "± 1 s.e.", "prompts")
    called = Table(CALLS_HEADER, call_rows(kept["results"]))
    told = [
        Text(
            f"> *{literal(each['asked'])}* Without: {literal(each['without'])} With: "
            + " ".join(f"`{short(call['call'])}` gives “{literal(short(call['result']))}”." for call in each["calls"])
            + f" {literal(each['with'])}"
        )
        for each in kept.get("with_tools", ())
    ]
    return Section(title, (*opening(words, kept), Table(header, tuple(rows)), called, *told))


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def wordings_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """The share of facts extracted from each arm, then every run."""
    means = tuple(
        (ARMS.get(arm, arm), percent(each["mean"]), percent(each["stderr"])) for arm, each in kept["unasked"].items()
    )
    rows = tuple(
        (
            ARMS.get(row["wordings"], row["wordings"]),
            str(row["seed"]),
            *(percent(row[key]) for key in ("unasked", "asked", "chance")),
            *(f"{row[key]:,.1f}" if key in row else "–" for key in ("tellings", "passes")),
        )
        for row in kept["rows"]
    )
    columns = ("seed", "never asked about", "asked about", "chance", "tellings a fact", "passes")
    blocks = opening(words, kept)
    blocks.append(Table(("people never asked about", "mean of seeds", "± 1 s.e."), means))
    return Section(title, (*blocks, Table(("text", *columns), rows)))


def speed_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """For each shape: every contestant's speed and memory, then Fledge beside the fastest of each family."""
    blocks = opening(words, kept)
    blocks.append(Table(("", ""), tuple((label(key), shown(key, value)) for key, value in kept["machine"].items())))
    for name, each in kept["shapes"].items():
        shape = each["shape"]
        sizes = f"{shape['n_layers']} layers, {shape['d_model']} wide, {shape['n_heads']} heads"
        batch = f"context {shape['context']}, vocabulary {shape['vocab_size']:,}, {shape['rows']} rows a step"
        blocks.append(Text(f"Shape ({name}): {sizes}, {batch}."))
        rows = []
        for row in each["rows"]:
            keys = ("tokens_per_second", "compile_seconds", "peak_bytes", "peak_step_bytes", "n_parameters", "n_steps")
            # to whole tokens, and no "compile" where nothing is compiled
            figures = {**row, "tokens_per_second": round(row.get("tokens_per_second", 0))}
            figures["compile_seconds"] = max(0.0, row.get("compile_seconds", 0.0))
            cells = [row["error"], *["–"] * (len(keys) - 1)] if row["error"] else [shown(k, figures[k]) for k in keys]
            rows.append((row["name"], *cells))
        header = ("", "tokens/s", "first step's extra", "peak memory", "after warm-up", "parameters", "steps timed")
        blocks.append(Table(header, tuple(rows)))
        ratios = tuple(
            (
                each_ratio["contestant"],
                each_ratio["fastest_peer"],
                f"{each_ratio['speed_ratio']:.2f}",
                ", ".join(f"{ratio:.2f}" for ratio in each_ratio["speed_ratio_by_round"]),
                f"{each_ratio['memory_ratio_to_leanest']:.2f}",
            )
            for each_ratio in each["ratios"]
        )
        if ratios:
            header = ("", "beside", "times its speed", "by round", "times the memory of the leanest of its kind")
            blocks.append(Table(header, ratios))
    return Section(title, tuple(blocks))


def quality_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """For each held-out text: where each contestant ends, and how long it took to the target; then the curves."""
    blocks = opening(words, kept)
    for target in kept["targets"]:
        blocks.append(Text(f"{target['text']}, to {target['bits']:.3f} bits per byte:"))
        rows = []
        for row in target["reached"]:
            keys = ("seconds", "seconds_after_first_step", "tokens")
            found = [row.get(key) for key in keys]
            told = ["not reached", "–", "–"] if found[0] is None else [f"{value:,.0f}" for value in found]
            rows.append((row["contestant"], f"{row['final_bits']:.3f}", *told))
        header = ("", "bits per byte at the end", "seconds to the target", "after the first step", "tokens to it")
        blocks.append(Table(header, tuple(rows)))
    ends = kept.get("ends", [])
    if ends:
        own = list(dict.fromkeys(key for each in ends for key in each if key.endswith(", share")))
        cells = ([f"{each[key]:.2f}" if key in each else "not reached" for key in own] for each in ends)
        rows = [(each["text"], each["peer"], *found) for each, found in zip(ends, cells, strict=True)]
        header = ("", "to where this one ends", *(key.removesuffix(", share") + ", times its time" for key in own))
        blocks.append(Table(header, tuple(rows)))
    errors = sorted({(run["name"], run["error"]) for run in kept["runs"] if run["error"]})
    blocks += [Text(f"{name}: {error}") for name, error in errors]
    if (ROOT / "docs" / "images" / QUALITY_PLOT).exists():
        blocks.append(Text(f"![Bits per byte against seconds and against tokens](images/{QUALITY_PLOT})"))
    return Section(title, tuple(blocks))


def plain_section(title: str, words: str, kept: Mapping[str, Any]) -> Section:
    """A small result file as it is: its ``figures``, or all that it holds."""
    figures = kept.get("figures") or {key: value for key, value in kept.items() if key not in NOT_FIGURES}
    return Section(title, (*opening(words, kept), *figure_tables(figures)))


def figure_tables(figures: Mapping[str, Any]) -> list[Table]:
    """Single figures in one table; records, in a list or by name, in a table each."""
    single: dict[str, str] = {}
    tables = []
    for key, value in figures.items():
        records = value if is_records(value) else list(value.values()) if is_records_by_name(value) else None
        if records is None:
            single |= flat(value, key)
        else:
            columns = list(dict.fromkeys(name for record in records for name in record))
            names = list(value) if isinstance(value, Mapping) else [str(i + 1) for i in range(len(records))]
            rows = tuple(
                (label(name), *(shown(column, record[column]) if column in record else "–" for column in columns))
                for name, record in zip(names, records, strict=True)
            )
            tables.append(Table((label(key), *map(label, columns)), rows))
    rows = tuple((label(key), value) for key, value in single.items())
    return [*([Table(("", ""), rows)] if rows else []), *tables]


def is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def is_records_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and is_records(list(value.values()))


def flat(value: Any, path: str) -> dict[str, str]:
    """Every figure under ``value`` as it is shown, by its dotted path."""
    if isinstance(value, Mapping):
        return {name: text for key, each in value.items() for name, text in flat(each, f"{path}.{key}").items()}
    return {path: shown(path, value)}


def shown(key: str, value: Any) -> str:
    """A figure for people; names that end in ``_seconds``, ``_bytes`` and ``_share`` tell their unit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return str(len(value)) if is_records(value) else ", ".join(map(str, value)) or "none"
    if not isinstance(value, (int, float)):
        return "–" if value is None else str(value)
    if key.endswith("_seconds"):
        return duration(value)
    if key.endswith("_bytes"):
        return quantity(value) + "B"
    if key.endswith("_share"):
        return percent(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def label(key: str) -> str:
    return re.sub(r"_(seconds|bytes|share)$", "", key).replace("_", " ").replace(".", ", ")


def words_with_figures(words: str, kept: Mapping[str, Any], file: str) -> str:
    """``words`` with each ``{path}`` replaced by the figure that ``kept`` holds there; SystemExit where it has none."""
    figures = {path: text for key, value in kept.items() for path, text in flat(value, key).items()}
    for each in measures(kept.get("results", {})):
        figures[".".join(filter(None, ("tasks", each.task, each.outcome)))] = percent(each.mean)
    for text in kept.get("results", {}).get("bits_per_byte", ()):
        figures |= {
            f"bits.{text['name']}": f"{text['bits_per_byte']:.3f}",
            f"bits.{text['name']}.ngram": baseline(text),
        }
    figures |= {f"seconds.{stage}": duration(value) for stage, value in kept.get("seconds", {}).items()}
    figures |= {f"unasked.{arm}": percent(each["mean"]) for arm, each in kept.get("unasked", {}).items()}

    def figure(match: re.Match[str]) -> str:
        if match[1] not in figures:
            raise SystemExit(f"pages.json: {file} holds no figure {{{match[1]}}}; correct the words, or keep it again")
        return figures[match[1]]

    return re.sub(r"\{([^{}]+)\}", figure, words)


Render = Callable[[str, str, Mapping[str, Any]], Section]
SECTIONS: dict[str, Render] = {
    "run": run_section,
    "tools": tools_section,
    "wordings": wordings_section,
    "speed": speed_section,
    "quality": quality_section,
    "plain": plain_section,
}


def render() -> str:
    """The page of the sections in ``pages.json``: file, kind, title, words, and a command where the file has none."""
    sections = []
    for page in json.loads((KEPT / "pages.json").read_text("utf-8")):
        path = KEPT / page["file"]
        if path.exists():
            kept = {"command": page.get("command", ""), **json.loads(path.read_text("utf-8"))}
            words = words_with_figures(page["words"], kept, page["file"])
            sections.append(SECTIONS[page["kind"]](page["title"], words, kept))
    return to_markdown("Results", LEAD, sections)


def main() -> None:
    match sys.argv[1:]:
        case ["keep", run, name]:
            keep(Path(run), name, {})
        case ["keep", run, name, figures]:
            keep(Path(run), name, json.loads(Path(figures).read_text("utf-8")))
        case ["render"]:
            PAGE.write_text(render(), encoding="utf-8", newline="\n")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
