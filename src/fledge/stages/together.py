"""A recipe in several processes: the first one walks the stages, the others wait and train when it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fledge.run.ranks import world_size
from fledge.stages.job import Job
from fledge.stages.table import StageContext, StageSpec


@contextmanager
def leading() -> Iterator[None]:
    """What the first process does; when it ends, however it does, the others are told."""
    if world_size() == 1:
        yield
        return
    from fledge.train.mesh import world

    processes = world()
    try:
        yield
    finally:
        processes.end()


def announce(spec: StageSpec, context: StageContext) -> None:
    """Tell the other processes to run a stage that is for all of them."""
    if world_size() > 1 and spec.together:
        from fledge.train.mesh import world

        world().order({"stage": spec.name, "out": str(context.out), "resume": context.resume})


def follow(job: Job) -> None:
    """What all processes but the first do: the stages that they are told to, until there are no more."""
    from fledge.train.mesh import world

    for order in world().orders():
        spec = job.spec(order["stage"])
        context = job.context(spec, Path(order["out"]), resume=order["resume"])
        spec.load()(context)
