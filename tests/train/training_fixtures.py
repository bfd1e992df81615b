"""A tiny training that tests start in this process or in one that they kill."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from fledge.model.config import ModelConfig
from fledge.types import Batch

# 49 and 47 rows are shared unevenly by two processes
MODEL = ModelConfig(vocab_size=49, n_layers=2, d_model=32, n_heads=2, n_kv_heads=1, head_dim=16, d_ff=47)
ROWS, CONTEXT = 8, 16


class CountingSource:
    """Rows of counting upwards from a random start, in two documents; a pure function of the step."""

    def batch(self, step: int) -> Batch:
        generator = np.random.default_rng(step)
        start = generator.integers(0, 48, (ROWS, 1))
        tokens = (start + np.arange(CONTEXT + 1)) % 48
        weight = (generator.random((ROWS, CONTEXT)) < 0.8).astype(np.float32)
        position = np.broadcast_to(np.arange(CONTEXT) % 9, (ROWS, CONTEXT)).astype(np.int32)
        document = np.broadcast_to(np.arange(CONTEXT) // 9, (ROWS, CONTEXT)).astype(np.int32)
        return Batch(tokens[:, :-1].astype(np.int32), tokens[:, 1:].astype(np.int32), weight, position, document)

    def state_dict(self):
        return {"source": "counting"}

    def load_state_dict(self, state):
        assert state == self.state_dict()


def settings(**changes):
    from fledge.train.config import TrainConfig

    config = TrainConfig(
        context_length=CONTEXT,
        batch_tokens=ROWS * CONTEXT,
        precision="fp32",
        compile="off",
        attention="products",
        threads=1,
        device="cpu",
        checkpoint_every=4,
        micro_batch_rows=4,
    )
    return replace(config, **changes)


def train(
    directory: Path,
    n_steps: int,
    callbacks=(),
    source=None,
    objective=None,
    tell=lambda line: None,
    sizes=None,
    **changes,
):
    from fledge.model.decoder import Decoder
    from fledge.train.loop import Trainer
    from fledge.train.objective import TokenCrossEntropy

    config = settings(**changes)
    trainer = Trainer(config, directory, n_steps=n_steps, tell=tell)
    models = {"policy": Decoder(replace(MODEL, **(sizes or {})), seed=config.seed)}
    return trainer.fit(models, source or CountingSource(), objective or TokenCrossEntropy(), callbacks)


class TwoPartLoss:
    """An objective with counts and weights of its own: cross-entropy per learned token, a penalty per row."""

    terms: ClassVar = {"loss": 1.0, "penalty": 0.01}

    def counts(self, batch: Batch) -> dict[str, float]:
        return {
            "loss": float(batch.weight.sum()),
            "penalty": float(len(batch.tokens)),
            "seen": float(batch.weight.size),
        }

    def __call__(self, models, batch):
        from fledge.train.objective import cross_entropy

        logits = models["policy"](batch.tokens, batch.position, batch.document)
        loss, normaliser = cross_entropy(logits, batch.targets)
        row = normaliser.mean(dim=1).square()
        return {"loss": (loss * batch.weight).sum(), "penalty": row.sum(), "seen": batch.weight.sum()}


def balanced():
    """The token loss with one that spreads tokens over experts, heavy enough to be seen."""
    from fledge.train.objective import TokenCrossEntropy

    return TokenCrossEntropy(balance=1.0)


class Hanging(CountingSource):
    """The second of two processes never gets batch 6."""

    def batch(self, step: int) -> Batch:
        if step == 6 and os.environ.get("RANK") == "1":
            time.sleep(600)
        return super().batch(step)


class Dying(CountingSource):
    """The second of two processes is killed as it fetches batch 6."""

    def batch(self, step: int) -> Batch:
        if step == 6 and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step)


class Asked(CountingSource):
    """The second of two processes, and it alone, gets the signal of Slurm as it fetches batch 6."""

    def batch(self, step: int) -> Batch:
        if step == 6 and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGUSR1)
        return super().batch(step)


class AskedAlone(CountingSource):
    """The only process gets the signal as it fetches batch 6."""

    def batch(self, step: int) -> Batch:
        if step == 6:
            os.kill(os.getpid(), signal.SIGUSR1)
        return super().batch(step)


def named(name: str):
    """A source or an objective by the name of its class."""
    from fledge.train.objective import TokenCrossEntropy

    return {**globals(), "TokenCrossEntropy": TokenCrossEntropy}[name]()


def changed(values: dict) -> dict:
    """Changes of the settings from what JSON holds."""
    from fledge.optim.config import OptimConfig

    return {name: OptimConfig(**value) if name == "optim" else value for name, value in values.items()}


def main() -> int:
    """``training_fixtures.py DIRECTORY STEPS SETTINGS [SOURCE [OBJECTIVE]] …``: one training after the other.

    As one of several processes or alone. Gives 0, or what the last one ended with.
    """
    from fledge.types import FledgeError

    status = 0
    for job in " ".join(sys.argv[1:]).split(" / "):
        directory, n_steps, settings_, *names = job.split(" ")
        try:
            arguments = [named(name) for name in names]
            train(Path(directory), int(n_steps), (), *arguments, **changed(json.loads(settings_)))
            status = 0
        except FledgeError as error:
            print(f"process {os.environ.get('RANK', 0)}: {error}", file=sys.stderr)
            status = getattr(error, "exit_code", 2)
    return status


if __name__ == "__main__":
    from fledge.run.ranks import leave

    leave(main())
