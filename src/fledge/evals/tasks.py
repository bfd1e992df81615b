"""Tasks by name: the world's, the user's own, and those made from files."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fledge.evals.cloze import Cloze
from fledge.evals.multiple_choice import MultipleChoice
from fledge.evals.rows import read_json_rows
from fledge.run.modules import loading
from fledge.types import FledgeError, Task

PARTS = ("name", "chance", "examples", "requests", "score", "validate")
"""What a task has; see :class:`fledge.types.Task`."""


def choose_tasks(names: Sequence[str], known: Sequence[Task]) -> list[Task]:
    """The tasks that ``names`` mean: ``world`` (all of ``known``), one of ``known``, or ``module:function``.

    The user's function takes nothing and returns a Task or a list of them.
    """
    by_name = {task.name: task for task in known}
    chosen: list[Task] = []
    for name in names:
        if name == "world":
            chosen += known
        elif ":" in name:
            chosen += own_tasks(name)
        elif name in by_name:
            chosen.append(by_name[name])
        else:
            close = difflib.get_close_matches(name, ["world", *by_name], n=1)
            raise FledgeError(
                f"there is no task {name!r}",
                where="tasks",
                fix=f"did you mean {close[0]}?" if close else "give world, the name of a task, or module:function",
            )
    return list({task.name: task for task in chosen}.values())


def own_tasks(name: str) -> list[Task]:
    """What the function ``module:function`` returns; FledgeError where it fails, or returns something else."""
    module, _, function = name.partition(":")
    with loading(name, where="eval.tasks"):
        made: Any = getattr(importlib.import_module(module), function)()
    tasks = list(made) if isinstance(made, (list, tuple)) else [made]
    for task in tasks:
        lacking = [part for part in PARTS if not hasattr(task, part)]
        if lacking:
            what = f"{name} gives {type(task).__name__}, which has no {lacking[0]}"
            raise FledgeError(
                what, where="eval.tasks", fix=f"return a task, with {', '.join(PARTS)}, or a list of them"
            )
    return tasks


def file_task(path: str | Path, seed: int = 0, name: str = "") -> Task:
    """The task that a JSONL file holds, by the keys of its first row: multiple choice, or last words to guess.

    It goes by ``name``, else by that of the file.
    """
    first = next((row for _, row in read_json_rows(Path(path), [])), {})
    guesses = "context" in first and "continuation" in first
    task: Cloze | MultipleChoice = Cloze(path, seed=seed) if guesses else MultipleChoice(path, seed=seed)
    task.name = name or task.name
    return task
