"""The learning rate over a run: it rises, stays, falls (warm-up, stable, decay; Hu et al., arXiv 2404.06395)."""

from __future__ import annotations


def learning_rate_factor(step: int, n_steps: int, *, warmup: float, decay: float, final: float) -> float:
    """What the highest learning rate is multiplied by at ``step`` (0 is the first of ``n_steps``).

    ``warmup`` and ``decay`` are shares of the run; both ramps are linear. The first step already learns, and the last
    one has exactly ``final`` where there is a decay at all. A pure function: a resumed run needs no scheduler state.
    """
    assert 0 <= step < n_steps
    n_warmup, n_decay = round(warmup * n_steps), round(decay * n_steps)
    if step < n_warmup:
        return (step + 1) / (n_warmup + 1)
    if step >= n_steps - n_decay:
        return final + (1.0 - final) * (n_steps - 1 - step) / n_decay
    return 1.0
