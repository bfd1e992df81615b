"""Products of many rows with the matrices of a block: by oneDNN, or by the library as whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_void_p
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.infer.native.build import library
from fledge.infer.native.packing import joined_maps, of_map
from fledge.infer.native.structures import CLayer, CLinear
from fledge.infer.native.team import team
from fledge.model.config import ModelConfig

MLPS = ("swiglu", "relu2", "gelu")
MANY_ROWS = 512
"""Rows that oneDNN's order of the weights is made for."""
ROUNDED_BLOCK = 32
"""Inputs with one scale, where whole numbers are multiplied."""
Products = tuple[Callable[[Tensor], Tensor], ...]
"""What a block makes of many rows: queries, keys and values; of what the heads gathered; the hidden layer; of that."""


def torch_products(block: nn.Module, config: ModelConfig) -> Products:
    attention: Any = block.self_attn
    mlp: Any = block.mlp
    qkv, up = (Product(*each) for each in joined_maps(block))
    out, down = (Product(*of_map(each)) for each in (attention.o_proj, mlp.down_proj))

    def activated(x: Tensor) -> Tensor:
        wide, hidden = up(x), torch.empty(len(x), config.d_ff, dtype=x.dtype)
        kind = (int(x.dtype != torch.float32), MLPS.index(config.mlp))
        library().activate(*kind, address(wide), len(x), config.d_ff, address(hidden), team())
        return hidden

    return qkv, out, activated, down


def whole_products(layer: CLayer, config: ModelConfig) -> Products:
    """By the library, which rounds what is multiplied to whole numbers too."""

    def through(map_: CLinear, n: int, mlp: int = -1) -> Callable[[Tensor], Tensor]:
        def product(x: Tensor) -> Tensor:
            made = torch.empty(len(x), n, dtype=x.dtype)
            library().multiply_rows(byref(map_), mlp, address(x), *x.shape, n, address(made), team())
            return made

        return product

    n_qkv = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim
    return (
        through(layer.qkv, n_qkv),
        through(layer.out, config.d_model),
        through(layer.up, config.d_ff, MLPS.index(config.mlp)),
        through(layer.down, config.d_model),
    )


class Product:
    """``x @ weight.T + bias`` for many rows, by oneDNN with weights in its own order, where torch has it.

    For float32 torch would call MKL, which is less than half as fast on some processors.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.bias = bias
        self.packs = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, MANY_ROWS) if self.packs else weight

    def __call__(self, x: Tensor) -> Tensor:
        if self.packs:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return F.linear(x, self.weight, self.bias)


def padded_rows(n: int) -> int:
    """``n`` and at most a quarter more, one of few numbers: oneDNN keeps memory for every number of rows it has met."""
    step = next((most // 8 for most in (64, 128, 256, 512) if n <= most), 128)
    return -(-n // step) * step


def address(values: Tensor | None) -> c_void_p:
    return c_void_p(None if values is None else values.data_ptr())
