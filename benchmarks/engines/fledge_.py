"""Fledge's own engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fledge.infer.engine import Engine
from fledge.infer.load import load_engine
from fledge.infer.request import GenerateRequest


class Runner:
    def __init__(self, folder: Path, precision: str, threads: int, rows: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.engine: Engine = load_engine(folder / "hf", precision=precision, max_batch=rows)[0]  # type: ignore[arg-type]
        if self.engine.native is not None:
            from fledge.infer.native.build import library

            library()

    def generate(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> int:
        """Continue all prompts by ``n_tokens``, greedily; how many tokens came."""
        done = self.engine.generate([GenerateRequest(ids, max_tokens=n_tokens) for ids in prompts])
        return sum(len(completion.ids) for completion in done)
