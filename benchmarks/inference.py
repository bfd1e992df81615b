"""Generation beside transformers and llama.cpp: the same weights, prompts and threads, in turns in one run.

    python benchmarks/inference.py [--shape 124m | demo] [--rounds 3] [--json FILE]

Each engine runs in a process of its own, once a round; a figure is the median of the rounds. Prefill is a prompt of
512 tokens up to its first token, nothing cached. Decoding is greedy from prompts of 8 tokens, 64 tokens each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contestants import LEVERS, PASSIVE, end_on_terminate, machine

from fledge.model.config import ModelConfig
from fledge.model.config_json import write_config
from fledge.model.decoder import Decoder
from fledge.model.weights import exported_weights
from fledge.release.exporting import gather
from fledge.release.gguf_file import write_gguf
from fledge.run.files import atomic_directory, write_json
from fledge.tokens.tokenizer import Tokenizer

CHILD = Path(__file__).parent / "engines" / "child.py"
CONTEXT = 1024
SHAPES = {
    "124m": ModelConfig(50_304, 12, 768, 12, 12, 64, 2048, tie_embeddings=True),
    "demo": ModelConfig.from_depth(4, 2048),
}
CONTESTANTS = (
    ("fledge", "bfloat16"),
    ("llama.cpp", "bfloat16"),
    ("transformers", "bfloat16"),
    ("fledge", "int8"),
    ("llama.cpp", "int8"),
    ("fledge", "float32"),
    ("llama.cpp", "float32"),
    ("transformers", "float32"),
)


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(words)
    shape = SHAPES[options.shape]
    folder = prepare(shape, options.work.resolve() / options.shape)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {contestant: [] for contestant in CONTESTANTS}
    for number in range(options.rounds):
        for contestant in CONTESTANTS:
            if options.only and contestant[0] not in options.only:
                continue
            found = measured(contestant, shape, folder, number, options)
            runs[contestant].append(found)
            print(line(contestant, found), flush=True)
    rows = [
        {
            "engine": engine,
            "precision": precision,
            **{key: statistics.median(each[key] for each in found) for key in found[0]},
        }
        for (engine, precision), found in runs.items()
        if found
    ]
    result = {
        "command": " ".join(["python", "benchmarks/inference.py", *words]),
        "machine": machine(),
        "shape": options.shape,
        "rounds": options.rounds,
        "rows": options.rows,
        "threads": options.threads,
        "engines": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--shape", choices=SHAPES, default="124m")
    found.add_argument("--work", type=Path, default=Path("runs/bench-infer"), help="keeps the model for the next call")
    found.add_argument("--only", nargs="+", default=[], help="engines to run")
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--repeats", type=int, default=3)
    found.add_argument("--rows", type=int, default=16)
    found.add_argument("--tokens", type=int, default=64)
    found.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    found.add_argument("--json", type=Path)
    return found


def prepare(config: ModelConfig, folder: Path) -> Path:
    """Random weights and a tokenizer of as many tokens, as the files that each engine reads."""
    from safetensors.torch import save_file

    if folder.is_dir():
        return folder
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ("".join(rng.choice(letters, 9)) for _ in range(20 * config.vocab_size))
    tokenizer = Tokenizer.train([" ".join(words)], config.vocab_size)
    config = replace(config, vocab_size=tokenizer.vocab_size)
    model = Decoder(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    with atomic_directory(folder) as made:
        (made / "hf").mkdir()
        tokenizer.save(made / "hf", model_max_length=CONTEXT)
        save_file(
            {n: t.contiguous() for n, t in exported_weights(model).items()},
            made / "hf" / "model.safetensors",
            {"format": "pt"},
        )
        write_json(made / "hf" / "config.json", {**write_config(config, context_length=CONTEXT), "dtype": "float32"})
        shipped = gather(made / "hf")
        for number_type in ("f32", "bf16", "q8_0"):
            write_gguf(made / f"{number_type}.gguf", shipped, number_type)
    return folder


def measured(
    contestant: tuple[str, str], shape: ModelConfig, folder: Path, number: int, options: argparse.Namespace
) -> dict[str, Any]:
    engine, precision = contestant
    task = {
        "engine": engine,
        "precision": precision,
        "folder": str(folder),
        "vocab_size": shape.vocab_size,
        "prompt": 512,
        "seed": number,
        **{name: getattr(options, name) for name in ("rows", "tokens", "threads", "repeats")},
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith(LEVERS)}
    if engine == "fledge":
        environment |= PASSIVE  # as the command line sets it
    done = subprocess.run(
        [sys.executable, str(CHILD), json.dumps(task)], capture_output=True, text=True, env=environment, check=False
    )
    found = next((each for each in done.stdout.splitlines() if each.startswith("RESULT ")), None)
    if found is None:
        sys.exit(f"{engine}, {precision}: {done.stderr.strip()[-2000:]}")
    return json.loads(found.removeprefix("RESULT "))


def line(contestant: tuple[str, str], found: dict[str, Any]) -> str:
    arrivals = f", arriving at random {found['arrivals_ratio']:.2f}" if "arrivals_ratio" in found else ""
    return (
        f"{', '.join(contestant)}: prefill {found['prefill_tokens_per_second']:.0f} tokens/s, one row {found['decode_1']:.0f}, "
        f"all rows {found['decode_rows']:.0f}{arrivals}; loaded in {found['load_seconds']:.2f} s, peak {found['peak_megabytes']:.0f} MB"
    )


if __name__ == "__main__":
    main()
