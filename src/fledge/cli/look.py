"""Commands that look at what is there: ``inspect`` and ``report``."""

from __future__ import annotations

from cyclopts import App

from fledge.cli.paths import MaybePlace, Place


def inspect(path: Place, /, *, row: int = 0) -> None:
    """Show what is in a run, a checkpoint, a shard or a recipe.

    Examples:

        fledge inspect runs/demo

        fledge inspect runs/demo/pretrain/checkpoints/step-00000064

        fledge inspect runs/demo/tokens/train/world --row 3

        fledge inspect recipes/demo.toml

    Parameters
    ----------
    path
        A run directory, a checkpoint, a parquet or token shard, or a recipe file.
    row
        Which row of a shard to show.
    """
    from fledge.stages.inspect import inspect_text

    for line in inspect_text(path, row=row):
        print(line)


def report(run: Place, other: MaybePlace = None, /) -> None:
    """Write report.md and report.html of a run; with two runs, side by side.

    Examples:

        fledge report runs/demo

        fledge report runs/demo runs/small

    Parameters
    ----------
    run
        A run directory.
    other
        A second one to compare with.
    """
    from fledge.stages.report import write_report

    for path in write_report(run, other):
        print(path)


def register(app: App) -> None:
    app.command(inspect, sort_key=3)
    app.command(report, sort_key=4)
