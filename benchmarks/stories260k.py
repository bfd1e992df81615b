"""llama2.c's stories260K and a model of its size raised here: bits per byte of the same unseen stories.

    python benchmarks/stories260k.py [--data DIR] [--tokens 60_000_000] [--out DIR] [--json FILE]

The opponent is imported from stories260K.bin (5 layers of 64, 8 heads on 4, MLP of 172, 512 tokens), which learned from
all of TinyStories. Fledge's has the same sizes, its own tokenizer of as many tokens, and learns from the pieces of
TinyStories in DIR alone, read over and over. Both go through recipes and the eval stage of the real command. The
held-out stories are in neither's text: they are TinyStories' own, and 13-grams of them are kept out of DIR's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fledge.run.toml_file import to_toml

TEXTS = ("pretrain/tinystories_10k_lines.txt", "pretrain/tinystories_small_944k.txt")
HELDOUT = "pretrain/tinystories_val_794k.txt"
OPPONENT = "weights/stories260K.bin"
SIZES = {
    "d_model": 64,
    "n_heads": 8,
    "n_kv_heads": 4,
    "head_dim": 8,
    "d_ff": 172,
    "tie_embeddings": True,
}
SPLIT = ["endoftext@*tinystories_10k*", "re:^(?=Once upon a time|One day,)@*tinystories_small*"]
BATCH_TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tokens", type=int, default=60_000_000)
    parser.add_argument("--out", type=Path, default=Path("runs/stories260k"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name in (*TEXTS, HELDOUT, OPPONENT):
        if not (options.data / name).exists():
            raise SystemExit(f"{options.data / name} is not there; give --data")
    options.out.mkdir(parents=True, exist_ok=True)
    imported = options.out.resolve() / "imported"
    if not imported.exists():
        fledge("import", str(options.data / OPPONENT), "--out", str(imported))
    measured = {"tasks": [], "perplexity": [str((options.data / HELDOUT).resolve())], "ngram_order": 0}
    theirs = {
        "name": "stories260K",
        "tokenizer": {"path": str(imported)},
        "pretrain": {"init": str(imported), "context_length": 256},
        "eval": measured,
    }
    ours = {
        "name": "as small",
        "text": {"sources": [str((options.data / name).resolve()) for name in TEXTS], "split": SPLIT},
        "tokenizer": {"vocab_size": 512},
        "tokens": {"decontaminate": measured["perplexity"], "max_repetition": 1000.0},
        "pretrain": {
            "depth": 5,
            "model": SIZES,
            "context_length": 256,
            "batch_tokens": BATCH_TOKENS,
            "tokens": options.tokens,
            "log_spaced_checkpoints": False,
        },
        "eval": measured,
    }
    figures = {name: run(options.out / name, recipe) for name, recipe in (("theirs", theirs), ("ours", ours))}
    result = {"command": " ".join(["python", "benchmarks/stories260k.py", *sys.argv[1:]]), "figures": figures}
    text = json.dumps(result, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def run(out: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe's run; bits per byte of the stories, and what was trained."""
    path = out.with_suffix(".toml")
    path.write_text(to_toml(recipe), encoding="utf-8")
    fledge("run", str(path), "--out", str(out))
    scores = json.loads((out / "eval/results.json").read_text())["bits_per_byte"]
    (scored,) = (score for score in scores if score["name"] == Path(HELDOUT).name)
    found = {key: scored[key] for key in ("bits_per_byte", "stderr", "n_bytes") if key in scored}
    trained = json.loads((out / "pretrain/manifest.json").read_text())
    summary = {key: trained["summary"][key] for key in ("n_parameters", "tokens") if key in trained["summary"]}
    return {**found, **summary, "pretrain_seconds": trained["seconds"]}


def fledge(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "fledge", *words], check=True)


if __name__ == "__main__":
    main()
