"""The same facts at equal exposures, told in one wording against five: how many can be asked for after tuning?

    python benchmarks/wordings.py [--seeds 3] [--exposures 400] [--out DIR] [--json FILE]

Follows "Physics of Language Models: Part 3.1" (arXiv 2309.14316). ``one``: always the same sentence, facts in one
order, later sentences with a pronoun. ``five``: five sentences a fact, shuffled, names repeated at times.
``one_shuffled`` stands between them: only the wording is single. Each arm's text tells each fact ``exposures`` times on
average and is read exactly once. Scored are people whose facts stand in the text and who are never asked about in
tuning.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.stages.recipe import read_recipe
from fledge.world.facts.exposures import expected_exposures
from fledge.world.world import World

RECIPE = Path("recipes/facts.toml")
DIALS: dict[str, dict[str, Any]] = {
    "one": {"wordings": 1, "shuffle_order": False, "name_share": 0.0},
    "one_shuffled": {"wordings": 1, "shuffle_order": True, "name_share": 0.4},
    "five": {"wordings": 5, "shuffle_order": True, "name_share": 0.4},
}


def bytes_for(exposures: float, seed: int, dials: dict[str, Any]) -> int:
    """Size of the documents in which each fact is told ``exposures`` times on average."""
    config = read_recipe(RECIPE).world
    assert config is not None
    config = replace(config, seed=seed, **dials)
    return round(config.n_bytes * exposures / expected_exposures(World(config)))


def measure(name: str, seed: int, exposures: float, out: Path) -> dict[str, Any]:
    """One run of the recipe with the dials of ``name``; the figures of its eval stage."""
    dials = DIALS[name]
    run = out / f"{name}-{seed}"
    flags = {f"world.{key}": str(value).lower() for key, value in dials.items()}
    flags |= {"world.seed": str(seed), "world.n_bytes": str(bytes_for(exposures, seed, dials))}
    flags |= {"pretrain.seed": str(seed), "sft.seed": str(seed)}
    fledge_run(run, {**flags, "until": "tokens"})
    summary = json.loads((run / "tokens/manifest.json").read_text())["summary"]
    fledge_run(run, {**flags, "pretrain.tokens": str(summary["train"]["world"]["n_tokens"])})
    tasks = {task["name"]: task for task in json.loads((run / "eval/results.json").read_text())["tasks"]}
    return {
        "wordings": name,
        "seed": seed,
        **{key: tasks[f"facts_{key}"]["mean"] for key in ("unasked", "asked")},
        "n_unasked": tasks["facts_unasked"]["n"],
        "chance": tasks["facts_unasked"]["chance"],
        "passes": json.loads((run / "pretrain/manifest.json").read_text())["summary"]["epochs"]["world"],
        "tellings": json.loads((run / "world/manifest.json").read_text())["summary"]["exposures"]["mean"],
    }


def fledge_run(run: Path, flags: dict[str, str]) -> None:
    words = [word for key, value in flags.items() for word in (f"--{key}", value)]
    subprocess.run([sys.executable, "-m", "fledge", "run", str(RECIPE), "--out", str(run), *words], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--exposures", type=float, default=400)
    parser.add_argument("--out", type=Path, default=Path("runs/wordings"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [
        measure(name, seed, arguments.exposures, arguments.out)
        for seed in range(1, arguments.seeds + 1)
        for name in DIALS
    ]
    shares = {name: [row["unasked"] for row in rows if row["wordings"] == name] for name in DIALS}
    result = {
        "exposures": arguments.exposures,
        "rows": rows,
        "unasked": {
            name: {
                "mean": statistics.mean(values),
                "stderr": statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None,
            }
            for name, values in shares.items()
        },
    }
    text = json.dumps(result, indent=2)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
