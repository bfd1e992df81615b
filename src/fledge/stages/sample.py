"""Continuations of a text by the model of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.run.files import encodable
from fledge.stages.finished import stale_note
from fledge.stages.graph import is_done
from fledge.types import FledgeError


def stream_samples(run: Path, prompt: str, *, n: int, **sampling: Any) -> Iterator[str]:
    """Yield pieces of ``n`` continuations of ``prompt``, each after the prompt itself.

    Of a whole run the base model speaks, for an assistant expects turns. ``sampling``: see
    :class:`fledge.infer.chat.Sampling`.
    """
    from fledge.infer.chat import Sampling, sample_text
    from fledge.infer.load import load_engine
    from fledge.train.hardware import choose_device

    if n < 1:
        raise FledgeError(f"must be at least 1, got {n}", where="--n")
    if not encodable(prompt):
        raise FledgeError("is not valid UTF-8", where="the prompt", fix="write it in another way")
    chosen = Sampling(**sampling)
    path = run / "pretrain" if is_done(run, "pretrain") else run
    engine, tokenizer, _ = load_engine(path, device=choose_device("auto"))
    if note := stale_note(path):
        print(f"fledge: {note}", file=sys.stderr, flush=True)
    for number in range(n):
        pieces = sample_text(engine, tokenizer, prompt, replace(chosen, seed=chosen.seed + number))
        yield prompt
        yield from pieces
        yield "\n" if number == n - 1 else "\n\n"
