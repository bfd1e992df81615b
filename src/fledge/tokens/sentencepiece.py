"""Llama-2's ``tokenizer.model``: sentencepiece's protobuf with a BPE that falls back on bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.run.files import told
from fledge.tokens.vocabulary import Vocabulary
from fledge.types import FledgeError

SPACE = "\u2581"
BPE = 2
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class SentencePieceModel:
    """What the file holds of use: pieces with score and type, and how text is prepared."""

    pieces: list[tuple[str, float, int]]
    model_type: int
    byte_fallback: bool
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool
    normalizer: str


def read_model(path: Path) -> SentencePieceModel:
    """Read the protobuf. Raises FledgeError where the file is none, or is cut short."""
    with told(path):
        data = path.read_bytes()
    pieces: list[tuple[str, float, int]] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    try:
        for number, value in _fields(data):
            if number == 1:
                piece = dict(_fields(value))
                score = struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0
                pieces.append((piece[1].decode("utf-8"), score, piece.get(3, NORMAL)))
            elif number == 2:
                trainer = dict(_fields(value))
            elif number == 3:
                normalizer = dict(_fields(value))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error):
        raise FledgeError(
            "is not a whole sentencepiece model", where=str(path), fix="download tokenizer.model again"
        ) from None
    if not pieces:
        raise FledgeError("holds no sentencepiece pieces", where=str(path), fix="give a tokenizer.model")
    return SentencePieceModel(
        pieces,
        model_type=trainer.get(3, 1),
        byte_fallback=bool(trainer.get(35, 0)),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
        normalizer=normalizer.get(1, b"").decode("utf-8", "replace"),
    )


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of one protobuf message: varints as int, all else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
            if kind == 2:
                size, at = _varint(data, at)
            if size < 0 or at + size > len(data):
                raise ValueError("no such field")
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def vocabulary_and_encoder(path: Path) -> tuple[Vocabulary, Any]:
    """The vocabulary, and an object of ``tokenizers`` that gives the ids that sentencepiece gives."""
    model = read_model(path)
    if model.model_type != BPE or not model.byte_fallback or model.remove_extra_whitespaces:
        raise FledgeError("is not a BPE with byte fallback", where=str(path), fix="only Llama's kind can be loaded")
    return of_pieces(model.pieces, model.add_dummy_prefix)


def of_pieces(pieces: Sequence[tuple[str, float, int]], add_dummy_prefix: bool) -> tuple[Vocabulary, Any]:
    """The vocabulary and the ``tokenizers`` object of a BPE with byte fallback, from (piece, score, type) by id.

    sentencepiece merges the two neighbours whose joined piece has the best score, leftmost first; as a merge list
    this is every cut of every piece into two pieces, ordered by the piece's score.
    """
    import tokenizers
    from tokenizers import models, normalizers

    vocab = {piece: index for index, (piece, _, _) in enumerate(pieces)}
    rank = {
        piece: order
        for order, (_, piece) in enumerate(
            sorted((-score, piece) for piece, score, kind in pieces if kind == NORMAL and len(piece) > 1)
        )
    }
    merges = []
    for piece in sorted(rank, key=rank.__getitem__):
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = [cut for cut in cuts if cut[0] in vocab and cut[1] in vocab]
        merges += sorted(known, key=lambda cut: (vocab[cut[0]], vocab[cut[1]]))
    token_bytes, special = [], {}
    unknown = None
    for index, (piece, _, kind) in enumerate(pieces):
        byte = BYTE_PIECE.fullmatch(piece)
        if kind == BYTE and byte:
            token_bytes.append(bytes.fromhex(byte[1]))
        else:
            token_bytes.append(piece.replace(SPACE, " ").encode("utf-8"))
        if kind in (UNKNOWN, CONTROL):
            special[piece] = index
            unknown = piece if kind == UNKNOWN else unknown
    inner = tokenizers.Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    steps: list[Any] = [normalizers.Replace(" ", SPACE)]
    if add_dummy_prefix:
        steps.insert(0, normalizers.Prepend(SPACE))
    inner.normalizer = normalizers.Sequence(steps)
    roles = {role: name for role, name in (("bos", "<s>"), ("eos", "</s>")) if name in special}
    return Vocabulary(token_bytes, special, roles, {}, dummy_prefix=add_dummy_prefix), inner


def as_tokenizer_json(inner: Any, vocabulary: Vocabulary) -> str:
    """The content of a ``tokenizer.json`` that gives the ids of :func:`of_pieces`, with specials and decoder."""
    from tokenizers import AddedToken, Tokenizer, decoders, processors

    whole = Tokenizer.from_str(inner.to_str())
    whole.add_special_tokens([AddedToken(literal, normalized=False, special=True) for literal in vocabulary.special])
    steps: list[Any] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if vocabulary.dummy_prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    whole.decoder = decoders.Sequence(steps)
    if "bos" in vocabulary.roles:
        bos = vocabulary.roles["bos"]
        whole.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, vocabulary.special[bos])]
        )
    return whole.to_str(pretty=True)
