"""Files of karpathy/llama2.c: the first layout of its ``.bin`` (float32, no magic number) and ``tokenizer.bin``."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fledge.model.config import ModelConfig
from fledge.run.files import told
from fledge.tokens.sentencepiece import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, of_pieces
from fledge.tokens.vocabulary import Vocabulary
from fledge.types import FledgeError

HEADER = struct.Struct("<7i")
MAGIC = 0x616B3432
"""The later layouts begin with it."""
N_BYTES = 256
FIRST_BYTE = 3
"""Ids: unknown, bos, eos, then a token for each byte, then the learned ones."""


def read_model(path: Path) -> tuple[ModelConfig, int, dict[str, Tensor]]:
    """The sizes, the longest row, and the tensors under Fledge's names.

    Queries and keys are turned from llama2.c's layout, which rotates neighbouring pairs, to the half-split one.
    Raises FledgeError where the file is not of this layout or is cut short.
    """
    with told(path):
        data = path.read_bytes()
    if len(data) < HEADER.size:
        raise FledgeError(f"has {len(data)} bytes, too few for a llama2.c header", where=str(path))
    width, hidden, n_layers, n_heads, n_kv, vocab, length = HEADER.unpack_from(data)
    tied, vocab = vocab > 0, abs(vocab)
    if width == MAGIC:
        raise FledgeError("is of a later llama2.c layout", where=str(path), fix="export it with --version 0")
    plausible = all(0 < size < 2**24 for size in (width, hidden, n_layers, n_heads, n_kv, vocab, length))
    if not plausible or width % n_heads or n_heads % n_kv or width // n_heads % 2:
        raise FledgeError("is neither safetensors nor a llama2.c model", where=str(path))
    head = width // n_heads
    shapes = {
        "embed": (vocab, width),
        "input_layernorm": (n_layers, width),
        "self_attn.q_proj": (n_layers, width, width),
        "self_attn.k_proj": (n_layers, n_kv * head, width),
        "self_attn.v_proj": (n_layers, n_kv * head, width),
        "self_attn.o_proj": (n_layers, width, width),
        "post_attention_layernorm": (n_layers, width),
        "mlp.gate_proj": (n_layers, hidden, width),
        "mlp.down_proj": (n_layers, width, hidden),
        "mlp.up_proj": (n_layers, hidden, width),
        "norm": (width,),
        "angles": (2, length, head // 2),
    }
    if not tied:
        shapes["head"] = (vocab, width)
    expected = HEADER.size + 4 * sum(map(prod, shapes.values()))
    if len(data) != expected:
        what = "is cut short" if len(data) < expected else "is too long"
        raise FledgeError(f"{what}: {len(data)} bytes, its header tells of {expected}", where=str(path))
    numbers, at, parts = np.frombuffer(data, "<f4", offset=HEADER.size), 0, {}
    for name, shape in shapes.items():
        parts[name] = torch.from_numpy(numbers[at : at + prod(shape)].reshape(shape).copy())
        at += prod(shape)
    tensors = {"model.embed_tokens.weight": parts["embed"], "model.norm.weight": parts["norm"]}
    if not tied:
        tensors["lm_head.weight"] = parts["head"]
    for name in (name for name in shapes if name.endswith(("layernorm", "proj"))):
        for layer, tensor in enumerate(parts[name]):
            split = halves(tensor, head) if name.endswith(("q_proj", "k_proj")) else tensor
            tensors[f"model.layers.{layer}.{name}.weight"] = split.contiguous()
    config = ModelConfig(
        vocab_size=vocab,
        n_layers=n_layers,
        d_model=width,
        n_heads=n_heads,
        n_kv_heads=n_kv,
        head_dim=head,
        d_ff=hidden,
        norm_eps=1e-5,
        tie_embeddings=tied,
        qk_norm=False,
    )
    return config, length, tensors


def halves(weight: Tensor, head_dim: int) -> Tensor:
    """Rows of each head from pairs (0, 1), (2, 3), … to the two halves that Llama's files at Hugging Face have."""
    return weight.view(-1, head_dim // 2, 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def neighbours(weight: Tensor, head_dim: int) -> Tensor:
    """The inverse of :func:`halves`, as llama.cpp's ``llama`` wants it."""
    return weight.view(-1, 2, head_dim // 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def read_tokenizer(path: Path, vocab_size: int) -> tuple[Vocabulary, Any]:
    """The vocabulary of a ``tokenizer.bin`` and the ``tokenizers`` object that gives its ids."""
    with told(path):
        data = path.read_bytes()
    at, pieces = 4, []
    try:
        for index in range(vocab_size):
            score, size = struct.unpack_from("<fi", data, at)
            piece = data[at + 8 : at + 8 + size]
            if size < 0 or len(piece) < size:
                raise ValueError
            at += 8 + size
            text = piece.decode("utf-8")
            if index < FIRST_BYTE:
                pieces.append((("<unk>", "<s>", "</s>")[index], 0.0, UNKNOWN if index == 0 else CONTROL))
            elif index < FIRST_BYTE + N_BYTES:
                pieces.append((f"<0x{index - FIRST_BYTE:02X}>", 0.0, BYTE))
            else:
                pieces.append((text.replace(" ", SPACE), score, NORMAL))
    except (struct.error, ValueError):
        raise FledgeError(
            f"is no llama2.c tokenizer of {vocab_size} tokens", where=str(path), fix="give the model's own"
        ) from None
    if at != len(data):
        raise FledgeError(
            f"holds more than the model's {vocab_size} tokens", where=str(path), fix="give the model's own"
        )
    return of_pieces(pieces, add_dummy_prefix=True)
