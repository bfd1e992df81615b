"""The page of results is rendered from its data: figures stand in the data alone, words take theirs from there."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fledge.run.events import EventLog
from fledge.run.files import write_json
from fledge.run.manifest import Manifest, write_manifest

ROOT = Path(__file__).resolve().parents[2]
STORIES = {"consistent": 1, "inconsistent": 2, "unverified": 1}
TASK = {"name": "stories", "mean": 0.25, "stderr": 0.1, "n": 4, "excluded": 0, "chance": 0.0, "outcomes": STORIES}
NGRAM = {"order": 5, "bits_per_byte": 0.9, "stderr": 0.01}
BITS = {"name": "valid_1.txt", "bits_per_byte": 0.75, "stderr": 0.02, "n_bytes": 1000, "ngram": NGRAM}
COUNTS = {"documents_in": 10, "documents_rejected": 3, "documents_out": 7}
FUNNEL = [
    {"step": "read", **COUNTS, "bytes_in": 8_000_000, "bytes_rejected": 1_000, "bytes_changed": -9, "bytes_out": 6e6}
]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with an empty folder of results."""
    module = script()
    monkeypatch.setattr(module, "KEPT", tmp_path / "results")
    return module


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", ROOT / "benchmarks" / "results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_run(path: Path) -> Path:
    """A finished text and pretrain stage, with results."""
    trained = {"n_parameters": 12_000, "tokens": 4_096, "steps": 4, "tokens_per_second": 100.0}
    hardware = {"precision": "fp32", "compile": False, "device": "cpu"}
    command = f"fledge run {ROOT}/recipes/x.toml --text.sources {ROOT.parent}/shared/a.txt"
    for stage, summary in (("text", {}), ("pretrain", {**trained, "hardware": hardware})):
        (path / stage).mkdir(parents=True)
        write_manifest(path / stage, Manifest(stage, "h", {}, {}, {}, 0.0, 4.0, 4.0, summary, command))
    write_json(path / "text" / "funnel.json", {"funnel": FUNNEL})
    with EventLog(path / "pretrain" / "events.jsonl") as events:
        events.write("sample", step=4, prompt="Once", text="a *star*\n<b>")
    (path / "eval").mkdir()
    write_json(path / "eval" / "results.json", {"tasks": [TASK], "bits_per_byte": [BITS]})
    return path


def page(results: ModuleType, file: str, kind: str, words: str, kept: Mapping[str, Any] | None = None) -> str:
    """The page of one section; ``kept`` is written to its file first."""
    entry = {"file": file, "kind": kind, "title": "Title", "words": words, "command": "make it"}
    write_json(results.KEPT / "pages.json", [entry])
    if kept is not None:
        write_json(results.KEPT / file, kept)
    return results.render()


def test_docs_results_is_what_its_data_say() -> None:
    assert (ROOT / "docs" / "results.md").read_text("utf-8") == script().render()


def test_a_kept_run_shows_what_it_took_and_measured(results: ModuleType, tmp_path: Path) -> None:
    results.keep(a_run(tmp_path / "run"), "library", {"text_peak_bytes": 412_000_000, "install_seconds": 75})
    words = "{tasks.stories} {tasks.stories.unverified} {bits.valid_1.txt} {bits.valid_1.txt.ngram} {seconds.text}"
    text = page(results, "library.json", "run", words + " {figures.text_peak_bytes}")
    assert "25.0 % 25.0 % 0.750 0.900 ± 0.010 (order 5) 4s 412MB" in text
    assert "`fledge run recipes/x.toml --text.sources ../shared/a.txt`" in text
    assert "8.0 MB of text read, 2.0 MB/s; 7 documents kept, 6.0 MB." in text
    assert "| read | 10 | 3 | 8.00 | 0.00 | 0.00 |" in text
    assert "| install | 1m15s |" in text
    assert "> *Once* → a \\*star\\* \\<b\\>" in text


def test_words_cannot_name_a_figure_that_is_not_there(results: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"sigkill.json holds no figure {killed}"):
        page(results, "sigkill.json", "plain", "{killed} times", {"kills": []})


def test_a_section_without_its_file_is_left_out(results: ModuleType) -> None:
    assert "Title" not in page(results, "absent.json", "run", "{tasks.stories}")


def test_small_files_are_shown_as_they_are(results: ModuleType) -> None:
    kept = {
        "kills": [{"stage": "world", "seconds_into_stage": 0.25}, {"stage": "eval", "seconds_into_stage": 2}],
        "files_that_differ": [],
        "losses_equal": True,
        "variety": {"xz": {"stories": 0.1812, "aim": 0.17}, "words": {"stories": 7}},
        "peak": {"small_bytes": 400_000_000},
    }
    text = page(results, "x.json", "plain", "{kills} kills, {peak.small_bytes}, differ: {files_that_differ}", kept)
    assert "2 kills, 400MB, differ: none" in text
    assert "`make it`" in text
    for row in (
        "| losses equal | yes |",
        "| peak, small | 400MB |",
        "| 1 | world | 0.25 |",
        "| variety | stories | aim |",
        "| words | 7 | – |",
    ):
        assert row in text, row
    figures = {"command": "fledge y", "figures": {"tests": 801}, "other": 1}
    text = page(results, "x.json", "plain", "w", figures)
    assert "`fledge y`" in text
    assert "other" not in text


def test_tools_stand_beside_the_same_questions_without(results: ModuleType) -> None:
    calls = {"prompts": 4, "made": 5, "failed": 1, "called": 3, "wrong": 0}
    plain = {**TASK, "name": "sums", "mean": 0.25, "stderr": 0.1, "outcomes": {}}
    offered = {**plain, "name": "sums_with_tools", "mean": 0.75, "tool": "calculator", "calls": calls}
    needless = {**offered, "name": "hello_with_tools", "tool": "", "calls": {**calls, "called": 0, "wrong": 1}}
    kept = {"command": "fledge run x", "results": {"tasks": [plain, offered, needless]}}
    text = page(results, "tools.json", "tools", "{tasks.sums_with_tools} against {tasks.sums}", kept)
    assert "75.0 % against 25.0 %" in text
    assert "| sums | 75.0 % | 10.0 % | 25.0 % | 10.0 % | 4 |" in text
    assert "| hello | 75.0 % | 10.0 % | – | – | 4 |" in text
    assert "| sums | 4 | 5 | 1 | 75.0 % | 0.0 % |" in text
    assert "| hello | 4 | 5 | 1 |  | 25.0 % |" in text


def test_wordings_show_every_arm(results: ModuleType) -> None:
    row = {"wordings": "five", "seed": 1, "unasked": 0.8, "asked": 0.9, "chance": 0.04, "tellings": 399.6, "passes": 1}
    unasked = {"one": {"mean": 0.1, "stderr": None}, "five": {"mean": 0.8, "stderr": 0.05}}
    kept = {"exposures": 400.0, "rows": [row], "unasked": unasked}
    text = page(results, "wordings.json", "wordings", "{exposures} tellings: {unasked.one}, {unasked.five}", kept)
    assert "400 tellings: 10.0 %, 80.0 %" in text
    assert "| one wording, one order | 10.0 % | – |" in text
    assert "| five wordings, shuffled | 1 | 80.0 % | 90.0 % | 4.0 % | 399.6 | 1.0 |" in text
