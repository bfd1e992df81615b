"""The world stage: an invented town written out."""

from __future__ import annotations

from typing import Any

from fledge.stages.table import StageContext


def run(context: StageContext) -> dict[str, Any]:
    from fledge.world.generate import run_world

    with context.open_events() as events:
        return run_world(context.settings, context.out, events)
