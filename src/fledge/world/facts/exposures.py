"""How often the training documents tell each fact."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fledge.world.world import World


def count_exposures(world: World, n_documents: int | None = None) -> Counter[str]:
    """Tellings of each fact (by key) in the first ``n_documents`` training documents, or in all: an exact count."""
    counts = Counter(dict.fromkeys(world.universe.facts, 0))
    for index in range(world.n_documents() if n_documents is None else n_documents):
        if world.kind(index)[0] != "stories":
            counts.update(world.document(index).meta["facts"])
    return counts


def expected_exposures(world: World, n_sample: int = 4000) -> float:
    """Mean tellings a fact in all training documents, estimated from the first ``n_sample``."""
    counts = count_exposures(world, n_sample)
    return sum(counts.values()) / len(counts) * world.n_documents() / n_sample
