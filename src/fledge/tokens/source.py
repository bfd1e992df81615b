"""The source of training batches from token shards: a pure function of (plan hash, seed, step)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fledge.tokens.mixture import capped_shares, deal, permuted
from fledge.tokens.plan import empty_batch, plan_rows
from fledge.tokens.shards import ShardSet
from fledge.types import Batch, FledgeError


class RowSource:
    """Batches of ``batch_rows`` packed rows of ``context`` tokens, drawn from ``shards`` (name → shards).

    ``mixture`` gives the shares of tokens by name (none: by size). With ``n_steps``, no source is repeated more
    than ``max_repetition`` times over the training; ``notes`` says in lines which shares that changed. Each source
    is walked in a new order every epoch. ``fill=False`` keeps sequences that fit in a row whole (conversations).
    The state is what must not change between two processes of one training; where it does, ``load_state_dict``
    raises FledgeError.
    """

    def __init__(
        self,
        shards: Mapping[str, ShardSet],
        *,
        context: int,
        batch_rows: int,
        seed: int = 0,
        mixture: Mapping[str, float] | None = None,
        max_repetition: float = 4.0,
        n_steps: int | None = None,
        fill: bool = True,
    ) -> None:
        if context < 1 or batch_rows < 1:
            raise FledgeError(f"context and batch_rows must be at least 1, got {context} and {batch_rows}")
        _same_tokenizer(shards)
        self.context, self.batch_rows, self.seed = context, batch_rows, seed
        self.shards = dict(shards)
        plans = {name: plan_rows(part, context, fill=fill) for name, part in shards.items()}
        sizes = {name: plan.n_rows * context for name, plan in plans.items()}
        total = None if n_steps is None else n_steps * batch_rows * context
        self.shares, self.notes = capped_shares(sizes, mixture or {}, total, max_repetition)
        self.plans = {name: plan for name, plan in plans.items() if name in self.shares}
        self._names = list(self.shares)
        described = json.dumps([[name, self.plans[name].hash, self.shares[name]] for name in self._names])
        self.plan_hash = hashlib.sha256(f"{described} {context} {batch_rows}".encode()).hexdigest()

    @property
    def n_rows(self) -> int:
        """Rows in one pass over every source."""
        return sum(plan.n_rows for plan in self.plans.values())

    @property
    def n_tokens(self) -> int:
        """Targets in one pass over every source; padding is not counted."""
        return sum(plan.n_targets for plan in self.plans.values())

    @property
    def n_learned(self) -> int:
        """Targets of weight 1 in one pass over every source."""
        return sum(plan.shards.n_learned for plan in self.plans.values())

    @property
    def padding(self) -> float:
        """Share of slots without a target in one pass over every source."""
        return 1 - self.n_tokens / (self.n_rows * self.context)

    def epochs(self, n_steps: int) -> dict[str, float]:
        """How many times each source is seen in ``n_steps``."""
        drawn = n_steps * self.batch_rows
        return {name: drawn * self.shares[name] / self.plans[name].n_rows for name in self._names}

    def batch(self, step: int, policy: object = None) -> Batch:
        """The batch of ``step`` (from 0): arrays (batch_rows, context). Needs no earlier step."""
        numbers = step * self.batch_rows + np.arange(self.batch_rows, dtype=np.int64)
        which, counts = deal(numbers, [self.shares[name] for name in self._names])
        batch = empty_batch(self.batch_rows, self.context)
        for index, name in enumerate(self._names):
            places = np.flatnonzero(which == index)
            if len(places):
                self.plans[name].read_into(batch, places, self._shuffled(name, counts[places]))
        return batch

    def _shuffled(self, name: str, counts: np.ndarray) -> np.ndarray:
        """Row numbers of source ``name`` for its rows drawn ``counts``-th."""
        size = self.plans[name].n_rows
        epochs, within = counts // size, counts % size
        rows = np.empty_like(within)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            rows[here] = permuted(within[here], size, f"{self.seed} {epoch} {name}")
        return rows

    def rows(self, name: str, start: int, stop: int) -> Batch:
        """Rows ``start`` to ``stop`` of one source in the order of its plan, as for evaluation."""
        return self.plans[name].read(np.arange(start, min(stop, self.plans[name].n_rows)))

    def state_dict(self) -> dict[str, Any]:
        return {"plan_hash": self.plan_hash, "seed": self.seed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, what in (("plan_hash", "data, its mixture or the batch size"), ("seed", "data seed")):
            if state.get(name) != self.state_dict()[name]:
                raise FledgeError(
                    f"the {what} changed since the checkpoint", fix="restore the settings, or start a new run"
                )


def _same_tokenizer(shards: Mapping[str, ShardSet]) -> None:
    made_with = {part.tokenizer: name for name, part in shards.items()}
    if len(made_with) > 1:
        raise FledgeError(
            f"sources {' and '.join(sorted(made_with.values()))} were tokenised with different tokenizers",
            fix="run the tokens stage again",
        )
