"""A recipe from its first stage to the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fledge.run.ranks import leads
from fledge.stages.estimate import training_estimate
from fledge.stages.graph import run_job
from fledge.stages.job import check_job
from fledge.stages.plan import read_begun
from fledge.stages.recipe import Recipe
from fledge.stages.report import write_report
from fledge.stages.table import stage_names
from fledge.stages.together import follow, leading
from fledge.tokens.config import TokensConfig


def run_whole(
    recipe: Recipe,
    run: Path,
    *,
    until: str | None = None,
    start: str | None = None,
    only: str | None = None,
    say: Callable[[str], None],
) -> None:
    """Run the stages of ``recipe`` in ``run`` and write the report; see :func:`fledge.stages.graph.run_job`.

    In all of several processes but the first, only train when that one does.
    """
    settings_of = recipe.settings_of
    if only != "sft" and recipe.sft is not None and recipe.world is None and not recipe.sft.conversations:
        del settings_of["sft"]
        if only is None:
            say("sft is left out: no conversations to tune on (give them with --sft.conversations FILE.jsonl)")
    if recipe.tokens is not None and only not in (None, "tokens"):
        settings_of["tokens"] = _as_it_ran(settings_of["tokens"], recipe.tokens.decontaminate, run)
    job = replace(recipe.job(run), settings_of=settings_of)
    if not leads():
        follow(job)
        return
    with leading():
        check_job(job, until=until, start=start, only=only)
        names = stage_names()
        trains = only is None and (until not in names or names.index(until) >= names.index("pretrain"))
        told = training_estimate(settings_of, run) if trains else ""
        if told:
            say(told)
        run_job(job, until=until, start=start, only=only, say=say)
        if only is None:
            say(f"report: {', '.join(map(str, write_report(run)))}")


def _as_it_ran(tokens: TokensConfig, own: tuple[str, ...], run: Path) -> TokensConfig:
    """``tokens`` with the files of [eval] that it was decontaminated against when it ran.

    One stage by itself re-runs none above it, so a model can be measured on a file more, which eval then marks.
    ``own`` are the files that the recipe names for decontamination itself.
    """
    begun = read_begun(run / "tokens")
    ran_with = tuple(begun.settings.get("decontaminate", ())) if begun else ()
    return replace(tokens, decontaminate=ran_with) if begun and ran_with[: len(own)] == own else tokens
