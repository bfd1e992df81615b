"""The user's own functions are inputs of the stages that call them."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys

import pytest

from fledge.evals.config import EvalConfig
from fledge.run.files import read_json
from fledge.stages.plan import begun_now, changes
from fledge.stages.table import STAGES
from fledge.text.config import TextConfig

FILTER = "from fledge.types import Verdict\n\n\ndef only(text):\n    return Verdict({word!r} in text, 'another')\n"


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("text", TextConfig(split=("re:a:b", "planned_code:f@*.txt"))),
        ("text", TextConfig(transforms=("repair", "planned_code:f"))),
        ("text", TextConfig(filters=("planned_code:f@*a*",))),
        ("eval", EvalConfig(tasks=("world", "planned_code:f"))),
    ],
)
def test_an_edited_function_is_a_change_that_names_its_file(tmp_path, monkeypatch, stage, settings):
    spec = next(spec for spec in STAGES if spec.name == stage)
    moved = tmp_path / "moved"
    moved.mkdir()
    monkeypatch.syspath_prepend(str(moved))
    (moved / "planned_code.py").write_text("raise RuntimeError('planning runs nothing')")
    importlib.invalidate_caches()
    before = begun_now(spec, settings, tmp_path, (), None)
    assert list(before.files) == ["planned_code.py"]
    assert changes(settings, before, begun_now(spec, settings, tmp_path, (), before)) == []
    (moved / "planned_code.py").write_text("def f(text): return text")
    now = begun_now(spec, settings, tmp_path, (), before)
    assert changes(settings, before, now) == ["planned_code.py changed"]
    none = {"tasks": ()} if stage == "eval" else {"split": ("re:a:b",), "transforms": (), "filters": ()}
    assert begun_now(spec, dataclasses.replace(settings, **none), tmp_path, (), None).files == {}


def test_the_text_stage_runs_again_after_an_edit(tmp_path):
    (tmp_path / "in.txt").write_text("\n\n".join(f"{word} went to the market." for word in ("Ann", "Bob", "Cy") * 9))
    words = ["text", "--sources", "in.txt", "--split", "blank_lines", "--filters", "edited_rules:only"]
    words += ["--exact-dedup", "off", "--near-dedup", "off", "--workers", "1", "--out", "run"]

    def go(word: str) -> tuple[str, int]:
        (tmp_path / "edited_rules.py").write_text(FILTER.format(word=word))
        command = [sys.executable, "-P", "-m", "fledge.cli.main", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        rows = read_json(tmp_path / "run" / "text" / "funnel.json")["funnel"]
        row = next(row for row in rows if row["step"] == "edited_rules:only")
        return done.stdout + done.stderr, row["documents_out"]

    assert go("Ann")[1] == 9
    assert "nothing changed" in go("Ann")[0]
    said, kept = go("market")
    assert "edited_rules.py changed" in said and "re-run" in said and kept == 27
    assert "edited_rules.py" in read_json(tmp_path / "run" / "text" / "manifest.json")["inputs"]
