"""Kill a run with SIGKILL at random moments in every stage, resume it each time, compare it with an undisturbed one.

    python benchmarks/sigkill.py [--recipe recipes/smoke.toml] [--kills 10] [--seed 0] [--json FILE]

Passes when every file that the two runs leave (weights, shards, tokenizer, scores …) is the same byte for byte and the
recorded losses are equal. What holds times is left out: events, manifests, hardware.json, a checkpoint's seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STAGES = ("world", "text", "tokenizer", "tokens", "pretrain", "sft", "eval")
TIMED = {"events.jsonl", "manifest.json", "hardware.json"}


def start(recipe: str, out: Path, log: Path, extra: list[str]) -> subprocess.Popen[bytes]:
    """Start the real command as the leader of its own process group, so that one kill takes its workers too."""
    command = [sys.executable, "-m", "fledge", "run", recipe, "--out", str(out), *extra]
    with open(log, "ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True)


def outputs(run: Path) -> dict[str, str]:
    """sha256 of every file of the stages that must not depend on when it was made."""
    found = {}
    for path in sorted(run.rglob("*")):
        stage = path.relative_to(run).parts[0]
        if path.is_file() and stage in STAGES and path.name not in TIMED:
            data = path.read_bytes()
            if path.name == "state.json":
                timed = ("seconds", "state_sha256")
                state = {key: value for key, value in json.loads(data).items() if key not in timed}
                data = json.dumps(state).encode()
            found[path.relative_to(run).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


def losses(run: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, loss) of every training stage, in order."""
    curves = {}
    for stage in ("pretrain", "sft"):
        path = run / stage / "events.jsonl"
        if path.exists():
            events = [json.loads(line) for line in path.read_text().splitlines()]
            curves[stage] = [(event["step"], event["loss"]) for event in events if event.get("kind") == "step"]
    return curves


def durations(run: Path, stages: list[str]) -> dict[str, float]:
    """Seconds between a stage's first and last event."""
    spans = {}
    for stage in stages:
        times = [json.loads(line)["time"] for line in (run / stage / "events.jsonl").read_text().splitlines()]
        spans[stage] = max(times) - min(times)
    return spans


def wait_for_stage(process: subprocess.Popen[bytes], run: Path, stage: str, timeout: float) -> bool:
    """Until ``stage`` has begun; False where the process ended first."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        if (run / stage / "events.jsonl").exists():
            return True
        time.sleep(0.02)
    raise TimeoutError(f"{stage} did not begin within {timeout:.0f} s")


def disturb(
    recipe: str, run: Path, log: Path, plan: list[str], spans: dict[str, float], rng: random.Random, extra: list[str]
) -> list[dict[str, Any]]:
    """Run ``recipe``, killed once for each stage named in ``plan`` at a random moment of it, then let it end."""
    kills = []
    for stage in plan:
        if (run / stage / "manifest.json").exists():
            continue
        process = start(recipe, run, log, extra)
        if wait_for_stage(process, run, stage, 600):
            delay = rng.uniform(0, max(spans[stage], 0.3))
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills.append({"stage": stage, "seconds_into_stage": round(delay, 2)})
    process = start(recipe, run, log, extra)
    if process.wait() != 0:
        raise SystemExit(f"the resumed run failed; see {log}")
    return kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="recipes/smoke.toml")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments, extra = parser.parse_known_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, disturbed, log = Path(folder, "calm"), Path(folder, "disturbed"), Path(folder, "log.txt")
        if start(arguments.recipe, calm, log, extra).wait() != 0:
            raise SystemExit(log.read_text())
        stages = [stage for stage in STAGES if (calm / stage / "events.jsonl").exists()]
        kills: list[dict[str, Any]] = []
        spans, attempt = durations(calm, stages), 0
        differing: set[str] = set()
        same_losses = True
        while len(kills) < arguments.kills:
            attempt += 1
            run = disturbed.with_name(f"disturbed-{attempt}")
            wanted = arguments.kills - len(kills)
            plan = sorted((stages[-1 - i % len(stages)] for i in range(min(wanted, 2 * len(stages)))), key=STAGES.index)
            kills += disturb(arguments.recipe, run, log, plan, spans, rng, extra)
            reference, found = outputs(calm), outputs(run)
            differing |= {name for name in reference.keys() | found.keys() if reference.get(name) != found.get(name)}
            same_losses = same_losses and losses(calm) == losses(run)
        result = {
            "kills": kills,
            "files_compared": len(outputs(calm)),
            "files_that_differ": sorted(differing),
            "losses_equal": same_losses,
            "losses_compared": sum(len(curve) for curve in losses(calm).values()),
        }
    text = json.dumps(result, indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    print(text)
    sys.exit(1 if differing or not same_losses else 0)


if __name__ == "__main__":
    main()
