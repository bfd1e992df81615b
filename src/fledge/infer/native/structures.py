"""What ``decoder.cpp`` is given, as it is declared there."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p


class CLinear(Structure):
    _fields_ = (("weight", c_void_p), ("scale", c_void_p), ("bias", c_void_p), ("n", c_int32), ("k", c_int32))


class CNorm(Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p))


class CHeads(Structure):
    _fields_ = (*((name, c_int32) for name in ("n_heads", "n_kv_heads", "head_dim", "window")), ("eps", c_float))


class CLayer(Structure):
    _fields_ = (
        *((name, CNorm) for name in ("before_attention", "before_mlp")),
        *((name, c_void_p) for name in ("q_norm", "k_norm")),
        *((name, CLinear) for name in ("qkv", "out", "up", "down")),
    )


class CModel(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("type", "mlp", "n_layers", "d_model", "d_ff")),
        ("heads", CHeads),
        ("norm", CNorm),
        ("head", CLinear),
        ("layers", POINTER(CLayer)),
    )


class CCache(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("keys", "values")),
        *((name, c_int64) for name in ("by_layer", "by_slot", "by_head", "by_position")),
    )


class CAngles(Structure):
    _fields_ = (("cosine", c_void_p), ("sine", c_void_p))


class CStep(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("rows", "n_outputs")),
        ("x", c_void_p),
        ("angles", CAngles),
        *((name, c_void_p) for name in ("slot", "position", "output")),
        ("cache", CCache),
        ("logits", c_void_p),
    )


class CChunk(Structure):
    _fields_ = tuple((name, c_int64) for name in ("slot", "start", "row", "count"))
