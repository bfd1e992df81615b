"""A recipe from its first stage to the report."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from fledge.stages.graph import Job, run_job
from fledge.stages.recipe import Recipe


def run_whole(
    recipe: Recipe,
    run: Path,
    *,
    until: str | None = None,
    start: str | None = None,
    only: str | None = None,
    say: Callable[[str], None],
) -> None:
    """Run the stages of ``recipe`` in ``run`` and write the report; see :func:`fledge.stages.graph.run_job`."""
    job = Job(recipe.name, recipe.settings_of, recipe.to_toml(), run)
    run_job(job, until=until, start=start, only=only, say=say)
    if only is None and importlib.util.find_spec("fledge.stages.report"):
        from fledge.stages.report import write_report

        say(f"report: {', '.join(map(str, write_report(run)))}")
