"""What ``fledge plan`` foretells beside what short trainings take: speed, memory, parameters.

    python benchmarks/plan_check.py [--depths 1 2 4 6] [--json FILE] [--fledge SETTING=VALUE …]

Each depth is trained in a fresh process through Trainer.fit for a few steps. Foretold are the tokens/s of the probe
that the process makes before it begins (the one of ``fledge plan --devices cpu``), the memory of
fledge.stages.resources and the parameters of the settings; measured are the median step after the first two, the peak
of resident memory, and the parameters of the module.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contestants import PASSIVE, Contestant, Places, Turn, end_on_terminate, environment_of, machine, take_turn
from peers.fledge_ import settings_of
from peers.task import Shape, Task
from speed import rate

from fledge.run.processes import usable_processors
from fledge.stages.resources import memory_here


def compared(task: Task, turn: Turn) -> dict[str, Any]:
    """Foretold and measured of one training, with their ratios (foretold / measured)."""
    config = settings_of(task)
    model = config.model_config(task.shape.vocab_size)
    hardware = turn.hardware
    parts = memory_here(
        model,
        config,
        hardware["micro_batch_rows"],
        compute_bytes=2 if hardware["precision"] == "bf16" else 4,
        keeps_pattern=hardware["attention"] == "products",
        compiled=hardware["compile"],
    )
    speed = rate(task.shape, turn)
    return {
        "depth": model.n_layers,
        "parameters_foretold": model.n_parameters,
        "parameters": turn.n_parameters,
        "tokens_per_second_foretold": hardware["tokens_per_second"],
        "tokens_per_second": speed,
        "speed_ratio": hardware["tokens_per_second"] / speed,
        "memory_foretold_bytes": round(parts.total),
        "memory_bytes": turn.peak_bytes,
        "memory_ratio": parts.total / turn.peak_bytes,
        "compiled": hardware["compile"],
        "precision": hardware["precision"],
        "attention": hardware["attention"],
        "rows_at_once": hardware["micro_batch_rows"],
    }


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2, 4, 6])
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(usable_processors()))
    parser.add_argument("--fledge", nargs="*", default=[], metavar="SETTING=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(words)
    settings = {**dict(pair.split("=", 1) for pair in options.fledge), "own_shape": "yes"}
    contestant = Contestant("fledge", "own shape", environment=PASSIVE, settings=settings)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="fledge-plan-") as folder:
        env = environment_of(contestant, {"TORCHINDUCTOR_CACHE_DIR": folder}, options.threads)
        for depth in options.depths:
            shape = Shape(f"depth {depth}", depth, 64 * depth, 1, options.context, options.vocab_size, options.rows)
            task = Task(peer="fledge", shape=shape, threads=options.threads, least_steps=options.steps, seconds=0.0)
            task = Task(**{**vars(task), "settings": settings})
            turn = take_turn(task, contestant, Places(), depth, env, 3600.0)
            if turn.error:
                raise SystemExit(f"depth {depth}: {turn.error}")
            rows.append(compared(task, turn))
            print(json.dumps(rows[-1]), flush=True)
    result = {
        "command": " ".join(["python", "benchmarks/plan_check.py", *words]),
        "machine": machine(),
        "depths": rows,
        "parameters_equal": all(row["parameters"] == row["parameters_foretold"] for row in rows),
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
