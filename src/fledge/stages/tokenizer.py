"""The tokenizer stage: a vocabulary from the documents of this run, or one that is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fledge.stages.table import StageContext


def run(context: StageContext) -> dict[str, Any]:
    from fledge.tokens.stage import take_tokenizer, train_tokenizer

    if context.settings.path:
        return take_tokenizer(Path(context.settings.path), context.out)

    with context.open_events() as events:
        summary = train_tokenizer(context.settings, context.upstream, context.out, events)
    for note in summary["notes"]:
        print(f"tokenizer: {note}", flush=True)
    return summary
