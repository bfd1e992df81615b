"""Bits per byte of unseen text against wall-clock and tokens: Fledge and its peers from scratch on the same text.

    python benchmarks/time_to_quality.py --peers-python PYTHON --nanogpt DIR --nanochat DIR --data DIR --work DIR
        [--tokens 3_280_000] [--seeds 0 1 2] [--all-on SETTING=VALUE …] [--json FILE] [--plot FILE.png]

Fledge's text, tokenizer and tokens stages make one token stream of --text (in DIR of --data by default: Schools
Wikipedia, novels, TinyStories; without what shares 13 words with the held-out files) with --vocab-size tokens, once for
a --work directory. Every contestant reads all of it: in random crops (nanoGPT), in shuffled blocks (litgpt,
transformers, nanochat), in packed rows with document masks (Fledge). All train --tokens tokens in steps of one size,
their schedules end there, and they run one after another, in bfloat16, compiled, with the same environment.
--tokens-of NAME=TOKENS gives one another horizon, to find when it reaches what others reach.

The clock includes building and compiling and leaves out evaluation. Bits per byte are those of the same windows of
--heldout for all: the first --curve-bytes of each along the way, --heldout-bytes at the end. A target is --target, or
what the best of the peers ends at; the time to it is read off the curve between two points.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from contestants import (
    PASSIVE,
    PEERS,
    REUSE,
    Contestant,
    Places,
    child_events,
    end_on_terminate,
    environment_of,
    machine,
)
from peers.task import SHAPES, Shape, Task

from fledge.run.processes import usable_processors
from fledge.run.toml_file import to_toml
from fledge.tokens.shards import ShardSet, open_shards
from fledge.tokens.tokenizer import Tokenizer

TEXTS = (
    "wikispeedia_plaintext_articles.tar.gz",
    "litbank_100_novels.tar.gz",
    "tinystories_10k_lines.txt",
    "tinystories_small_944k.txt",
)
HELDOUT = ("tinystories_val_794k.txt", "wikitext-2_valid.txt")
SPLIT = ["endoftext@*tinystories_10k*", "re:^(?=Once upon a time|One day,)@*tinystories_small*"]
TRANSFORMS = ["repair", "gutenberg@*litbank*", "schools_wikipedia@*wikispeedia*", "unwrap@*litbank*"]


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(words)
    shape = replace(SHAPES[options.shape], vocab_size=options.vocab_size)
    with tempfile.TemporaryDirectory(prefix="fledge-quality-") as folder:
        work = options.work or Path(folder)
        data = prepare(work.resolve(), shape, options)
        places = Places(options.peers_python, options.nanogpt, options.nanochat)
        runs = []
        for seed in options.seeds:
            for contestant in entrants(options):
                runs.append(
                    one_run(contestant, seed, replace(shape, vocab_size=data["vocab_size"]), data, places, options)
                )
                print(line_of(runs[-1]), flush=True)
    result = {
        "command": " ".join(["python", "benchmarks/time_to_quality.py", *words]),
        "machine": machine(),
        "text": {key: data[key] for key in ("n_documents", "n_tokens", "vocab_size", "bytes_per_token")},
        "heldout": {name: each["n_bytes"] for name, each in data["heldout"].items()},
        "shape": vars(shape),
        "seeds": options.seeds,
        "runs": runs,
    }
    result["ends"] = ends(runs)
    result["targets"] = targets(runs, dict(pair.split("=", 1) for pair in options.target))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(result)))
    if options.plot:
        plot(result, options.plot)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--peers-python", default=os.environ.get("PEERS_PYTHON", ""), help="a Python with the peers")
    found.add_argument("--nanogpt", default=os.environ.get("NANOGPT", ""), help="a clone of nanoGPT")
    found.add_argument("--nanochat", default=os.environ.get("NANOCHAT", ""), help="a clone of nanochat")
    add_texts(found)
    found.add_argument("--work", type=Path, help="keeps the token stream for the next call")
    found.add_argument("--shape", default="i", choices=list(SHAPES))
    found.add_argument("--tokens", type=int, default=3_280_000)
    found.add_argument("--steps", type=int, default=0, help="in place of --tokens")
    found.add_argument("--tokens-of", nargs="*", default=[], metavar="NAME=TOKENS")
    found.add_argument("--seeds", type=int, nargs="+", default=[0])
    found.add_argument("--only", nargs="+", default=[], help="parts of names of contestants to run")
    found.add_argument("--fledge", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of both Fledges")
    found.add_argument("--all-on", nargs="*", default=[], metavar="SETTING=VALUE", help="a second Fledge, with these")
    found.add_argument("--precision", default="bf16", choices=["bf16", "fp32"], help="of the peers; Fledge chooses")
    found.add_argument("--no-compile", action="store_true", help="compile none of the peers' models")
    found.add_argument("--points", type=int, default=10, help="evaluations along the way")
    found.add_argument("--curve-bytes", type=int, default=100_000)
    found.add_argument("--heldout-bytes", type=int, default=800_000)
    found.add_argument("--target", nargs="*", default=[], metavar="TEXT=BITS")
    found.add_argument("--limit", type=float, default=14_400.0, help="seconds after which a contestant is killed")
    found.add_argument("--json", type=Path)
    found.add_argument("--plot", type=Path)
    return found


def add_texts(found: argparse.ArgumentParser) -> None:
    """What :func:`prepare` reads of the options."""
    found.add_argument("--data", type=Path, default=Path("../shared/data/pretrain"), help="folder of the default texts")
    found.add_argument("--text", nargs="+", type=Path, help="training texts, in place of the default ones")
    found.add_argument("--heldout", nargs="+", type=Path, help="texts to measure on, in place of the default ones")
    found.add_argument("--vocab-size", type=int, default=4096)
    found.add_argument("--threads", type=int, default=len(usable_processors()))


def entrants(options: Any) -> list[Contestant]:
    """Fledge's default at the shape's depth, Fledge with the given switches, then the peers at their best."""
    environment = {**PASSIVE, **REUSE}
    own = {**dict(pair.split("=", 1) for pair in options.fledge), "own_shape": "yes"}
    found = [Contestant("fledge", "default", environment=PASSIVE, settings=own)]
    if options.all_on:
        switches = dict(pair.split("=", 1) for pair in options.all_on)
        found.append(Contestant("fledge", "all on", environment=PASSIVE, settings={**own, **switches}))
    best = {"precision": options.precision, "compile": not options.no_compile, "best": True}
    rules = {"nanogpt": "AdamW", "nanochat": "Muon", "litgpt": "AdamW", "transformers": "AdamW"}
    found += [Contestant(peer, rules[peer], environment=environment, **best) for peer in PEERS]
    found.append(Contestant("nanochat", "full rates", environment=environment, settings={"batch_rule": "off"}, **best))
    return [c for c in found if not options.only or any(word in c.name for word in options.only)]


def prepare(work: Path, shape: Shape, options: Any) -> dict[str, Any]:
    """The token stream and the held-out rows in ``work``, made by Fledge's own stages; told as plain values."""
    texts = options.text or [options.data / name for name in TEXTS]
    heldout = options.heldout or [options.data / name for name in HELDOUT]
    for path in (*texts, *heldout):
        if not path.exists():
            raise SystemExit(f"{path} is not there; give --data, or --text and --heldout")
    work.mkdir(parents=True, exist_ok=True)
    resolved = [str(path.resolve()) for path in heldout]
    settings = {
        "name": "time-to-quality",
        "text": {"sources": [str(path.resolve()) for path in texts], "split": SPLIT, "transforms": TRANSFORMS},
        "tokenizer": {"vocab_size": shape.vocab_size},
        "tokens": {"decontaminate": resolved},
    }
    recipe, run = work / "recipe.toml", work / "run"
    recipe.write_text(to_toml(settings), encoding="utf-8")
    command = [sys.executable, "-m", "fledge", "run", str(recipe), "--out", str(run), "--until", "tokens"]
    subprocess.run(command, check=True, env=environment_of(Contestant("fledge", ""), {}, options.threads))
    shards = run / "tokens" / "train" / "text"
    opened = open_shards(shards)
    write_stream(opened, work)
    tokenizer = Tokenizer.load(run / "tokenizer")
    held = {path.stem: write_heldout(path, tokenizer, shape.context, work, options.heldout_bytes) for path in heldout}
    return {
        "directory": str(work),
        "shards": str(shards),
        "vocab_size": tokenizer.vocab_size,
        "n_documents": opened.n_documents,
        "n_tokens": opened.n_tokens,
        "bytes_per_token": opened.n_bytes / opened.n_tokens,
        "heldout": held,
    }


def write_stream(shards: ShardSet, out: Path, seed: int = 0) -> None:
    """All documents in a shuffled order as ``tokens.bin`` (uint16)."""
    order = np.random.default_rng(seed).permutation(shards.n_documents)
    documents = [shards.document(int(number)).astype(np.uint16) for number in order]
    np.concatenate(documents).tofile(out / "tokens.bin")


def write_heldout(path: Path, tokenizer: Tokenizer, context: int, out: Path, most_bytes: int) -> dict[str, Any]:
    """The first ``most_bytes`` of a text as rows of context + 1 tokens, and the bytes that each row's targets spell."""
    text = path.read_bytes()[:most_bytes].decode("utf-8", "ignore")
    ids = np.array([tokenizer.bos, *tokenizer.encode(text)])
    n_rows = (len(ids) - 1) // context
    if not n_rows:
        raise SystemExit(f"{path} gives {len(ids) - 1} tokens, less than one row of {context}")
    rows = ids[np.arange(n_rows)[:, None] * context + np.arange(context + 1)]
    row_bytes = tokenizer.byte_lengths[rows[:, 1:]].sum(axis=1)
    np.savez(out / f"heldout-{path.stem}.npz", rows=rows, row_bytes=row_bytes)
    return {"path": str(out / f"heldout-{path.stem}.npz"), "n_bytes": int(row_bytes.sum()), "n_rows": n_rows}


def one_run(
    contestant: Contestant, seed: int, shape: Shape, data: Mapping[str, Any], places: Places, options: Any
) -> dict[str, Any]:
    """One contestant's curve; ``error`` where it could not run."""
    run: dict[str, Any] = {
        "name": contestant.name,
        "seed": seed,
        "points": [],
        "error": places.missing(contestant.peer),
    }
    if run["error"]:
        return run
    tokens = int(dict(pair.rsplit("=", 1) for pair in options.tokens_of).get(contestant.name, options.tokens))
    n_steps = options.steps or max(1, tokens // shape.tokens)
    held = data["heldout"]
    bytes_a_row = min(each["n_bytes"] / each["n_rows"] for each in held.values())
    quality = {
        "data": data["directory"],
        "shards": data["shards"],
        "heldout": {name: each["path"] for name, each in held.items()},
        "curve_rows": max(1, round(options.curve_bytes / bytes_a_row)),
        "evaluate": sorted({max(1, round(n_steps * k / options.points)) for k in range(1, options.points + 1)}),
    }
    task = Task(
        peer=contestant.peer,
        shape=shape,
        precision="bf16" if contestant.precision == "bf16" else "fp32",
        compile=contestant.compile,
        best=contestant.best,
        seed=seed,
        threads=options.threads,
        n_steps=n_steps,
        place=getattr(places, contestant.peer, ""),
        settings=dict(contestant.settings),
        quality=quality,
    )
    python = sys.executable if contestant.peer == "fledge" else places.python
    with tempfile.TemporaryDirectory(prefix="fledge-inductor-") as cache:
        env = environment_of(contestant, {"TORCHINDUCTOR_CACHE_DIR": cache}, options.threads)
        for event in child_events([python, "-m", "peers.learn", task.dump()], env, options.limit):
            match event.pop("event"):
                case "point":
                    run["points"].append(event)
                case "first":
                    run["first_seconds"] = event["seconds"]
                case "error":
                    run["error"] = event["what"]
                case _:
                    run |= event
    if run["points"] and not run["error"]:
        last = run["points"][-1]
        run |= {key: last[key] for key in ("tokens", "seconds", "bits")}
        run["tokens_per_second"] = last["tokens"] / last["seconds"]
    return run


def targets(runs: Sequence[Mapping[str, Any]], given: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each held-out text a target, and the seconds and tokens that each contestant took to it, mean over seeds.

    None where a seed did not reach it; the seconds also without the first step, in which the model is compiled. Without
    ``given`` the target is what the best of the peers ends at (or, with no peers, the worst of Fledge's).
    """
    done = [run for run in runs if "bits" in run]
    found = []
    for name in dict.fromkeys(text for run in done for text in run["bits"]):
        ends: dict[str, list[float]] = {}
        for run in done:
            ends.setdefault(run["name"], []).append(run["bits"][name])
        means = {who: statistics.mean(values) for who, values in ends.items()}
        others = [value for who, value in means.items() if not who.startswith("fledge")]
        target = float(given[name]) if name in given else min(others) if others else max(means.values())
        reached = []
        for who in ends:
            own = [run for run in done if run["name"] == who]
            hits = [crossing(run["points"], name, target) for run in own]
            row: dict[str, Any] = {"contestant": who, "final_bits": means[who], "seconds": None, "tokens": None}
            if all(hits):
                row["seconds"] = statistics.mean(hit[0] for hit in hits if hit)
                row["tokens"] = statistics.mean(hit[1] for hit in hits if hit)
                row["seconds_after_first_step"] = row["seconds"] - statistics.mean(run["first_seconds"] for run in own)
            reached.append(row)
        found.append({"text": name, "bits": target, "reached": reached})
    return found


def ends(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each text and peer, where and when it ends, and the seconds in which each Fledge comes there, as shares.

    Means over seeds; no share where a seed did not come there.
    """
    done = [run for run in runs if "bits" in run]
    found = []
    for name in dict.fromkeys(text for run in done for text in run["bits"]):
        for peer in dict.fromkeys(run["name"] for run in done if not run["name"].startswith("fledge")):
            theirs = [run for run in done if run["name"] == peer]
            bits = statistics.mean(run["bits"][name] for run in theirs)
            seconds = statistics.mean(run["seconds"] for run in theirs)
            row: dict[str, Any] = {"text": name, "peer": peer, "bits": bits, "seconds": seconds}
            for who in dict.fromkeys(run["name"] for run in done if run["name"].startswith("fledge")):
                hits = [crossing(run["points"], name, bits) for run in done if run["name"] == who]
                if all(hits):
                    row[f"{who}, share"] = statistics.mean(hit[0] for hit in hits if hit) / seconds
            found.append(row)
    return found


def crossing(points: Sequence[Mapping[str, Any]], text: str, target: float) -> tuple[float, float] | None:
    """Seconds and tokens at which the curve first comes down to ``target``, on the line between two points."""
    before: Mapping[str, Any] | None = None
    for point in points:
        bits = point["bits"][text]
        if bits <= target:
            if before is None:
                return point["seconds"], point["tokens"]
            share = (before["bits"][text] - target) / (before["bits"][text] - bits)
            seconds, tokens = (before[key] + share * (point[key] - before[key]) for key in ("seconds", "tokens"))
            return seconds, tokens
        before = point
    return None


def line_of(run: Mapping[str, Any]) -> str:
    if run["error"]:
        return f"seed {run['seed']}, {run['name']}: {run['error']}"
    bits = ", ".join(f"{name} {value:.3f}" for name, value in run["bits"].items())
    return f"seed {run['seed']}, {run['name']}: {bits} bits per byte after {run['seconds']:,.0f} s"


def table(result: Mapping[str, Any]) -> list[str]:
    lines = []
    for each in result["targets"]:
        lines += ["", f"{each['text']}: {each['bits']:.3f} bits per byte"]
        for row in each["reached"]:
            end = f"ends at {row['final_bits']:.3f}"
            hit = "not reached"
            if row["seconds"] is not None:
                hit = f"{row['seconds']:,.0f} s ({row['seconds_after_first_step']:,.0f} s after the first step), "
                hit += f"{row['tokens']:,.0f} tokens"
            lines.append(f"{row['contestant']:32}{end}   {hit}")
    lines.append("")
    for each in result["ends"]:
        shares = [f"{key} {value:.2f}" for key, value in each.items() if key.endswith("share")]
        lines.append(f"time to the end of {each['peer']}, {each['text']}: {', '.join(shares) or 'not reached'}")
    return lines


def plot(result: Mapping[str, Any], path: Path) -> None:
    """Bits per byte against seconds and against tokens, a row of panels for each held-out text."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    done = [run for run in result["runs"] if "bits" in run]
    names = list(dict.fromkeys(run["name"] for run in done))
    texts = [each["text"] for each in result["targets"]]
    figure, panels = plt.subplots(len(texts), 2, figsize=(11, 4 * len(texts)), squeeze=False, layout="constrained")
    for line, text in zip(panels, texts, strict=True):
        for panel, axis in zip(line, ("seconds", "tokens"), strict=True):
            for run in done:
                colour = f"C{names.index(run['name'])}"
                label = run["name"] if run["seed"] == result["seeds"][0] else None
                xs = [point[axis] for point in run["points"]]
                panel.plot(xs, [point["bits"][text] for point in run["points"]], color=colour, label=label, marker=".")
            panel.set_xlabel("seconds of training, compilation included" if axis == "seconds" else "tokens")
            panel.set_ylabel(f"bits per byte, {text}")
            panel.grid(alpha=0.3)
    panels[0][0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
