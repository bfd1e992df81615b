"""A tiny training that tests start in this process or in one that they kill."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from fledge.model.config import ModelConfig
from fledge.types import Batch

MODEL = ModelConfig(vocab_size=48, n_layers=2, d_model=32, n_heads=2, n_kv_heads=1, head_dim=16, d_ff=48)
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


def train(directory: Path, n_steps: int, callbacks=(), source=None, objective=None, tell=lambda line: None, **changes):
    from fledge.model.decoder import Decoder
    from fledge.train.loop import Trainer
    from fledge.train.objective import TokenCrossEntropy

    config = settings(**changes)
    trainer = Trainer(config, directory, n_steps=n_steps, tell=tell)
    models = {"policy": Decoder(MODEL, seed=config.seed)}
    return trainer.fit(models, source or CountingSource(), objective or TokenCrossEntropy(), callbacks)


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), **json.loads(sys.argv[3]))
