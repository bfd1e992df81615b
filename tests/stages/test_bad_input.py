"""Bad input of every kind: one row each, through the real command line.

A row says what is typed, the exit status, what the one line on stderr says (what, where, fix), and what must hold
afterwards. For all of them: no traceback, nothing half-written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bad_input_kit as kit
import pytest
from bad_input_kit import Box, Result, Row, rejects_of
from bad_input_recipes import ROWS as RECIPES
from bad_input_runs import ROWS as RUNS
from bad_input_sources import ROWS as SOURCES

from fledge.cli.main import main

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
ROWS = [*SOURCES, *RECIPES, *RUNS]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """(recipe, finished run) of a few seconds."""
    folder = tmp_path_factory.mktemp("trained")
    made = kit.write_recipe(folder)
    assert main(["run", str(made), "--out", str(folder / "run")]) == 0
    return made, folder / "run"


@pytest.fixture
def box(tmp_path, trained):
    box = Box(tmp_path, *trained)
    yield box
    for undo in reversed(box.undo):
        undo()


MISSING = {
    "": "",
    "root": "" if ROOT else "only root can become another user",
    "tmpfs": "" if ROOT and sys.platform == "linux" else "only root on Linux can mount a small disk",
    "linux": "" if sys.platform == "linux" else "names are Unicode here",
    "posix": "" if os.name == "posix" else "Ctrl-C is sent in another way here",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input(row: Row, box: Box, capfd):
    if MISSING[row.needs]:
        pytest.skip(MISSING[row.needs])
    words = [str(word) for word in row.words(box)]
    capfd.readouterr()
    if row.through:
        result = row.through(words, box)
    else:
        code = main(words)
        result = Result(code, *capfd.readouterr())
    assert result.code == row.code, result.err
    assert "Traceback" not in result.err + result.out
    if row.code:
        (line,) = result.error_lines
        assert line.startswith("fledge: ")
        assert all(part in line for part in row.says), line
        assert not [stage for stage in row.undone if (box.out / stage / "manifest.json").exists()]
    else:
        assert result.error_lines == []
        assert all(part in result.out for part in row.prints), result.out
    if row.rejects is not None:
        assert rejects_of(box) == row.rejects
    box.check_nothing_half_written(row.intact)
    row.then(box)
