"""Real faults at real small runs: after each, the same command again must end as the undisturbed run does, bit for bit.

    python benchmarks/chaos.py [--rounds 100] [--seed 0] [--jobs 2] [--only FAULT …] [--until STAGE] [--json FILE]

A round strikes one fault (``faults.py``) and is lost where files or recorded losses differ from those of the
undisturbed run, where the fault was not told in a clear line or with a traceback, where training went on from before
the newest whole checkpoint, where a process hung, or where half-written files stay. Ends with 1 if any round is lost.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import FAULTS, Skipped
from small_run import EVERY, Lost, Reference, Round, write_small_recipe

from fledge.run.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """``problem`` is empty where nothing was lost; ``line`` is what was told of the fault."""

    round: int
    fault: str
    problem: str
    skipped: str
    line: str
    processes: int
    redone_steps: int
    seconds: float


class Suite:
    """The references that rounds are compared with, made when a round first needs them."""

    def __init__(self, folder: Path, words: tuple[str, ...], seed: int) -> None:
        self.folder, self.words, self.seed = folder, words, seed
        self.recipe = write_small_recipe(folder / "recipe")
        self._lock, self._made = threading.Lock(), dict[str, Reference]()

    def reference(self, poison: str = "", processes: int = 1) -> Reference:
        with self._lock:
            key = f"{poison} {processes}"
            if key not in self._made:
                home = self.folder / f"reference-{len(self._made)}"
                home.mkdir()
                self._made[key] = Reference(self.recipe, home, self.words, poison, processes).make()
            return self._made[key]

    def strike(self, number: int, name: str) -> Outcome:
        """One round, with a chance of its own; its directory stays only where it is lost."""
        fault, began = FAULTS[name], time.monotonic()
        round_ = Round(
            self.reference(fault.poison, fault.processes),
            self.folder / f"round-{number}",
            random.Random(f"{self.seed} {number} {name}"),
        )
        problem = skipped = ""
        try:
            fault.strike(round_)
            round_.check()
        except Skipped as reason:
            skipped = str(reason)
        except Lost as lost:
            problem = str(lost)
        finally:
            for process in round_.processes:
                process.kill()
        if not problem:
            shutil.rmtree(round_.folder, ignore_errors=True)
        n, redone, seconds = len(round_.processes), round_.redone_steps, round(time.monotonic() - began, 2)
        return Outcome(number, name, problem, skipped, round_.line, n, redone, seconds)


def drawn(names: Sequence[str], rounds: int, seed: int) -> list[str]:
    """The fault of every round: all of them in a new order again and again."""
    chance, order = random.Random(seed), list[str]()
    while len(order) < rounds:
        order += chance.sample(list(names), len(names))
    return order[:rounds]


def by_fault(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """For each fault: rounds, losses, steps that were trained twice (most in a round), what was told of it."""
    groups = collections.defaultdict(list)
    for each in sorted(outcomes, key=lambda each: each.round):
        groups[each.fault].append(each)
    return {
        name: {
            "rounds": sum(not each.skipped for each in group),
            "lost": sum(bool(each.problem) for each in group),
            "skipped": sum(bool(each.skipped) for each in group),
            "most_steps_redone": max(each.redone_steps for each in group),
            "told": next((each.line for each in group if each.line), "") or group[0].skipped,
        }
        for name, group in sorted(groups.items())
    }


def table(faults: dict[str, dict[str, Any]]) -> str:
    """The same as lines for the terminal."""
    lines = [f"{'fault':<24}{'rounds':>7}{'lost':>6}{'skipped':>9}{'redone':>8}  told"]
    for name, each in faults.items():
        counts = f"{each['rounds']:>7}{each['lost']:>6}{each['skipped']:>9}{each['most_steps_redone']:>8}"
        lines.append(f"{name:<24}{counts}  {each['told'][:110]}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="rounds at once, each on one thread")
    parser.add_argument("--only", nargs="+", choices=sorted(FAULTS), default=sorted(FAULTS))
    parser.add_argument("--until", default="", help="the last stage of the run; all if not given")
    parser.add_argument("--keep", type=Path, help="work here and keep everything, instead of in a temporary directory")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    words = ("--until", arguments.until) if arguments.until else ()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        suite = Suite(arguments.keep or Path(temporary), words, arguments.seed)
        suite.reference()
        names = drawn(arguments.only, arguments.rounds, arguments.seed)
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(arguments.jobs) as pool, Progress("chaos", len(names), "rounds") as progress:
            waiting = [pool.submit(suite.strike, number, name) for number, name in enumerate(names)]
            for done in as_completed(waiting):
                outcomes.append(done.result())
                last = outcomes[-1]
                if last.problem:
                    print(f"round {last.round}, {last.fault}: lost: {last.problem}", flush=True)
                progress.update(1, lost=sum(bool(each.problem) for each in outcomes))
        reference = suite.reference()
        files, compared = len(reference.outputs), sum(len(curve) for curve in reference.losses.values())
    faults = by_fault(outcomes)
    print(table(faults))
    lost = [each for each in outcomes if each.problem]
    counted = [each for each in outcomes if not each.skipped]
    result = {
        "rounds": len(counted),
        "lost": len(lost),
        "skipped": len(outcomes) - len(counted),
        "seed": arguments.seed,
        "wall_seconds": round(time.monotonic() - began, 1),
        "processes": sum(each.processes for each in outcomes),
        "files_compared_a_round": files,
        "losses_compared_a_round": compared,
        "checkpoint_every": EVERY,
        "most_steps_redone": max((each.redone_steps for each in outcomes), default=0),
        "lost_rounds": [f"{each.round}, {each.fault}: {each.problem}" for each in lost],
        "faults": faults,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(counted)} rounds, {len(lost)} lost, {len(outcomes) - len(counted)} skipped")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
