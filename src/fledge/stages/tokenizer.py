"""The tokenizer stage: a vocabulary from the documents of this run."""

from __future__ import annotations

from typing import Any

from fledge.stages.table import StageContext


def run(context: StageContext) -> dict[str, Any]:
    from fledge.tokens.stage import train_tokenizer

    with context.open_events() as events:
        summary = train_tokenizer(context.settings, context.upstream, context.out, events)
    for note in summary["notes"]:
        print(f"tokenizer: {note}", flush=True)
    return summary
