"""The world stage: an invented town written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fledge.stages.table import StageContext


def run(context: StageContext) -> dict[str, Any]:
    from fledge.world.generate import run_world

    with context.open_events() as events:
        return run_world(context.settings, context.out, events)


def check(settings_of: Mapping[str, Any]) -> None:
    """Raise FledgeError for a town that cannot be made."""
    from fledge.world.world import World

    World(settings_of["world"])
