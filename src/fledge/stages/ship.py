"""What the commands ``import`` and ``export`` do, and what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fledge.run.progress import quantity


def import_model(
    source: str, out: Path, tokenizer: Path | None, template: Literal["chatml", "llama3", "inst"] | None
) -> None:
    """Bring a model in, and say what it is and what can be done with it."""
    from fledge.release import importing

    about = importing.import_model(source, out, tokenizer=tokenizer, template=template)
    print(
        f"{out}: {about['architecture']}, {quantity(about['n_parameters'])} parameters, "
        f"rows of up to {about['context_length']} tokens"
    )
    if about["kind"] == "chat":
        print(f"it speaks by the template of {about['template']}: fledge chat {out}")
    else:
        print(f'{about["why"] or "it is a base model"}: fledge sample {out} "Once upon a time"')


def export_model(
    run: Path, out: Path, *, to: Literal["hf", "gguf"], number_type: Literal["f32", "bf16", "q8_0"]
) -> None:
    """Write a model for others' programs, and say what lies where."""
    from fledge.release.exporting import export
    from fledge.stages.card import card_of

    card = card_of(run, out.resolve().name)
    for path, what in export(run, out, to=to, number_type=number_type, card=card):
        print(f"{path}: {what}")
