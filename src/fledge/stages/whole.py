"""A recipe from its first stage to the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fledge.stages.estimate import training_estimate
from fledge.stages.graph import Job, check_job, run_job
from fledge.stages.recipe import Recipe
from fledge.stages.report import write_report
from fledge.stages.table import stage_names


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
    settings_of = recipe.settings_of
    if only is None and recipe.sft is not None and recipe.world is None and not recipe.sft.conversations:
        del settings_of["sft"]
        say("sft is left out: no conversations to tune on (give them with --sft.conversations FILE.jsonl)")
    job = Job(recipe.name, settings_of, recipe.to_toml(), run)
    check_job(job, until=until, start=start, only=only)
    names = stage_names()
    trains = only is None and (until not in names or names.index(until) >= names.index("pretrain"))
    told = training_estimate(settings_of, run) if trains else ""
    if told:
        say(told)
    run_job(job, until=until, start=start, only=only, say=say)
    if only is None:
        say(f"report: {', '.join(map(str, write_report(run)))}")
