"""llama.cpp through xllamacpp: its server's own loop, called without HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TYPES = {"float32": "f32", "bfloat16": "bf16", "int8": "q8_0"}


def imports() -> None:
    import xllamacpp  # noqa: F401


class Runner:
    def __init__(self, folder: Path, precision: str, threads: int, rows: int) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(folder / f"{TYPES[precision]}.gguf")
        params.n_parallel, params.n_ctx, params.kv_unified = rows, 1024 * rows, False
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cache_prompt, params.warmup, params.verbosity = False, True, 0
        self.server = xllamacpp.Server(params)
        self.pool = ThreadPoolExecutor(rows)

    def generate(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> int:
        return sum(self.pool.map(lambda ids: self._one(list(ids), n_tokens), prompts))

    def _one(self, ids: list[int], n_tokens: int) -> int:
        asked = {
            "prompt": ids,
            "n_predict": n_tokens,
            "temperature": 0.0,
            "samplers": ["top_k"],
            "top_k": 1,
            "ignore_eos": True,
            "cache_prompt": False,
        }
        answer: Any = self.server.handle_completions(asked)
        if isinstance(answer, (str, bytes)):
            answer = json.loads(answer)
        return int(answer["timings"]["predicted_n"])
