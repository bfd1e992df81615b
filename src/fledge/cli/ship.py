"""Commands that bring models in and send them out: ``import`` and ``export``."""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from fledge.cli.paths import MaybePlace, Place


def import_(
    source: str,
    /,
    *,
    out: Place,
    tokenizer: MaybePlace = None,
    template: Literal["chatml", "llama3", "inst"] | None = None,
) -> None:
    """Bring in a model of others, to talk to it, measure it, tune it or train it further.

    Takes GPT-2, Llama 2 and 3, Qwen2, Qwen3, Qwen3-MoE, Mistral and Arcee as safetensors, and llama2.c's files.

    Examples:

        fledge import ~/models/Qwen3-0.6B --out models/qwen3

        fledge import stories260K.bin --out models/stories --tokenizer tok512.bin

    Parameters
    ----------
    source
        A directory with config.json and safetensors, a llama2.c file, or OWNER/NAME on the Hugging Face hub.
    out
        Where to write it.
    tokenizer
        A tokenizer that does not lie beside the weights.
    template
        How a base model without a chat template will write conversations once it is tuned.
    """
    from fledge.stages.ship import import_model

    import_model(source, out, tokenizer, template)


def export(
    run: Place, /, *, out: Place, to: Literal["hf", "gguf"] = "hf", type: Literal["f32", "bf16", "q8_0"] = "f32"
) -> None:
    """Write a model so that others' programs run it: Hugging Face's libraries, or llama.cpp and Ollama.

    Examples:

        fledge export runs/demo --to hf --out exports/demo

        fledge export runs/demo --to gguf --type q8_0 --out exports/demo-gguf

    Parameters
    ----------
    run
        A run, a stage of it, a checkpoint, or an imported model.
    out
        The directory to write.
    to
        hf: safetensors with tokenizer, chat template and model card; gguf: one file, with a Modelfile for Ollama.
    type
        Numbers of the weights; q8_0 (8 bits) is for gguf.
    """
    from fledge.stages.ship import export_model

    export_model(run, out, to=to, number_type=type)


def register(app: App) -> None:
    app.command(import_, name="import", sort_key=20)
    app.command(export, sort_key=21)
