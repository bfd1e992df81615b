"""The text stage: sources to clean documents."""

from __future__ import annotations

from typing import Any

from fledge.stages.table import StageContext


def run(context: StageContext) -> dict[str, Any]:
    from fledge.text.pipeline import run_text

    with context.open_events() as events:
        return run_text(context.settings, context.out, events)
