"""Batches on their way from numpy to the device, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import torch

from fledge.types import Batch, FledgeError


class Source(Protocol):
    """Where batches come from. For data on disk ``batch`` is a pure function of the step."""

    def batch(self, step: int) -> Batch:
        """The numpy batch of step ``step`` (0 is the first)."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def micro_batches(batch: Batch, rows: int) -> Iterator[Batch]:
    """Cut a batch into pieces of ``rows`` rows; rows of one group stay together or the cut is refused."""
    n = len(batch.tokens)
    if n % rows:
        raise FledgeError(f"pieces of {rows} rows do not divide a batch of {n}", where="micro_batch_rows")
    for start in range(0, n, rows):
        if start and batch.group is not None and batch.group[start] == batch.group[start - 1]:
            raise FledgeError(f"row {start} belongs to the group before it", where="micro_batch_rows")
        yield _map(batch, lambda array, at=start: array[at : at + rows])


def share(batch: Batch, rank: int, size: int) -> Batch:
    """The rows of process ``rank`` of ``size``: a slice of the batch, in order; no group may be cut."""
    return batch if size == 1 else list(micro_batches(batch, len(batch.tokens) // size))[rank]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch as tensors: whole numbers as int64, all others as float32."""

    def move(array: Any) -> torch.Tensor:
        array = np.asarray(array)
        dtype = np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32
        return torch.from_numpy(np.array(array, dtype=dtype, order="C")).to(device)

    return _map(batch, move)


def _map(batch: Batch, change: Any) -> Batch:
    values: dict[str, Any] = {}
    for item in fields(batch):
        value = getattr(batch, item.name)
        if item.name == "streams":
            values[item.name] = {name: change(array) for name, array in value.items()}
        else:
            values[item.name] = None if value is None else change(value)
    return Batch(**values)
