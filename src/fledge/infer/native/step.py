"""One token for each of some rows through a decoder by ``step.cpp``: as ``Decoder.forward``, several times faster."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.infer.config import PRECISIONS, Precision
from fledge.infer.native.build import library
from fledge.infer.precision import quantised
from fledge.model.cache import KVCache
from fledge.model.decoder import Decoder
from fledge.model.mlp import SwiGLU
from fledge.types import FledgeError

LANES = 16
MLPS = ("swiglu", "relu2", "gelu")


class CLinear(Structure):
    _fields_ = (("weight", c_void_p), ("scale", c_void_p), ("bias", c_void_p), ("n", c_int32), ("k", c_int32))


class CNorm(Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p))


class CLayer(Structure):
    _fields_ = (
        *((name, CNorm) for name in ("before_attention", "before_mlp")),
        *((name, c_void_p) for name in ("q_norm", "k_norm")),
        *((name, CLinear) for name in ("qkv", "out", "up", "down")),
    )


class CModel(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("type", "mlp", "n_layers", "d_model", "n_heads", "n_kv_heads", "head_dim")),
        *((name, c_int32) for name in ("d_ff", "window")),
        ("eps", c_float),
        ("norm", CNorm),
        ("head", CLinear),
        ("layers", POINTER(CLayer)),
    )


class CStep(Structure):
    _fields_ = (
        ("rows", c_int32),
        *((name, c_void_p) for name in ("x", "cosine", "sine", "slot", "position", "keys", "values")),
        *((name, c_int64) for name in ("by_layer", "by_slot", "by_head", "by_position")),
        ("logits", c_void_p),
    )


def why_not(model: Decoder) -> str:
    """Why ``model`` cannot be run by the library on this machine, in a line; empty where it can."""
    c = model.config
    if os.environ.get("FLEDGE_NATIVE") == "0":
        return "switched off by FLEDGE_NATIVE=0"
    if model.device.type != "cpu":
        return f"the model is on {model.device.type}"
    if c.n_experts or c.value_embeddings or c.residual_lambdas:
        return "it knows no experts, value embeddings and residual lambdas"
    if c.head_dim % LANES:
        return f"heads of {c.head_dim} are no multiple of {LANES}"
    try:
        library()
    except FledgeError as error:
        return str(error)
    return ""


class NativeStep:
    """The weights of ``model``, packed for ``step.cpp`` in ``precision``; they do not follow the model's.

    ``embedding`` is the same model as it runs elsewhere: its embeddings are read where they are.
    """

    def __init__(self, model: Decoder, precision: Precision, embedding: Decoder) -> None:
        c = model.config
        self.model, self.precision = embedding, precision
        self.cache_dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self._kept: list[Any] = []
        self._layers = (CLayer * c.n_layers)(*(self._layer(block) for block in model.model.layers))
        self._model = CModel(
            PRECISIONS.index(precision),
            MLPS.index(c.mlp),
            *(c.n_layers, c.d_model, c.n_heads, c.n_kv_heads, c.head_dim, c.d_ff, c.sliding_window),
            c.norm_eps,
            self._norm(model.model.norm),
            self._linear(*_parts(model.lm_head)),
            self._layers,
        )

    @torch.inference_mode()
    def __call__(self, tokens: Sequence[int], positions: Sequence[int], slots: Sequence[int], cache: KVCache) -> Tensor:
        """Logits (B, V) float32 after one token of each row, whose keys and values go to these slots of ``cache``."""
        model, head = self.model, self._model.head
        assert cache.keys.dtype == self.cache_dtype and cache.keys.stride(4) == 1
        position = torch.tensor(positions)
        x = F.embedding(torch.tensor(tokens), model.model.embed_tokens.weight)
        if model.config.position == "learned":
            x = x + F.embedding(position, model.model.embed_positions.weight)
        x = x.float().contiguous()
        slot = torch.tensor(slots)
        logits = torch.empty(len(tokens), head.n)
        angles = model.angles(position[:, None], torch.float32)
        cosine, sine = angles if angles is not None else (None, None)
        layer, row, kv_head, place, _ = cache.keys.stride()
        step = CStep(
            len(tokens),
            *(_address(each) for each in (x, cosine, sine, slot, position, cache.keys, cache.values)),
            *(layer, row, kv_head, place),
            logits.data_ptr(),
        )
        team = c_void_p(_team(os.getpid(), torch.get_num_threads()))
        library().step(ctypes.byref(self._model), ctypes.byref(step), team)
        logits = logits[:, : model.config.vocab_size]
        cap = model.config.logit_softcap
        return cap * torch.tanh(logits / cap) if cap else logits

    def _layer(self, block: nn.Module) -> CLayer:
        attention: Any = block.self_attn
        mlp: Any = block.mlp
        up = _alternating(mlp.gate_proj, mlp.up_proj) if isinstance(mlp, SwiGLU) else _parts(mlp.up_proj)
        qkv = [attention.q_proj, attention.k_proj, attention.v_proj]
        return CLayer(
            self._norm(block.input_layernorm),
            self._norm(block.post_attention_layernorm),
            self._vector(getattr(attention.q_norm, "weight", None)),
            self._vector(getattr(attention.k_norm, "weight", None)),
            self._linear(*_joined(qkv)),
            self._linear(*_parts(attention.o_proj)),
            self._linear(*up),
            self._linear(*_parts(mlp.down_proj)),
        )

    def _norm(self, norm: Any) -> CNorm:
        return CNorm(self._vector(norm.weight), self._vector(getattr(norm, "bias", None)))

    def _linear(self, weight: Tensor, bias: Tensor | None) -> CLinear:
        scale: Tensor | None = None
        weight = _padded(weight, LANES, 2)
        if self.precision == "int8":
            scale, weight = quantised(weight)
        packed = packed_weight(weight.to(getattr(torch, self.precision)))
        self._kept.append(packed)
        n, k = weight.shape
        return CLinear(packed.data_ptr(), self._vector(scale), self._vector(bias, n), n, k)

    def _vector(self, values: Tensor | None, n: int = 0) -> int | None:
        if values is None:
            return None
        kept = F.pad(values.detach().float(), (0, max(0, n - len(values)))).contiguous().clone()
        self._kept.append(kept)
        return kept.data_ptr()


def packed_weight(weight: Tensor) -> Tensor:
    """``weight`` (n, k) in the order of ``Linear`` in step.cpp."""
    n, k = weight.shape
    if weight.dtype == torch.bfloat16:
        return weight.view(n // LANES, LANES, k // 2, 2).permute(0, 2, 1, 3).contiguous()
    return weight.view(n // LANES, LANES, k).permute(0, 2, 1).contiguous()


def _padded(weight: Tensor, rows: int, columns: int) -> Tensor:
    n, k = weight.shape
    return F.pad(weight.detach(), (0, -k % columns, 0, -n % rows)).contiguous()


def _parts(linear: Any) -> tuple[Tensor, Tensor | None]:
    return linear.weight, linear.bias


def _joined(linears: Sequence[Any]) -> tuple[Tensor, Tensor | None]:
    biases = [linear.bias for linear in linears if linear.bias is not None]
    return torch.cat([linear.weight for linear in linears]), torch.cat(biases) if biases else None


def _alternating(gate: Any, up: Any) -> tuple[Tensor, Tensor | None]:
    """Blocks of the gate's outputs and of those they multiply, in turn."""

    def woven(a: Tensor, b: Tensor) -> Tensor:
        blocks = [_padded(each.reshape(len(each), -1), LANES, 1).view(-1, LANES, each[0].numel()) for each in (a, b)]
        return torch.stack(blocks, dim=1).flatten(0, 2)

    weight = woven(gate.weight, up.weight)
    return weight, None if gate.bias is None else woven(gate.bias, up.bias).flatten()


def _address(values: Tensor | None) -> int | None:
    return None if values is None else values.data_ptr()


@lru_cache(maxsize=8)
def _team(process: int, n_threads: int) -> int:
    """Threads of this process: those of another do not come along when it is forked."""
    address = library().team(n_threads)
    assert isinstance(address, int)
    return address
