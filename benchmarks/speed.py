"""Training speed of Fledge and of what people would use instead, side by side in one run.

    python benchmarks/speed.py --peers-python PYTHON --nanogpt DIR --nanochat DIR [--full] [--json FILE]
    python benchmarks/speed.py --levers [--json FILE]

Two shapes: (i) 6 layers, 384 wide, context 256, vocabulary 4,096, 32 rows a step; (ii) 12 layers, 768 wide, context
512, vocabulary 50,304, 4 rows. Each contestant is a process of its own, one at a time: its first step (which compiles)
and its warm-up are left out, the median of the others counts. Contestants alternate in rounds, and a ratio is that of
two medians of one round. The short bench runs, in round 1, everyone at its best, the two fastest with the environment
as well, and two of the fp32 defaults; in the next rounds Fledge and the leaders, until --minutes are over. --full runs
everyone in every round, however long that takes. benchmarks/peers/README.md tells how to get the peers; one that is not
there is a row that says so.

Families: "fp32 default" is how each one's own instructions run it on a CPU; "bf16, compiled" is its best by its own
switches; "glibc reuse" and "tcmalloc" add the environment that Fledge uses: memory that is kept instead of given back,
threads that wait without spinning. Fledge runs through Trainer.fit with document masks and its events. "own shape" is
what its dial gives at that depth. --levers runs Fledge alone, with one thing after the other taken away that makes it
fast, beside Fledge with all. --isa avx2 hides bf16 units from oneDNN, and everyone computes in float32.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from contestants import (
    Contestant,
    Places,
    Turn,
    contestants,
    end_on_terminate,
    environment_of,
    machine,
    take_turn,
    without_levers,
)
from peers.task import SHAPES, Shape, Task

from fledge.run.processes import usable_processors

SHORT = ("nanogpt", "litgpt")
"""The peers whose fp32 default the short bench runs: the fastest of them, and the others' steps take long."""
LEVERS_SHORT = 2
"""Of how many peers, the fastest, the short bench runs what the environment brings."""


def main(words: Sequence[str] | None = None) -> None:
    end_on_terminate()
    words = list(sys.argv[1:] if words is None else words)
    options = parser().parse_args(words)
    began = time.perf_counter()
    places = Places(options.peers_python, options.nanogpt, options.nanochat)
    turns: dict[str, list[Turn]] = {name: [] for name in options.shapes}
    with tempfile.TemporaryDirectory(prefix="fledge-bench-") as folder:
        for number in range(1, options.rounds + 1):
            for place, name in enumerate(options.shapes, start=1):
                # the first round leaves each shape its part of the time
                minutes = options.minutes * (place / len(options.shapes) if number == 1 else 1)
                deadline = math.inf if options.full else began + 60 * minutes
                run_round(SHAPES[name], number, turns[name], options, places, Path(folder), deadline)
    result = {
        "command": " ".join(["python", "benchmarks/speed.py", *words]),
        "machine": machine(),
        "isa": options.isa,
        "seed": options.seed,
        "wall_seconds": time.perf_counter() - began,
        "shapes": {name: summary(SHAPES[name], each) for name, each in turns.items()},
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name in options.shapes:
        print("\n".join(table(result["shapes"][name])))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--peers-python", default=os.environ.get("PEERS_PYTHON", ""), help="a Python with the peers")
    found.add_argument("--nanogpt", default=os.environ.get("NANOGPT", ""), help="a clone of nanoGPT")
    found.add_argument("--nanochat", default=os.environ.get("NANOCHAT", ""), help="a clone of nanochat")
    found.add_argument("--shapes", nargs="+", default=["i", "ii"], choices=list(SHAPES))
    found.add_argument("--levers", action="store_true", help="Fledge alone, without one lever after the other")
    found.add_argument("--full", action="store_true", help="everyone in every round, however long it takes")
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--minutes", type=float, default=9.0, help="begin nothing after this, without --full")
    found.add_argument("--steps", type=int, default=0, help="timed steps of a turn; 0 = by --seconds")
    found.add_argument("--seconds", type=float, default=4.0, help="least timed seconds of a turn, in two steps or more")
    found.add_argument("--only", nargs="+", default=[], help="parts of names of contestants to run, as nanogpt AdamW")
    found.add_argument("--isa", choices=["native", "avx2"], default="native")
    found.add_argument("--threads", type=int, default=len(usable_processors()))
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--fledge", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of Fledge's pretrain")
    found.add_argument("--limit", type=float, default=900.0, help="seconds after which a contestant is killed")
    found.add_argument("--json", type=Path)
    return found


def run_round(
    shape: Shape, number: int, turns: list[Turn], options: Any, places: Places, folder: Path, deadline: float
) -> None:
    """One turn of each contestant that this round has; those that cannot run get one turn that says why."""
    given = dict(pair.split("=", 1) for pair in options.fledge)
    everyone = without_levers if options.levers else contestants
    for contestant in everyone(given, bf16=options.isa == "native"):
        if not wanted(contestant, shape, number, turns, options):
            continue
        error = places.missing(contestant.peer) if number == 1 else ""
        if not error and time.perf_counter() > deadline:
            if number > 1:
                return
            error = "left out: the time was over"
        if error:
            turns.append(Turn(contestant.name, number, error=error))
        else:
            turns.append(one_turn(shape, contestant, number, options, places, folder))
        print(line_of(shape, turns[-1]), flush=True)


def one_turn(shape: Shape, contestant: Contestant, number: int, options: Any, places: Places, folder: Path) -> Turn:
    task = Task(
        peer=contestant.peer,
        shape=shape,
        precision="bf16" if contestant.precision == "bf16" else "fp32",
        compile=contestant.compile,
        best=contestant.best,
        seed=options.seed,
        threads=options.threads,
        place=getattr(places, contestant.peer, ""),
        settings=dict(contestant.settings),
    )
    if options.steps:
        task = replace(task, least_steps=options.steps, seconds=0.0)
    else:
        task = replace(task, seconds=options.seconds)
    further = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    if options.isa == "avx2":
        further["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    env = environment_of(contestant, further, options.threads)
    return take_turn(task, contestant, places, number, env, options.limit)


def wanted(contestant: Contestant, shape: Shape, number: int, turns: list[Turn], options: Any) -> bool:
    """Whether the contestant has a turn in round ``number`` after these ``turns``: all that can, if it is not short.

    A short bench has in round 1 the fp32 default of few, and what the environment brings to the fastest; in the next
    rounds it has Fledge and the leaders of the first.
    """
    name, peer = contestant.name, contestant.peer
    if options.only and not any(word in name for word in options.only):
        return False
    if any(turn.error and turn.contestant == name for turn in turns):
        return False
    if options.full or peer == "fledge" or (number == 1 and options.only):
        return True
    ranks = {family: ranked(names, shape, turns) for family, names in families([t.contestant for t in turns]).items()}
    if number > 1:
        return any(names[:1] == [name] for names in ranks.values())
    family = next(family for family, names in families([name]).items() if names)
    if family == "fp32 default":
        return peer in SHORT
    return family == "best" or peer in [each.split(",")[0] for each in ranks["best"][:LEVERS_SHORT]]


def ranked(names: Sequence[str], shape: Shape, turns: list[Turn]) -> list[str]:
    """Those of ``names`` that ran in round 1, the fastest first."""
    rates = {t.contestant: rate(shape, t) for t in turns if t.round == 1 and t.contestant in names and t.step_seconds}
    return sorted(rates, key=lambda name: -rates[name])


def families(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of peers by what they are compared as: the defaults, the best of each, the best with the environment."""
    found: dict[str, list[str]] = {"fp32 default": [], "best": [], "best with levers": []}
    for name in names:
        if not name.startswith("fledge"):
            levers = name.endswith(("glibc reuse", "tcmalloc"))
            found["fp32 default" if name.endswith("default") else "best with levers" if levers else "best"].append(name)
    return found


def rate(shape: Shape, turn: Turn) -> float:
    """Tokens a second in the median step."""
    return shape.tokens / statistics.median(turn.step_seconds) if turn.step_seconds else 0.0


def summary(shape: Shape, turns: list[Turn]) -> dict[str, Any]:
    """Rows by contestant, and Fledge's ratio to the best of each family, the median of those of single rounds."""
    rows = []
    for name in dict.fromkeys(turn.contestant for turn in turns):
        own = [turn for turn in turns if turn.contestant == name]
        good = [turn for turn in own if turn.step_seconds and not turn.error]
        row: dict[str, Any] = {"name": name, "error": next((turn.error for turn in own if turn.error), "")}
        if good:
            rates = [rate(shape, turn) for turn in good]
            median = statistics.median(t for turn in good for t in turn.step_seconds)
            row |= {
                "tokens_per_second": statistics.median(rates),
                "tokens_per_second_by_round": {turn.round: r for turn, r in zip(good, rates, strict=True)},
                "n_steps": sum(len(turn.step_seconds) for turn in good),
                "compile_seconds": max(turn.first_seconds for turn in good) - median,
                "peak_bytes": int(statistics.median(turn.peak_bytes for turn in good)),
                "peak_step_bytes": int(statistics.median(turn.peak_step_bytes for turn in good)),
                "n_parameters": good[0].n_parameters,
                "versions": good[0].versions,
                "hardware": good[0].hardware,
            }
        rows.append(row)
    return {"shape": asdict(shape), "rows": rows, "ratios": ratios(rows), "turns": [asdict(turn) for turn in turns]}


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Speed of each kind of Fledge over the fastest peer of each family, and its memory over the leanest's.

    Without peers, over Fledge's default.
    The fastest is one of those that ran in the most rounds, which in a short bench are the leaders of the first.
    """
    ran = {row["name"]: row for row in rows if "tokens_per_second" in row}
    found = []
    known = {name: names for name, names in families(list(ran)).items() if names}
    for name, names in (known or {"fledge": ["fledge, default"] if "fledge, default" in ran else []}).items():
        if not names:
            continue
        most = max(len(ran[each]["tokens_per_second_by_round"]) for each in names)
        often = [each for each in names if len(ran[each]["tokens_per_second_by_round"]) == most]
        fastest = ran[max(often, key=lambda each: ran[each]["tokens_per_second"])]
        leanest = min(ran[each]["peak_bytes"] for each in names)
        for own in (row for row in ran.values() if row["name"].startswith("fledge") and row is not fastest):
            mine, theirs = own["tokens_per_second_by_round"], fastest["tokens_per_second_by_round"]
            by_round = [mine[number] / theirs[number] for number in mine if number in theirs]
            if by_round:
                found.append(
                    {
                        "contestant": own["name"],
                        "family": name,
                        "fastest_peer": fastest["name"],
                        "speed_ratio": statistics.median(by_round),
                        "speed_ratio_by_round": by_round,
                        "memory_ratio_to_leanest": own["peak_bytes"] / leanest,
                    }
                )
    return found


def line_of(shape: Shape, turn: Turn) -> str:
    what = turn.error or f"{rate(shape, turn):,.0f} tokens/s, first step {turn.first_seconds:.1f} s"
    return f"round {turn.round}, shape {shape.name}, {turn.contestant}: {what}"


def table(found: dict[str, Any]) -> list[str]:
    """The rows and ratios of one shape for a terminal."""
    shape = Shape(**found["shape"])
    lines = ["", f"shape ({shape.name}): {shape.n_layers} layers, {shape.d_model} wide, {shape.n_heads} heads"]
    lines.append(f"{'':42}{'tokens/s':>10}{'compile s':>11}{'peak MB':>9}{'steps MB':>10}{'steps':>7}")
    for row in found["rows"]:
        if "tokens_per_second" not in row:
            lines.append(f"{row['name']:42}{row['error']}")
            continue
        memory = f"{row['peak_bytes'] / 1e6:>9,.0f}{row['peak_step_bytes'] / 1e6:>10,.0f}"
        rates = f"{row['tokens_per_second']:>10,.0f}{row['compile_seconds']:>11.1f}"
        lines.append(f"{row['name']:42}{rates}{memory}{row['n_steps']:>7}")
    for each in found["ratios"]:
        by_round = ", ".join(f"{ratio:.2f}" for ratio in each["speed_ratio_by_round"])
        lines.append(
            f"{each['contestant']} is {each['speed_ratio']:.2f} × as fast as {each['fastest_peer']} ({by_round}), "
            f"{each['memory_ratio_to_leanest']:.2f} × the memory of the leanest of «{each['family']}»"
        )
    return lines


if __name__ == "__main__":
    main()
