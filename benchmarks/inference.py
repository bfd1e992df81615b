"""Generation beside transformers and llama.cpp: the same weights, prompts and threads, in turns in one run.

    python benchmarks/inference.py [--shapes 124m demo] [--rounds 3] [--json FILE]

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
import tempfile
import time
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


BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(words)
    result: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/inference.py", *words]),
        "machine": {**machine(), "threads": options.threads},
        "rounds": options.rounds,
    }
    for name in options.shapes:
        folder = prepare(SHAPES[name], options.work.resolve() / name)
        rows, bandwidth = rounds(SHAPES[name], folder, options)
        n_read = n_matrix_weights(SHAPES[name])
        result[f"engines, {name}"] = {
            f"{dashed(row['engine'])}, {row['precision']}": shown(row, n_read, bandwidth) for row in rows
        }
        result[f"fledge over its peers, {name}"] = ratios(rows)
        result[f"bandwidth_gigabytes_per_second, {name}"] = round(bandwidth / 1e9, 1)
    result["first_compilation_seconds"] = round(compilation_seconds(), 1)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def dashed(name: str) -> str:
    """A name without dots, which the page of results takes for paths."""
    return name.replace(".", "-")


def rounds(shape: ModelConfig, folder: Path, options: argparse.Namespace) -> tuple[list[dict[str, Any]], float]:
    """Medians for each engine and precision, and the bytes a second that a plain reading of memory gets."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {contestant: [] for contestant in CONTESTANTS}
    bandwidths = []
    for number in range(options.rounds):
        bandwidths.append(bandwidth(options.threads))
        for contestant in CONTESTANTS:
            if options.only and contestant[0] not in options.only:
                continue
            found = measured(contestant, shape, folder, number, options)
            runs[contestant].append(found)
            print(line(contestant, found), file=sys.stderr, flush=True)
    rows = [
        {
            "engine": engine,
            "precision": precision,
            **{key: statistics.median(each[key] for each in found) for key in found[0]},
        }
        for (engine, precision), found in runs.items()
        if found
    ]
    return rows, statistics.median(bandwidths)


def bandwidth(threads: int) -> float:
    torch.set_num_threads(threads)
    values = torch.ones(2**27)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        values.sum()
        seconds.append(time.perf_counter() - begun)
    return values.numel() * 4 / min(seconds)


def compilation_seconds() -> float:
    """What the library takes once on a machine, in a process of its own with an empty place to keep it."""
    program = "import time; from fledge.infer.native.build import library; t = time.perf_counter(); library(); "
    program += "print(time.perf_counter() - t)"
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "FLEDGE_CACHE": empty}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
        )
    return float(done.stdout)


def n_matrix_weights(shape: ModelConfig) -> int:
    """What a token reads: every matrix but the table of embeddings, where the head is not the same."""
    with torch.device("meta"):
        model = Decoder(shape)
    table = 0 if shape.tie_embeddings else shape.vocab_size * shape.d_model
    return sum(parameter.numel() for parameter in model.parameters() if parameter.dim() > 1) - table


def shown(row: dict[str, Any], n_read: int, bandwidth: float) -> dict[str, Any]:
    bound = bandwidth / (n_read * BYTES[row["precision"]])
    return {
        "prefill tokens/s": round(row["prefill_tokens_per_second"]),
        "first token ms": round(row["first_token_seconds"] * 1e3, 1),
        "tokens/s, 1 row": round(row["decode_1"]),
        "of the bound": round(row["decode_1"] / bound, 2),
        "tokens/s, all rows": round(row["decode_rows"]),
        "the same, top-p": round(row["decode_rows_sampled"]) if "decode_rows_sampled" in row else "",
        "arriving at random": round(row["arrivals_ratio"], 2) if "arrivals_ratio" in row else "",
        "so many tokens/s": round(row["arrivals_tokens_per_second"]) if "arrivals_ratio" in row else "",
        "import s": round(row["import_seconds"], 2),
        "load s": round(row["load_seconds"], 2),
        "peak MB": round(row["peak_megabytes"]),
    }


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Fledge's figures over each peer's in the same precision."""
    of = {(row["engine"], row["precision"]): row for row in rows}
    return {
        f"{dashed(engine)}, {precision}": {
            shown_as: round(of["fledge", precision][key] / row[key], 2)
            for key, shown_as in (
                ("prefill_tokens_per_second", "prefill"),
                ("decode_1", "1 row"),
                ("decode_rows", "all rows"),
            )
        }
        for (engine, precision), row in of.items()
        if engine != "fledge" and ("fledge", precision) in of
    }


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--shapes", choices=SHAPES, nargs="+", default=list(SHAPES))
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
    figures = (
        "prefill_tokens_per_second",
        "decode_1",
        "decode_rows",
        "arrivals_ratio",
        "load_seconds",
        "peak_megabytes",
    )
    told = ", ".join(f"{name} {found[name]:.4g}" for name in figures if name in found)
    return f"{', '.join(contestant)}: {told}"


if __name__ == "__main__":
    main()
