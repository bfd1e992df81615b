"""Fledge's own engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fledge.infer.engine import Engine
from fledge.infer.load import load_engine
from fledge.infer.request import GenerateRequest


def imports() -> None:
    """Those of this module are all."""


class Runner:
    sampling: Mapping[str, float] = {}

    def __init__(self, folder: Path, precision: str, threads: int, rows: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.engine: Engine = load_engine(folder / "hf", precision=precision, max_batch=rows)[0]  # type: ignore[arg-type]
        if self.engine.native is not None:
            from fledge.infer.native.build import library

            library()

    def generate(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> int:
        """Continue all prompts by ``n_tokens``, greedily but for ``sampling``; how many tokens came."""
        requests = [GenerateRequest(ids, max_tokens=n_tokens, seed=i, **self.sampling) for i, ids in enumerate(prompts)]
        done = self.engine.generate(requests)
        return sum(len(completion.ids) for completion in done)
