"""The tokens stage: documents of this run to token shards, by source."""

from __future__ import annotations

from typing import Any

from fledge.run.files import write_json
from fledge.stages.table import StageContext

MIXTURE_NAME = "mixture.json"


def run(context: StageContext) -> dict[str, Any]:
    from fledge.tokens.stage import build_shards
    from fledge.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(context.upstream["tokenizer"])
    sources = {name: path for name, path in context.upstream.items() if name in ("world", "text")}
    with context.open_events() as events:
        summary = build_shards(context.settings, tokenizer, sources, context.out, events)
    for note in summary["notes"]:
        print(f"tokens: {note}", flush=True)
    # an output, so that a changed mixture trains anew although the shards are the same
    config = context.settings
    write_json(context.out / MIXTURE_NAME, {"mixture": config.mixture, "max_repetition": config.max_repetition})
    n_tokens = sum(each["n_tokens"] for each in summary["train"].values())
    return {"n_tokens": n_tokens, **summary}
