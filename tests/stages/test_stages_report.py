"""The report says what the events say, in both forms; two runs stand side by side."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fledge.run.events import EventLog
from fledge.run.files import write_json
from fledge.run.manifest import Manifest, write_manifest
from fledge.stages.card import card_of
from fledge.stages.compare import interleaved, merged
from fledge.stages.figures import bits_rows, percent, task_rows
from fledge.stages.page import Section, Table, Text, Tokens, to_html, to_markdown
from fledge.stages.report import write_report
from fledge.types import FledgeError

HARDWARE = {"precision": "fp32", "compile": False, "device": "cpu"}


BITS = {"name": "heldout/world", "bits_per_byte": 1.2, "stderr": 0.03, "n_bytes": 1000}
NGRAM = {"order": 5, "bits_per_byte": 1.5, "stderr": 0.025}


def a_task(name: str, mean: float | None, n: int, **further: Any) -> dict[str, Any]:
    return {"name": name, "mean": mean, "stderr": 0.03, "n": n, "excluded": 0, "chance": 0.01, **further}


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of all tables of a Markdown page by their first cell; a row seen twice has the cells of both."""
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| "):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows.setdefault(first, []).extend(cells)
    return rows


def finished(run: Path, stage: str, summary: dict[str, Any]) -> None:
    (run / stage).mkdir(parents=True, exist_ok=True)
    write_manifest(run / stage, Manifest(stage, "h", {}, {}, {"python": "3"}, 0.0, 90.0, 90.0, summary, "fledge run x"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    trained = {"n_parameters": 12_000, "tokens": 4_096, "steps": 4, "loss": 1.5, "tokens_per_second": 100.0}
    finished(path, "pretrain", {**trained, "hardware": HARDWARE})
    with EventLog(path / "pretrain" / "events.jsonl") as events:
        for step in range(1, 5):
            loss = float("nan") if step == 2 else 4.0 - step / 2
            events.write("step", step=step, tokens=1024 * step, elapsed=60.0 * step, loss=loss, utilisation=0.25)
        events.write("heldout", step=4, tokens=4096, bits_per_byte=1.25, name="world")
        sample = {"prompt": "Once <b>", "text": "a", "pieces": ["a", " <i>"], "probabilities": [0.9, 0.1]}
        events.write("sample", step=4, tokens=4096, **sample)
    finished(path, "eval", {})
    task = {"name": "sums_2", "mean": 0.75, "stderr": 0.1, "n": 4, "excluded": 1, "chance": 0.01, "outcomes": {}}
    stories = {**task, "name": "stories", "outcomes": {"consistent": 3, "inconsistent": 1, "unverified": 1}}
    text = {"name": "heldout/world", "bits_per_byte": 1.2, "stderr": None, "n_bytes": 1000, "ngram": None}
    write_json(path / "eval" / "results.json", {"tasks": [task, stories], "bits_per_byte": [text]})
    return path


class Balanced(html.parser.HTMLParser):
    """Counts that every element that must be closed is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_holds_every_figure_in_both_forms(run: Path) -> None:
    markdown, page = write_report(run)
    text, code = markdown.read_text("utf-8"), page.read_text("utf-8")
    for shown in ("75.0 %", "10.0 %", "60.0 %", "1.2000", "12k", "25 %", "fledge run x", "sums 2"):
        assert shown in text, shown
        assert shown in code, shown
    assert (run / "report-pretrain.svg").read_text("utf-8").startswith("<?xml")
    assert "(report-pretrain.svg)" in text


def test_the_page_is_sound_and_shows_model_text_as_text(run: Path) -> None:
    code = write_report(run)[1].read_text("utf-8")
    parser = Balanced()
    parser.feed(code)
    assert not parser.open
    assert parser.seen.isdisjoint({"script", "b>", "i"})
    assert "&lt;i&gt;" in code
    assert "Once &lt;b&gt;" in code


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    first = [path.read_bytes() for path in write_report(run)]
    assert [path.read_bytes() for path in write_report(run)] == first


@pytest.fixture
def other(run: Path, tmp_path: Path) -> Path:
    """A second run: one task and one text more, one task less, another loss, another depth."""
    path = tmp_path / "other"
    finished(path, "pretrain", {**json.loads((run / "pretrain/manifest.json").read_text())["summary"], "loss": 9.75})
    finished(path, "eval", {})
    tasks = [a_task("greetings", 1.0, 50), a_task("sums_2", 0.5, 4, stderr=0.2)]
    texts = [{**BITS, "bits_per_byte": 1.1, "ngram": NGRAM}, {**BITS, "name": "extra.txt"}]
    write_json(path / "eval" / "results.json", {"tasks": tasks, "bits_per_byte": texts})
    for at, depth in ((run, 4), (path, 6)):
        (at / "recipe.toml").write_text(f'name = "x"\n[pretrain]\ndepth = {depth}\nseed = 1\n', "utf-8")
    return path


def test_a_training_without_a_loss_that_is_a_number_is_told_without_one(run: Path, other: Path) -> None:
    summary = json.loads((run / "pretrain/manifest.json").read_text())["summary"]
    assert "4 steps, last loss 1.500\n" in card_of(run, "small")
    finished(run, "pretrain", {**summary, "loss": None})
    assert "4 steps\n" in card_of(run, "small") and "loss" not in card_of(run, "small")
    assert rows_of(write_report(run, other)[0].read_text("utf-8"))["last loss"] == ["–", "9.7500"]


def test_two_runs_stand_side_by_side(run: Path, other: Path) -> None:
    text = write_report(run, other)[0].read_text("utf-8")
    rows = rows_of(text)
    groups = [f"{column}, {name}" for name in ("small", "other") for column in ("right", "±", "prompts")]
    assert rows["task"] == [*groups, "chance", "other − small, points", "±"]
    assert rows["sums 2"] == ["75.0 %", "10.0 %", "4 + 1 not scored", "50.0 %", "20.0 %", "4", "1.0 %", "−25.0", "22.4"]
    assert rows["greetings"] == ["–", "–", "–", "100.0 %", "3.0 %", "50", "1.0 %", "–", "–"]
    assert rows["· consistent"][3:] == ["–", "–", "–", "", "–", "–"]
    assert rows["heldout/world"] == ["1.2000", "–", "–", "1.1000", "0.0300", "1.500 ± 0.025 (order 5)", "−0.1000", "–"]
    assert rows["extra.txt"][:3] == ["–"] * 3
    assert rows["last loss"] == ["1.5000", "9.7500"]
    assert rows["eval"] == ["1m30s", "0B", "1m30s", "0B"]
    assert rows["pretrain.depth"] == ["4", "6"]
    assert "2 settings are the same in both" in text
    assert (run / "comparison.html").exists()


def test_a_comparison_leaves_the_pictures_of_the_report_alone(run: Path, other: Path) -> None:
    write_report(run)
    before = {path.name: path.read_bytes() for path in run.glob("report*")}
    text = write_report(run, other)[0].read_text("utf-8")
    assert {path.name: path.read_bytes() for path in run.glob("report*")} == before
    assert "(comparison-tasks.svg)" in text
    drawn = (run / "comparison-tasks.svg").read_text("utf-8")
    bars = ["greetings-other", "sums_2-other", "sums_2-small", "stories-small"]
    assert sorted(re.findall('id="bar-([^"]+)"', drawn)) == sorted(bars)
    assert (run / "comparison-pretrain.svg").exists()


def test_each_heldout_text_has_a_curve_of_its_own(run: Path) -> None:
    with EventLog(run / "pretrain" / "events.jsonl") as events:
        for step in (2, 4):
            events.write("heldout", step=step, tokens=1024 * step, bits_per_byte=9 - step, name="text")
    write_report(run)
    svg = "{http://www.w3.org/2000/svg}"
    groups = {group.get("id"): group for group in ElementTree.parse(run / "report-pretrain.svg").iter(f"{svg}g")}
    points = {key: len(list(g.iter(f"{svg}use"))) for key, g in groups.items() if (key or "").startswith("heldout")}
    curves = {"text-0": 2, "text-1": 2, "world-0": 1, "world-1": 1}
    assert points == {f"heldout-small-{key}": n for key, n in curves.items()}


def test_rows_of_two_runs_keep_their_neighbours() -> None:
    assert merged(["abd", "bcd", "xa"]) == list("xabcd")
    assert interleaved(["ac", "bde"]) == list("abcde")


def test_a_directory_without_a_finished_stage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FledgeError, match="no finished stage"):
        write_report(tmp_path)


def test_what_could_not_be_scored_is_a_dash_and_not_zero() -> None:
    task = {"name": "x", "mean": None, "stderr": None, "n": 0, "excluded": 3, "chance": 0.5, "outcomes": {}}
    assert task_rows({"tasks": [task]}) == (("x", "–", "–", "50.0 %", "0", "3"),)
    assert percent(0.0) == "0.0 %"


def test_a_task_that_tuning_saw_is_marked(run: Path) -> None:
    results = {"tasks": [a_task("facts_asked", 1.0, 9, seen=True), a_task("sums_2", 1.0, 9)], "bits_per_byte": []}
    write_json(run / "eval" / "results.json", results)
    text = write_report(run)[0].read_text("utf-8")
    assert "| facts asked (seen in tuning) |" in text
    assert "| sums 2 |" in text
    assert "Seen in tuning: tuning may have asked the same questions." in text
    assert "never saw" not in text


def test_kinds_of_outcome_have_the_stderr_of_shares() -> None:
    outcomes = {"consistent": 0, "inconsistent": 8, "unverified": 0}
    rows = task_rows({"tasks": [a_task("stories", 0.0, 8, outcomes=outcomes)]})
    assert [row[:3] for row in rows[1:]] == [
        ("· consistent", "0.0 %", "5.6 %"),
        ("· inconsistent", "100.0 %", "5.6 %"),
        ("· unverified", "0.0 %", "5.6 %"),
    ]


def test_the_baseline_has_its_stderr() -> None:
    assert bits_rows({"bits_per_byte": [{**BITS, "ngram": NGRAM}]})[0][3] == "1.500 ± 0.025 (order 5)"


def test_markdown_cells_and_fences_cannot_be_broken_out_of() -> None:
    page = to_markdown("t", "l", [Section("s", (Table(("a", "b"), (("x|y", "1\n2"),)), Tokens("p", (("```", 0.5),))))])
    assert "x\\|y | 1 2 |" in page
    assert "````\n```\n````" in page
    assert "<script>" not in to_html("<script>", "", [Section("<script>", (Text("<script>"),))])
