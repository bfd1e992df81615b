"""One engine on one model, measured in a process of its own: reads a task as JSON, writes a line of JSON.

python benchmarks/engines/child.py '{"engine": "fledge", "precision": "bfloat16", "folder": "…", …}'
"""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MODULES = {"fledge": "fledge_", "transformers": "transformers_", "llama.cpp": "llamacpp"}


def main() -> None:
    task = json.loads(sys.argv[1])
    rng = np.random.default_rng(task["seed"])

    def prompts(n: int, length: int) -> list[list[int]]:
        return rng.integers(300, task["vocab_size"] - 300, (n, length)).tolist()

    begun = time.perf_counter()
    module = importlib.import_module(MODULES[task["engine"]])
    module.imports()
    import_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    runner = module.Runner(Path(task["folder"]), task["precision"], task["threads"], task["rows"])
    load_seconds = time.perf_counter() - begun
    runner.generate(prompts(1, task["prompt"]), 4)  # what is made at the first use
    runner.generate(prompts(task["rows"], 8), 4)
    first_token, decode_1 = one_row(runner, prompts, task)
    result: dict[str, Any] = {
        "import_seconds": import_seconds,
        "load_seconds": load_seconds,
        "decode_rows": rate(runner, prompts, task["rows"], task),
    }
    if task["engine"] == "fledge":
        runner.sampling = {"temperature": 0.8, "top_p": 0.95}
        result["decode_rows_sampled"] = rate(runner, prompts, task["rows"], task)
        runner.sampling = {}
        result |= arrivals(runner, prompts, task)
    result["peak_megabytes"] = peak_megabytes()
    if task["engine"] == "llama.cpp":  # it may be better at one row where it keeps room for one alone
        alone = module.Runner(Path(task["folder"]), task["precision"], task["threads"], 1)
        again, faster = one_row(alone, prompts, task)
        first_token, decode_1 = min(first_token, again), max(decode_1, faster)
    result |= {"first_token_seconds": first_token, "prefill_tokens_per_second": task["prompt"] / first_token}
    result["decode_1"] = decode_1
    print("RESULT " + json.dumps(result), flush=True)


def one_row(runner: Any, prompts: Callable[[int, int], list[list[int]]], task: dict[str, Any]) -> tuple[float, float]:
    """Seconds to the first token of a long prompt, and tokens a second after a short one."""
    runner.generate(prompts(1, task["prompt"]), 4)
    first_token = median(lambda: timed(runner, prompts(1, task["prompt"]), 1)[0], task["repeats"])
    return first_token, rate(runner, prompts, 1, task)


def peak_megabytes() -> float:
    """Of this process alone: what getrusage tells, a child takes over from who started it."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(each for each in status.read_text(encoding="ascii").splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rate(runner: Any, prompts: Callable[[int, int], list[list[int]]], rows: int, task: dict[str, Any]) -> float:
    """Tokens a second of ``rows`` completions together after short prompts, without the time to the first tokens."""
    rates = []
    for _ in range(task["repeats"]):
        short, _ = timed(runner, prompts(rows, 8), 1)
        seconds, n_tokens = timed(runner, prompts(rows, 8), task["tokens"])
        rates.append((n_tokens - rows) / (seconds - short))
    return statistics.median(rates)


def arrivals(runner: Any, prompts: Callable[[int, int], list[list[int]]], task: dict[str, Any]) -> dict[str, float]:
    """Throughput of requests that arrive at random, over that of the same ones all there at the start.

    They arrive as a Poisson process at the rate at which they were served then, behind a backlog of one batch.
    """
    from fledge.infer.request import GenerateRequest

    n = 4 * task["rows"]
    gaps = np.random.default_rng(task["seed"]).exponential(1.0, n - task["rows"]).cumsum()

    def served(requests: list[GenerateRequest], seconds_at: list[float]) -> float:
        begun, n_tokens, waiting = time.perf_counter(), 0, list(zip(seconds_at, requests, strict=True))
        while waiting or runner.engine.n_running or runner.engine.n_waiting:
            while waiting and waiting[0][0] <= time.perf_counter() - begun:
                runner.engine.submit(waiting.pop(0)[1])
            n_tokens += sum(event.token is not None for event in runner.engine.step())
        return n_tokens / (time.perf_counter() - begun)

    ratios, rates = [], []
    for _ in range(task["repeats"]):
        asked = [GenerateRequest(ids, max_tokens=task["tokens"]) for ids in prompts(n, 32)]
        at_once = served(asked, [0.0] * n)
        asked = [GenerateRequest(ids, max_tokens=task["tokens"]) for ids in prompts(n, 32)]
        mean_gap = task["tokens"] / at_once
        rate = served(asked, [0.0] * task["rows"] + (gaps * mean_gap).tolist())
        rates.append(rate)
        ratios.append(rate / at_once)
    return {"arrivals_tokens_per_second": statistics.median(rates), "arrivals_ratio": statistics.median(ratios)}


def timed(runner: Any, prompts: list[list[int]], n_tokens: int) -> tuple[float, int]:
    begun = time.perf_counter()
    n = runner.generate(prompts, n_tokens)
    return time.perf_counter() - begun, n


def median(measure: Callable[[], float], n: int) -> float:
    return statistics.median(measure() for _ in range(n))


if __name__ == "__main__":
    main()
