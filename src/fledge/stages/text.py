"""The text stage: sources to clean documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fledge.run.files import of_system
from fledge.run.storage import Store, is_url
from fledge.stages.plan import is_remote
from fledge.stages.table import StageContext
from fledge.text.config import TextConfig
from fledge.types import FledgeError


def run(context: StageContext) -> dict[str, Any]:
    from fledge.text.pipeline import run_text

    with context.open_events() as events:
        summary = run_text(context.settings, context.out, events)
    print(f"text: {kept_text(summary)}", flush=True)
    return summary


def kept_text(summary: dict[str, Any]) -> str:
    """``10 documents kept, 1 held out, 3 set aside (encoding 2, exact-duplicate 1)``."""
    fallen: dict[str, int] = {}
    for row in summary["funnel"]:
        by_rule = row["reasons"] if row["step"] in ("read", "extract") else {row["step"]: row["documents_rejected"]}
        for rule, count in by_rule.items():
            fallen[rule] = fallen.get(rule, 0) + count
    told = [f"{rule} {count}" for rule, count in sorted(fallen.items(), key=lambda item: (-item[1], item[0])) if count]
    n_train, n_heldout, n_rejects = (summary[part]["documents"] for part in ("train", "heldout", "rejects"))
    line = f"{n_train} documents kept, {n_heldout} held out, {n_rejects} set aside"
    return line + (f" ({', '.join(told[:6])}{', …' if len(told) > 6 else ''})" if told else "")


def check(settings_of: Mapping[str, Any]) -> None:
    """Raise FledgeError for sources that are not there, and for unknown steps."""
    from fledge.text.clean import load_steps

    settings: TextConfig = settings_of["text"]
    if not settings.sources:
        raise FledgeError(
            "no sources are named", where="text.sources", fix="give files, folders or URLs: --text.sources PATH"
        )
    for source in settings.sources:
        if is_url(source):
            Store(source)
        if is_remote(source):
            continue
        if "://" in source:
            raise FledgeError("is no address that can be read", where=source, fix="give http://…, s3://… or a path")
        try:
            Path(source).stat()
        except OSError as error:
            raise of_system(error, source) from error
    load_steps(settings)
