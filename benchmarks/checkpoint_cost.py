"""What checkpoints cost: the same training without any, with checkpoints in the foreground and in the background.

    python benchmarks/checkpoint_cost.py [--depth 4] [--steps 500] [--rounds 2] [--threads 0] [--json FILE]

The three run in turns, each round in a fresh process, at the default interval (every 250 steps and at powers of two).
``share`` is the wall time beyond that of the training without checkpoints, over the whole; ``waited_share`` is the
time in which the training itself stood still for them. The last checkpoint, which any training writes, is in both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

VOCAB_SIZE = 4096
CHANGES: dict[str, dict[str, Any]] = {
    "none": {"checkpoint_every": 0, "log_spaced_checkpoints": False},
    "foreground": {"background_checkpoints": False},
    "background": {},
}
TRAINING = """
import json, sys, time
from pathlib import Path
import numpy as np
from fledge.run.events import read_events
from fledge.train.config import PretrainConfig
from fledge.train.loop import Trainer
from fledge.train.objective import TokenCrossEntropy
from fledge.model.decoder import Decoder
from fledge.types import Batch

class Noise:
    def __init__(self, rows, context, vocab):
        self.shape, self.vocab = (rows, context), vocab
    def batch(self, step):
        tokens = np.random.default_rng(step).integers(0, self.vocab, (self.shape[0], self.shape[1] + 1))
        zero = np.zeros(self.shape, dtype=np.int32)
        position = np.broadcast_to(np.arange(self.shape[1], dtype=np.int32), self.shape)
        return Batch(tokens[:, :-1], tokens[:, 1:], np.ones(self.shape, dtype=np.float32), position, zero)
    def state_dict(self):
        return {}
    def load_state_dict(self, state):
        pass

out, vocab, n_steps, given = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
config = PretrainConfig(**given)
model = Decoder(config.model_config(vocab))
times = []
source = Noise(config.batch_rows, config.context_length, vocab)
trainer = Trainer(config, out, n_steps=n_steps, tell=lambda line: print(line, file=sys.stderr))
trainer.fit({"policy": model}, source, TokenCrossEntropy(), [lambda state: times.append(time.perf_counter())])
events = list(read_events(out / "events.jsonl", "checkpoint"))
print(json.dumps({
    "wall_seconds": time.perf_counter() - times[0],
    "step_seconds": sum(e["seconds"] for e in read_events(out / "events.jsonl", "step")),
    "waited_seconds": sum(e["waited_seconds"] for e in events),
    "checkpoints": len(events),
    "checkpoint_bytes": max(e["n_bytes"] for e in events),
}))
"""


def train(kind: str, settings: dict[str, Any], n_steps: int, hardware: Path) -> dict[str, Any]:
    """One training in a fresh process; the choice of the first is that of all."""
    with tempfile.TemporaryDirectory() as folder:
        if hardware.exists():
            Path(folder, "hardware.json").write_bytes(hardware.read_bytes())
        given = json.dumps({**settings, **CHANGES[kind]})
        command = [sys.executable, "-c", TRAINING, folder, str(VOCAB_SIZE), str(n_steps), given]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        hardware.write_bytes(Path(folder, "hardware.json").read_bytes())
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    settings = {
        "depth": arguments.depth,
        "threads": arguments.threads,
        "batch_tokens": arguments.batch_tokens,
        "compile": "off",
    }
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in CHANGES}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for kind, results in runs.items():
                results.append(train(kind, settings, arguments.steps, Path(folder, "hardware.json")))
                print(kind, json.dumps(results[-1]), file=sys.stderr, flush=True)
    wall = {kind: statistics.median(each["wall_seconds"] for each in results) for kind, results in runs.items()}
    told = {
        kind: {
            "wall_seconds": round(wall[kind], 2),
            "share": round(1 - wall["none"] / wall[kind], 4),
            "waited_share": round(
                statistics.median(each["waited_seconds"] / each["wall_seconds"] for each in results), 4
            ),
            "checkpoints": results[0]["checkpoints"],
        }
        for kind, results in runs.items()
    }
    body = {
        **settings,
        "steps": arguments.steps,
        "rounds": arguments.rounds,
        "checkpoint_bytes": runs["background"][0]["checkpoint_bytes"],
        "kinds": told,
        "runs": runs,
    }
    text = json.dumps(body, indent=2)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
