"""What a tokenizer knows: its tokens as bytes, its split regex, its special tokens, its merges."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from fledge.tokens.config import N_SPECIAL

# Qwen2's split: contractions, words with one leading mark or space, single digits, punctuation, line ends, spaces.
# llama.cpp and vLLM know it by name; a regex of our own would be tokenised wrongly there, without a word.
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NAMED_SPECIALS = (
    "<|bos|>",
    "<|eos|>",
    "<|pad|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool_result|>",
    "<|end|>",
    "<|think|>",
    "<|/think|>",
    "<|tool_call|>",
    "<|/tool_call|>",
)
SPECIALS = NAMED_SPECIALS + tuple(f"<|reserved_{k}|>" for k in range(N_SPECIAL - len(NAMED_SPECIALS)))
FLEDGE_ROLES = {"bos": "<|bos|>", "eos": "<|eos|>", "pad": "<|pad|>", "end": "<|end|>"}


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """``token_bytes[id]`` is the token's bytes (a special's literal text; empty where an id is unused).

    ``ranks`` maps the bytes of every ordinary token of a byte-level BPE to its merge order, which is its id;
    it is empty for other kinds. ``roles`` names the specials that serve as ``bos``, ``eos``, ``pad``, ``end``.
    ``dummy_prefix``: encoding puts a space before the text and decoding takes it away (sentencepiece).
    """

    token_bytes: list[bytes]
    special: Mapping[str, int]
    roles: Mapping[str, str]
    ranks: Mapping[bytes, int]
    pattern: str = ""
    dummy_prefix: bool = False

    def fingerprint(self) -> str:
        """SHA-256 over all that decides the ids; shards carry it."""
        digest = hashlib.sha256(f"{self.pattern}\0{self.dummy_prefix}\0{sorted(self.special.items())}".encode())
        for token in self.token_bytes:
            digest.update(len(token).to_bytes(4, "little") + token)
        return digest.hexdigest()


def byte_level(
    ranks: Mapping[bytes, int], pattern: str, special: Mapping[str, int], roles: Mapping[str, str]
) -> Vocabulary:
    """The vocabulary of a byte-level BPE. ``ranks`` must hold all 256 single bytes."""
    assert all(bytes([byte]) in ranks for byte in range(256))
    size = 1 + max(max(ranks.values()), max(special.values(), default=0))
    token_bytes = [b""] * size
    for token, rank in ranks.items():
        token_bytes[rank] = token
    for literal, index in special.items():
        token_bytes[index] = literal.encode("utf-8")
    return Vocabulary(token_bytes, dict(special), dict(roles), dict(ranks), pattern)


def trained(tokens: list[bytes]) -> Vocabulary:
    """The vocabulary of our own tokenizer: ``tokens`` in merge order, then the 16 specials."""
    ranks = {token: rank for rank, token in enumerate(tokens)}
    special = {literal: len(tokens) + k for k, literal in enumerate(SPECIALS)}
    return byte_level(ranks, QWEN2_PATTERN, special, FLEDGE_ROLES)


def byte_alphabet() -> dict[int, str]:
    """The printable character that stands for each byte in GPT-2's and Hugging Face's byte-level files."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in printable}
    for n, byte in enumerate(byte for byte in range(256) if byte not in table):
        table[byte] = chr(256 + n)
    return table


def merge_pairs(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merge list that gives the same ids as ``ranks`` does.

    A rank says only which bytes a merge makes; a merge list says from which two parts. All cuts of a token into
    two tokens are listed, so that any of them merges, as it does by rank.
    """
    pairs: list[tuple[bytes, bytes]] = []
    for token in sorted(ranks, key=ranks.__getitem__):
        places = range(1, len(token))
        known = [(token[:at], token[at:]) for at in places if token[:at] in ranks and token[at:] in ranks]
        pairs += sorted(known, key=lambda cut: (ranks[cut[0]], ranks[cut[1]])) if len(known) > 1 else known
    return pairs


def merge(piece: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    """Plain byte-pair merging of one piece, lowest rank first; slow, for checks and short pieces."""
    parts = [piece[at : at + 1] for at in range(len(piece))]
    while len(parts) > 1:
        best, where = min((ranks.get(parts[i] + parts[i + 1], 1 << 62), i) for i in range(len(parts) - 1))
        if best == 1 << 62:
            break
        parts[where : where + 2] = [parts[where] + parts[where + 1]]
    return parts
