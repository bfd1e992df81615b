"""``module:function`` in a recipe: found beside the recipe, in worker processes too, from any directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bad_input_kit as kit
import pytest

from fledge.run.files import read_json

FILTER = """from fledge.types import Verdict


def only_ann(text):
    return Verdict("Ann" in text, "does not tell of Ann")
"""
TASK = """from fledge.types import Conversation, Example, Message, Request, Score


class Greeting:
    name, chance = "greeting", 0.0

    def examples(self, split):
        for number in range(3):
            yield Example(str(number), Conversation((Message("user", "Who are you?"),)), "I am Ann.")

    def requests(self, example):
        return [Request("generate", example.prompt, max_tokens=4)]

    def score(self, example, answers):
        return Score(float(bool(answers)))

    def validate(self):
        pass


def greeting():
    return Greeting()
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_own_filters.py").write_text(FILTER, encoding="utf-8")
    (folder / "my_own_tasks.py").write_text(TASK, encoding="utf-8")
    (folder / "random.py").write_text("raise RuntimeError('hides the standard library')", encoding="utf-8")
    recipe = kit.write_recipe(folder)
    text = recipe.read_text(encoding="utf-8")
    text = text.replace("filters = []", 'filters = ["my_own_filters:only_ann"]')
    recipe.write_text(text.replace("tasks = []", 'tasks = ["my_own_tasks:greeting"]'), encoding="utf-8")
    return recipe


def test_a_filter_and_a_task_of_the_users_own_beside_the_recipe(recipe, tmp_path):
    command = [*kit.COMMAND, "run", str(recipe), "--out", str(tmp_path / "run"), "--text.workers", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    funnel = {row["step"]: row for row in read_json(tmp_path / "run" / "text" / "funnel.json")["funnel"]}
    row = funnel["my_own_filters:only_ann"]
    assert row["documents_out"] > 0 and row["reasons"] == {"does not tell of Ann": row["documents_rejected"]}
    (task,) = read_json(tmp_path / "run" / "eval" / "results.json")["tasks"]
    assert (task["name"], task["n"], task["mean"]) == ("greeting", 3, 1.0)


def test_modules_of_the_current_directory_serve_a_command_without_recipe(recipe, tmp_path):
    words = ["text", "--sources", recipe.parent / "in.txt", "--split", "blank_lines", "--out", tmp_path / "run"]
    words += ["--filters", "my_own_filters:only_ann", "--workers", "1"]
    for where, code in ((recipe.parent, 0), (tmp_path, 2)):
        # -P: Python itself must not put the current directory on the path, as the installed command does not
        command = [sys.executable, "-P", "-m", "fledge.cli.main", *map(str, words)]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=60, env={**os.environ})
        assert done.returncode == code, done.stderr
    assert "cannot load 'my_own_filters:only_ann'" in done.stderr
