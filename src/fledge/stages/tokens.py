"""The tokens stage: documents of this run to token shards, by source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fledge.run.files import write_json
from fledge.stages.table import StageContext
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.tokens.shards import ShardSet
    from fledge.tokens.tokenizer import Tokenizer

MIXTURE_NAME = "mixture.json"


def run(context: StageContext) -> dict[str, Any]:
    from fledge.tokens.sets import set_names
    from fledge.tokens.stage import build_shards
    from fledge.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(context.upstream["tokenizer"])
    sources = {name: path for name, path in context.upstream.items() if name in ("world", "text")}
    with context.open_events() as events:
        summary = build_shards(context.settings, tokenizer, sources, context.out, events)
    for note in summary["notes"]:
        print(f"tokens: {note}", flush=True)
    if found := summary["contaminated"]:
        done = "cut" if context.settings.contaminated == "passage" else "set aside"
        told = f"{sum(found.values())} ({told_files(found)})"
        print(f"tokens: training documents {done} for words shared with evaluation texts: {told}", flush=True)
    # an output, so that a changed mixture trains anew although the shards are the same
    config = context.settings
    names = set_names(config.mixture)
    mixture = {names[key]: weight for key, weight in config.mixture.items()}
    write_json(context.out / MIXTURE_NAME, {"mixture": mixture, "max_repetition": config.max_repetition})
    n_tokens = sum(each["n_tokens"] for each in summary["train"].values())
    return {"n_tokens": n_tokens, **summary}


def check_same_tokenizer(shards: ShardSet, tokenizer: Tokenizer) -> None:
    """Raise FledgeError where token shards hold the ids of another tokenizer."""
    if shards.tokenizer != tokenizer.fingerprint:
        raise FledgeError(
            "these token shards were made with another tokenizer than the run has now",
            where=str(shards.directory),
            fix="run the stage again that makes them, or the whole recipe",
        )


def told_files(found: Mapping[str, int], limit: int = 4) -> str:
    """``valid.txt 12, blimp 3``: evaluation files by how much was found, most first."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{Path(file).name} {count}" for file, count in ordered[:limit]]
    return ", ".join(shown + (["…"] if len(ordered) > limit else []))
