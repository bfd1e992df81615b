"""Keys and values of tokens already read, so that generation reads each token once."""

from __future__ import annotations

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
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self._row = torch.arange(rows, device=device)[:, None]

    @property
    def rows(self) -> int:
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        return self.keys.shape[3]

    def write(self, layer: int, k: Tensor, v: Tensor, position_BT: Tensor, limit: int) -> tuple[Tensor, Tensor]:
        """Store ``k``, ``v`` (B, n_kv, T, d) at ``position_BT``; return the first ``limit`` positions of every row."""
        # Indices around a slice put the indexed dimensions first: (B, T, n_kv, d).
        self.keys[layer][self._row, :, position_BT] = k.transpose(1, 2)
        self.values[layer][self._row, :, position_BT] = v.transpose(1, 2)
        return self.keys[layer][:, :, :limit], self.values[layer][:, :, :limit]

    def select(self, rows: Tensor) -> None:
        """Keep the rows at these indices, in this order; an index may repeat (a shared prompt read once)."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
        self._row = torch.arange(len(rows), device=self.keys.device)[:, None]
