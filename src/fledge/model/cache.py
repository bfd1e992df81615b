"""Keys and values of tokens already read, so that generation reads each token once."""

from __future__ import annotations

import copy
import itertools
import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

from fledge.model.config import ModelConfig


class KVCache:
    """Pre-allocated keys and values, (rows, n_kv_heads, capacity, head_dim) for each layer.

    Rows are independent: each token is stored at its own position of its row, and a query sees the stored positions
    up to its own. Rows of different lengths therefore lie side by side, all beginning at position 0. What padding
    stored beyond the end of a short row is never seen: the row's next token overwrites a position before it looks.
    """

    def __init__(
        self,
        config: ModelConfig,
        rows: int,
        capacity: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (config.n_layers, rows, config.n_kv_heads, capacity, config.head_dim)
        # zeros, because what is masked is still multiplied by 0
        self.keys, self.values = (_zeros(shape, dtype, torch.device(device)) for _ in range(2))
        self.limit: int | None = None
        self._write: Tensor = torch.arange(rows, device=device)[:, None]
        self._read: slice | Tensor = slice(0, rows)

    @property
    def rows(self) -> int:
        return len(self._write)

    @property
    def capacity(self) -> int:
        return self.keys.shape[3]

    def of(self, rows: Sequence[int], limit: int | None = None) -> KVCache:
        """These rows in this order, in the same memory; rows that follow each other are read without a copy.

        ``limit`` is how many positions of a row are seen at most. Without it the tokens' positions tell, for which
        the host waits for the device.
        """
        chosen = torch.tensor(list(rows), device=self.keys.device)
        follow = all(b == a + 1 for a, b in itertools.pairwise(rows))
        return self.split(chosen, slice(rows[0], rows[-1] + 1) if follow else chosen, limit)

    def split(self, write_B: Tensor, read: slice | Tensor, limit: int | None) -> KVCache:
        """As :meth:`of`, but tokens are stored in the rows ``write_B`` while they see what lies in the rows ``read``.

        A row that nobody asked for can be read where it lies between others and leave its own token elsewhere.
        """
        part = copy.copy(self)
        part._write, part._read, part.limit = write_B[:, None], read, limit
        return part

    def write(self, layer: int, k: Tensor, v: Tensor, position_BT: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Store ``k``, ``v`` (B, n_kv, T, d) at ``position_BT``; return the first ``limit`` positions of every row."""
        # Indices around a slice put the indexed dimensions first: (B, T, n_kv, d).
        self.keys[layer][self._write, :, position_BT] = k.transpose(1, 2)
        self.values[layer][self._write, :, position_BT] = v.transpose(1, 2)
        return self.keys[layer][:, :, :limit][self._read], self.values[layer][:, :, :limit][self._read]

    @torch.inference_mode()
    def copy_row(self, source: int, target: int, start: int, stop: int) -> None:
        """Copy what ``source`` holds at positions ``start:stop`` to the same positions of ``target``."""
        for stored in (self.keys, self.values):
            stored[:, target, :, start:stop] = stored[:, source, :, start:stop]

    @torch.inference_mode()
    def clear_row(self, row: int) -> None:
        """Zeros, because what is masked is still multiplied by 0: what is no number would stay so."""
        self.keys[:, row] = 0
        self.values[:, row] = 0


def _zeros(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros. On a CPU as the system maps them, by small pages that take memory only once they are written: torch writes
    all, and numpy asks for pages of 2 MiB.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if device.type != "cpu" or not n_bytes or not hasattr(mmap, "MAP_PRIVATE"):
        return torch.zeros(tuple(shape), dtype=dtype, device=device)
    memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(memory, dtype=torch.uint8).view(dtype).view(tuple(shape))
