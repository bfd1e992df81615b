"""A decoder on a CPU by ``decoder.cpp``: as ``Decoder.forward`` with a cache, several times faster.

Single tokens go through the whole model in the library; longer texts through torch's products of large matrices, with
the library between them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from ctypes import byref, c_float, c_int64, c_void_p
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.infer.config import PRECISIONS, Precision
from fledge.infer.native.build import library
from fledge.infer.native.packing import LANES, alternating, joined_maps, packed_weight, padded
from fledge.infer.native.products import MLPS, ROUNDED_BLOCK, address, padded_rows, torch_products, whole_products
from fledge.infer.native.structures import CAngles, CCache, CChunk, CHeads, CLayer, CLinear, CModel, CNorm, CStep
from fledge.infer.native.team import team
from fledge.infer.precision import quantised
from fledge.model.cache import KVCache
from fledge.model.decoder import Decoder
from fledge.model.mlp import SwiGLU
from fledge.types import FledgeError


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


class NativeDecoder:
    """The weights of ``model`` in ``precision``, packed for ``decoder.cpp``; they do not follow the model's.

    ``placed`` is the same model as it runs elsewhere (:func:`fledge.infer.precision.at_precision`): the products of
    longer texts and the embeddings read its weights where they are.
    """

    def __init__(self, model: Decoder, precision: Precision, placed: Decoder) -> None:
        c = model.config
        self.model, self.precision = placed, precision
        self.dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self.whole = precision == "int8" and bool(library().multiplies_whole_numbers())
        self._kept: list[Any] = []
        self._turned: tuple[Tensor, Tensor] | None = None
        self._layers = (CLayer * c.n_layers)(*(self._layer(block) for block in model.model.layers))
        self._heads = CHeads(c.n_heads, c.n_kv_heads, c.head_dim, c.sliding_window, c.norm_eps)
        self._model = CModel(
            PRECISIONS.index(precision),
            MLPS.index(c.mlp),
            *(c.n_layers, c.d_model, c.d_ff),
            self._heads,
            self._norm(model.model.norm),
            self._linear(model.lm_head.weight, model.lm_head.bias),
            self._layers,
        )
        self._products = [
            whole_products(layer, c) if self.whole else torch_products(block, c)
            for layer, block in zip(self._layers, placed.model.layers, strict=True)
        ]

    @torch.inference_mode()
    def step(
        self, texts: Sequence[Sequence[int]], starts: Sequence[int], slots: Sequence[int], cache: KVCache
    ) -> Tensor:
        """Logits (B, V) float32 after the last tokens of short ``texts``, of one token mostly.

        Each text continues, from position ``starts[i]`` on, what slot ``slots[i]`` of ``cache`` holds.
        """
        tokens, position, slot = _together(texts, starts, slots)
        output = torch.tensor(list(itertools.accumulate(map(len, texts)))) - 1
        x = self._embedded(tokens, position)
        logits = torch.empty(len(texts), self._model.head.n)
        step = CStep(
            *(len(tokens), len(texts)),
            x.data_ptr(),
            self._angles(cache.capacity),
            *(slot.data_ptr(), position.data_ptr(), output.data_ptr()),
            self._cache(cache),
            logits.data_ptr(),
        )
        library().step(byref(self._model), byref(step), team())
        return self._capped(logits)

    @torch.inference_mode()
    def head(self, states_BD: Tensor) -> Tensor:
        """Logits (B, V) float32 of a few of the states that :meth:`read` gives."""
        states = states_BD.contiguous()
        logits = torch.empty(len(states), self._model.head.n)
        library().head(byref(self._model), address(states), len(states), address(logits), team())
        return self._capped(logits)

    def _capped(self, logits: Tensor) -> Tensor:
        logits = logits[:, : self.model.config.vocab_size]
        cap = self.model.config.logit_softcap
        return cap * torch.tanh(logits / cap) if cap else logits

    @torch.inference_mode()
    def read(
        self, texts: Sequence[Sequence[int]], starts: Sequence[int], slots: Sequence[int], cache: KVCache
    ) -> Tensor:
        """Normalised last states (N, D) of all tokens of ``texts``, one after another.

        Each text continues, from position ``starts[i]`` on, what slot ``slots[i]`` of ``cache`` holds.
        """
        c, library_, threads = self.model.config, library(), team()
        counts = [len(text) for text in texts]
        rows = [sum(counts[:i]) for i in range(len(counts))]
        chunks = (CChunk * len(texts))(*(CChunk(*each) for each in zip(slots, starts, rows, counts, strict=True)))
        tokens, position, _ = _together(texts, starts, slots)
        x = self._embedded(tokens, position)
        n_tokens, stored, angles = len(tokens), self._cache(cache), self._angles(cache.capacity)
        kind = self._model.type

        def empty(width: int) -> Tensor:
            made = torch.empty(n_tokens if self.whole else padded_rows(n_tokens), width, dtype=self.dtype)
            made[n_tokens:] = 0
            return made

        h, mixed = empty(c.d_model), empty(c.n_heads * c.head_dim)

        def normalise(addend: Tensor | None, norm: CNorm) -> None:
            args = (c_float(c.norm_eps), n_tokens, c.d_model, address(h), threads)
            library_.normalise(kind, address(x), address(addend), byref(norm), *args)

        normalise(None, self._layers[0].before_attention)
        for number, (products, layer) in enumerate(zip(self._products, self._layers, strict=True)):
            qkv, out, activated, down = products
            given = qkv(h)
            norms = (c_void_p(layer.q_norm), c_void_p(layer.k_norm))
            place = (c_int64(number), chunks, len(texts), address(given), address(mixed), threads)
            library_.attend_chunks(kind, byref(self._heads), *norms, byref(angles), byref(stored), *place)
            normalise(out(mixed), layer.before_mlp)
            hidden = activated(h)
            following = self._layers[number + 1].before_attention if number + 1 < c.n_layers else self._model.norm
            normalise(down(hidden), following)
        return h[:n_tokens]

    def _embedded(self, tokens: Tensor, position: Tensor) -> Tensor:
        """The embedded tokens (N, D) in float32."""
        body = self.model.model
        x = F.embedding(tokens, body.embed_tokens.weight)
        if self.model.config.position == "learned":
            x = x + F.embedding(position, body.embed_positions.weight)
        return x.float()

    def _angles(self, n_positions: int) -> CAngles:
        """Of the first ``n_positions``, made once."""
        if self._turned is None or len(self._turned[0]) < n_positions:
            angles = self.model.angles(torch.arange(n_positions)[:, None], torch.float32)
            if angles is None:
                return CAngles()
            self._turned = angles
        return CAngles(*(address(each) for each in self._turned))

    def _cache(self, cache: KVCache) -> CCache:
        assert cache.keys.dtype == self.dtype and cache.keys.stride() == cache.values.stride()
        layer, slot, head, position, one = cache.keys.stride()
        assert one == 1
        return CCache(cache.keys.data_ptr(), cache.values.data_ptr(), layer, slot, head, position)

    def _layer(self, block: nn.Module) -> CLayer:
        attention: Any = block.self_attn
        mlp: Any = block.mlp
        (qkv, qkv_bias), (up, up_bias) = joined_maps(block)
        if isinstance(mlp, SwiGLU):
            up, up_bias = alternating(up), None if up_bias is None else alternating(up_bias[:, None])[:, 0]
        return CLayer(
            self._norm(block.input_layernorm),
            self._norm(block.post_attention_layernorm),
            self._vector(getattr(attention.q_norm, "weight", None)),
            self._vector(getattr(attention.k_norm, "weight", None)),
            self._linear(qkv, qkv_bias),
            self._linear(attention.o_proj.weight, attention.o_proj.bias),
            self._linear(up, up_bias),
            self._linear(mlp.down_proj.weight, mlp.down_proj.bias),
        )

    def _norm(self, norm: Any) -> CNorm:
        return CNorm(self._vector(norm.weight), self._vector(getattr(norm, "bias", None)))

    def _linear(self, weight: Tensor, bias: Tensor | None) -> CLinear:
        scale: Tensor | None = None
        weight = padded(weight.detach(), LANES, ROUNDED_BLOCK if self.whole else 2)
        if self.precision == "int8":
            scale, weight = quantised(weight)
        packed = packed_weight(
            weight.add_(128).to(torch.uint8) if self.whole else weight.to(getattr(torch, self.precision))
        )
        self._kept.append(packed)
        n, k = weight.shape
        return CLinear(packed.data_ptr(), self._vector(scale), self._vector(bias, n), n, k)

    def _vector(self, values: Tensor | None, n: int = 0) -> int | None:
        if values is None:
            return None
        kept = F.pad(values.detach().float(), (0, max(0, n - len(values)))).contiguous().clone()
        self._kept.append(kept)
        return kept.data_ptr()


def _together(texts: Sequence[Sequence[int]], starts: Sequence[int], slots: Sequence[int]) -> Tensor:
    """Of all tokens, one text after another: which they are, their positions, and their slots; (3, N)."""
    if len(texts) < sum(map(len, texts)):
        slots = [slot for text, slot in zip(texts, slots, strict=True) for _ in text]
        starts = [start + i for text, start in zip(texts, starts, strict=True) for i in range(len(text))]
    return torch.tensor([[token for text in texts for token in text], starts, slots])
