"""Commands that let a model speak: ``sample`` and ``chat``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from fledge.cli.paths import Place
from fledge.infer.config import Precision


def sample(
    run: Place,
    prompt: str = "",
    /,
    *,
    max_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    n: int = 1,
) -> None:
    """Let a run's base model continue a text.

    Examples:

        fledge sample runs/demo "Once upon a time"

        fledge sample runs/demo/pretrain/checkpoints/step-00000064 "The" --temperature 0

    Parameters
    ----------
    run
        A run, a stage of it, or a checkpoint.
    prompt
        The text to continue; nothing begins a new document.
    max_tokens
        Longest continuation, in tokens.
    temperature
        0 takes the likeliest token; higher is more varied.
    top_k
        Sample from so many likeliest tokens only; 0 = all.
    top_p
        Sample from the likeliest tokens that hold this share of the probability.
    seed
        The same seed gives the same text.
    n
        How many samples.
    """
    from fledge.stages.sample import stream_samples

    for piece in stream_samples(
        run, prompt, max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, n=n
    ):
        sys.stdout.write(piece)
        sys.stdout.flush()


def chat(
    run: Place,
    /,
    *,
    temperature: float = 0.3,
    system: str = "",
    tool: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    max_tokens: int = 512,
    seed: int = 0,
    precision: Precision = "float32",
) -> None:
    """Talk to a run's assistant. Without a terminal, print a short transcript and end.

    In the chat: /reset, /system TEXT, /tools [NAME], /temperature X, /help, /exit.

    Examples:

        fledge chat runs/demo

        fledge chat runs/demo --temperature 0 --system "You are brief."

    Parameters
    ----------
    run
        A run, or a checkpoint of its sft stage.
    temperature
        0 takes the likeliest token; higher is more varied.
    system
        What the assistant is told before you speak.
    tool
        A tool that it may call, in place of those that it was tuned with: calculator, python, search (in the documents
        of a run that has a tools stage), module:function or path/file.py:function; may be given again.
    max_tokens
        Longest reply, in tokens.
    seed
        The same seed gives the same replies.
    precision
        The type of the weights; int8 keeps one scale a row.
    """
    from fledge.stages.talk import talk

    sampling = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    talk(run, system=system, tools=tool, precision=precision, **sampling)


def register(app: App) -> None:
    app.command(chat, sort_key=1)
    app.command(sample, sort_key=2)
