"""Learning-rate schedules, as factors of the highest rate. Standard library only."""

from __future__ import annotations

import math


def cosine(step: int, n_steps: int, *, warmup: int, final: float) -> float:
    """Linear warm-up over ``warmup`` steps, then half a cosine from 1 down to ``final`` at ``n_steps``."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min(1.0, (step - warmup) / max(1, n_steps - warmup))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def warmup_steps(wanted: int, n_steps: int) -> int:
    """The warm-up that a recipe names, but no more than a tenth of a run that is shorter than the recipe's."""
    return min(wanted, n_steps // 10)
