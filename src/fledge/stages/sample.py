"""Continuations of a text by the model of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.stages.graph import is_done


def stream_samples(run: Path, prompt: str, *, n: int, **sampling: Any) -> Iterator[str]:
    """Yield pieces of ``n`` continuations of ``prompt``, each after the prompt itself.

    Of a whole run the base model speaks, for an assistant expects turns. ``sampling``: see
    :class:`fledge.infer.chat.Sampling`.
    """
    from fledge.infer.chat import Sampling, sample_text
    from fledge.infer.load import load_engine

    chosen = Sampling(**sampling)
    engine, tokenizer, _ = load_engine(run / "pretrain" if is_done(run, "pretrain") else run)
    for number in range(n):
        yield prompt
        yield from sample_text(engine, tokenizer, prompt, replace(chosen, seed=chosen.seed + number))
        yield "\n" if number == n - 1 else "\n\n"
