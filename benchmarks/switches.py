"""What a switch of model or optimizer is worth at equal tokens: bits per byte of unseen text with it and without.

    python benchmarks/switches.py --data DIR --work DIR [--depth 4] [--tokens 1_228_800] [--seeds 0 1 2]
        [--variant NAME SETTING=VALUE …] … [--json FILE]

Every variant trains Fledge's default of that depth, changed by its settings, on the text of time_to_quality.py, once
for each seed; so does the default, and the difference is taken seed by seed, so that what a seed does to both falls
out. Without --variant, the switches that no export target holds, and the optimizers. Seconds are of whole trainings
and tell little on a busy machine: equal tokens are what is compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import time_to_quality as quality
from contestants import PASSIVE, Contestant, Places, end_on_terminate, machine
from peers.task import SHAPES

DEFAULT = "default"
VARIANTS = {
    "value embeddings": ("model.value_embeddings=true",),
    "residual lambdas": ("model.residual_lambdas=true",),
    "softcap of logits at 15": ("model.logit_softcap=15",),
    "all three": ("model.value_embeddings=true", "model.residual_lambdas=true", "model.logit_softcap=15"),
    "relu² in place of swiglu": ("model.mlp=relu2",),
    "heads of 64": ("model.head_dim=64",),
    "Muon by 4 iterations": ("optim.newton_schulz_steps=4",),
    "AdamW for everything": ("optim.kind=adamw",),
}


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(words)
    variants = {name: tuple(settings) for name, *settings in options.variant} or VARIANTS
    shape = replace(SHAPES["i"], n_layers=options.depth, vocab_size=options.vocab_size)
    data = quality.prepare(options.work.resolve(), shape, options)
    shape = replace(shape, vocab_size=data["vocab_size"])
    runs = []
    for seed in options.seeds:
        for name, settings in {DEFAULT: (), **variants}.items():
            given = dict(each.split("=", 1) for each in settings)
            rows = int(given.pop("batch_tokens", shape.tokens)) // shape.context
            contestant = Contestant("fledge", name, environment=PASSIVE, settings={"own_shape": "yes", **given})
            run = quality.one_run(contestant, seed, replace(shape, rows=rows), data, Places(), options)
            runs.append({**run, "variant": name})
            print(quality.line_of(runs[-1]), flush=True)
    result = {
        "command": " ".join(["python", "benchmarks/switches.py", *words]),
        "machine": machine(),
        "depth": options.depth,
        "tokens": options.tokens,
        "seeds": options.seeds,
        "variants": compared(runs),
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(result["variants"])))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    quality.add_texts(found)
    found.add_argument("--work", type=Path, required=True, help="keeps the token stream for the next call")
    found.add_argument("--variant", nargs="+", action="append", default=[], metavar="NAME SETTING=VALUE")
    found.add_argument("--depth", type=int, default=4)
    found.add_argument("--tokens", type=int, default=1_228_800)
    found.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    found.add_argument("--heldout-bytes", type=int, default=400_000)
    found.add_argument("--limit", type=float, default=3600.0, help="seconds after which a training is killed")
    found.add_argument("--json", type=Path)
    found.set_defaults(tokens_of=[], steps=0, points=1, curve_bytes=1)
    return found


def compared(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each variant and text the mean bits per byte, and mean and standard error of what it differs by from the
    default with the same seed; ``error`` where a training failed."""
    found = []
    for name in dict.fromkeys(run["variant"] for run in runs):
        own = {run["seed"]: run for run in runs if run["variant"] == name}
        error = next((run["error"] for run in own.values() if run["error"]), "")
        row: dict[str, Any] = {"variant": name, "error": error}
        if not error:
            row["seconds"] = statistics.mean(run["seconds"] for run in own.values())
            for text in next(iter(own.values()))["bits"]:
                row[text] = statistics.mean(run["bits"][text] for run in own.values())
                base = {r["seed"]: r for r in runs if r["variant"] == DEFAULT and "bits" in r}
                differences = [own[seed]["bits"][text] - base[seed]["bits"][text] for seed in own if seed in base]
                if name != DEFAULT and differences:
                    row[f"{text}, difference"] = statistics.mean(differences)
                if name != DEFAULT and len(differences) > 1:
                    row[f"{text}, ± 1 standard error"] = statistics.stdev(differences) / len(differences) ** 0.5
        found.append(row)
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [""]
    for row in rows:
        figures = [f"{key} {value:+.4f}" for key, value in row.items() if key.endswith("difference")]
        lines.append(f"{row['variant']:28}{row['error'] or ', '.join(figures)}")
    return lines


if __name__ == "__main__":
    main()
