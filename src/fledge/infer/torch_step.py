"""One token of each row through a model by torch: as it comes, or as it was recorded for the same shape."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fledge.model.cache import KVCache
from fledge.model.decoder import Decoder

Replay = Callable[[], Tensor]
Record = Callable[[Replay], Replay]
"""Takes what computes a tensor from tensors that stay where they are; gives what computes it again from their values
of then."""

MOST_RECORDED = 128
"""Shapes that are kept recorded; the one that was not used for longest makes room."""
LEAST_LIMIT = 128


@dataclass(frozen=True)
class Shape:
    """``n_rows`` rows of the cache from ``first`` on are read where they lie; without ``first`` any, copied.

    ``n_outputs`` of them have logits, and ``limit`` positions are seen.
    """

    n_rows: int
    n_outputs: int
    limit: int
    first: int | None


class TorchStep:
    """Steps of ``model`` over ``cache``, whose last row is nobody's.

    With ``record`` a shape that comes again is recorded and from then on replayed. Numbers of rows and of positions
    are rounded up for that, so that there are few shapes; the rows too many store their tokens in the last row.
    """

    def __init__(self, model: Decoder, cache: KVCache, record: Record | None = None) -> None:
        self._model, self._cache, self._record = model, cache, record
        # what is recorded knows addresses alone: these tensors must outlive it
        self._weights = [] if record is None else [each.detach() for each in model.state_dict().values()]
        device = cache.keys.device
        self._inputs = torch.zeros(5 * cache.rows, dtype=torch.int64, device=device)
        n_logits = 0 if record is None else cache.rows - 1
        self._logits = torch.empty(n_logits, model.config.vocab_size, device=device)
        self._recorded: OrderedDict[Shape, Replay | None] = OrderedDict()

    def __call__(self, tokens: Sequence[int], positions: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Logits (B, V) after one token of each row, whose keys and values go to these slots of the cache.

        They are overwritten by the next step.
        """
        shape = self._shape(slots, max(positions) + 1)
        place = range(len(slots)) if shape.first is None else [slot - shape.first for slot in slots]
        inputs = np.zeros((5, shape.n_rows), dtype=np.int64)
        inputs[2:4] = self._cache.rows - 1
        inputs[:4, place] = tokens, positions, slots, slots
        inputs[4, : len(slots)] = place
        given = torch.from_numpy(inputs)
        if self._inputs.is_cuda:
            given = given.pin_memory()  # else the host would wait
        self._inputs_of(shape).copy_(given, non_blocking=True)
        return self._run(shape)[: len(slots)]

    def _inputs_of(self, shape: Shape) -> Tensor:
        """Tokens, positions, slots that are written, slots that are read, and whose logits: (5, n_rows)."""
        return self._inputs[: 5 * shape.n_rows].view(5, shape.n_rows)

    def _shape(self, slots: Sequence[int], limit: int) -> Shape:
        """Slots that lie between those asked for are read too, for nothing, so that none must be copied; not where
        they would be the greater part.
        """
        n_slots, first, n_rows = self._cache.rows - 1, min(slots), max(slots) + 1 - min(slots)
        n_outputs = len(slots)
        if self._record is not None:
            n_outputs, first, n_rows = rounded(n_outputs, n_slots), 0, rounded(max(slots) + 1, n_slots)
            limit = min(max(LEAST_LIMIT, 1 << (limit - 1).bit_length()), self._cache.capacity)
        if n_rows > 2 * len(slots):
            return Shape(n_outputs, n_outputs, limit, None)
        return Shape(n_rows, n_outputs if self._record is None else n_rows, limit, first)

    def _run(self, shape: Shape) -> Tensor:
        """The first step of a shape warms up, the second is recorded."""
        if self._record is None:
            return self._pass(shape)
        if shape not in self._recorded:
            self._recorded[shape] = None
            if len(self._recorded) > MOST_RECORDED:
                self._recorded.popitem(last=False)
            return self._pass(shape)
        self._recorded.move_to_end(shape)
        replay = self._recorded[shape] or self._recording(shape)
        return replay()

    def _recording(self, shape: Shape) -> Replay:
        """A replay of ``shape``, or what computes it where it cannot be recorded."""
        assert self._record is not None
        computed = partial(self._pass, shape)
        try:
            replay = self._record(computed)
        except RuntimeError as error:
            first = error.__context__ or error  # that of ending the recording hides why
            warnings.warn(f"some steps are not recorded, which makes them slower: {first}", stacklevel=2)
            replay = computed
        self._recorded[shape] = replay
        return replay

    def _pass(self, shape: Shape) -> Tensor:
        """Logits (n_outputs, V) of what ``_inputs`` holds; names no value, so that it can be recorded."""
        tokens, positions, write, read, order = self._inputs_of(shape)
        seen = read if shape.first is None else slice(shape.first, shape.first + shape.n_rows)
        cache = self._cache.split(write, seen, shape.limit)
        hidden = self._model(tokens[:, None], positions[:, None], cache=cache, output="hidden")
        logits = self._model.head(hidden[order[: shape.n_outputs], 0]).float()
        # all recorded steps leave them in one place
        return logits if self._record is None else self._logits[: shape.n_outputs].copy_(logits)


def rounded(n: int, most: int) -> int:
    """``n`` or at most half more, one of few numbers up to ``most``."""
    step = 1 << max(0, (n - 1).bit_length() - 2)
    return min(most, -(-n // step) * step)
