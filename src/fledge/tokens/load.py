"""Tokenizers from files: our own and any ``tokenizer.json``, GPT-2's pair of files, tiktoken's, sentencepiece's."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.run.files import read_json
from fledge.tokens.encoding import TokenizersEncoder
from fledge.tokens.huggingface import tokenizer_json
from fledge.tokens.render import Template
from fledge.tokens.sentencepiece import SPACE, vocabulary_and_encoder
from fledge.tokens.templates import ForeignTemplate, NoTemplate
from fledge.tokens.tokenizer import Tokenizer
from fledge.tokens.vocabulary import SPECIALS, Vocabulary, byte_alphabet, byte_level, trained
from fledge.types import FledgeError

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LOWER_WORD = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
_UPPER_WORD = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K_PATTERN = (
    rf"{_LOWER_WORD}{_CONTRACTION}|{_UPPER_WORD}{_CONTRACTION}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Split regex and special tokens as published with each vocabulary.
TIKTOKEN: dict[str, tuple[str, dict[str, int]]] = {
    "cl100k_base": (
        CL100K_PATTERN,
        {"<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260}
        | {"<|endofprompt|>": 100276},
    ),
    "o200k_base": (O200K_PATTERN, {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
}
TEMPLATE_NAME = "template.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", TEMPLATE_NAME)
_END_OF_TEXT = {"eos": "<|endoftext|>"}


def load_tokenizer(path: Path) -> Tokenizer:
    """Load by what the path is: a directory with ``tokenizer.json``, ``*.tiktoken``, ``*.model``, ``*.json``."""
    if path.is_dir():
        path = path / "tokenizer.json"
    if not path.is_file():
        raise FledgeError("no tokenizer there", where=str(path), fix="check the path, or run the tokenizer stage")
    if path.suffix == ".tiktoken":
        return load_tiktoken(path)
    if path.suffix == ".model":
        return load_sentencepiece(path)
    if path.suffix == ".bpe":
        return load_gpt2(_beside(path, "*encoder.json", "*vocab.json"), path)
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        return load_tokenizer_json(path)
    if isinstance(content, dict) and content and all(isinstance(index, int) for index in content.values()):
        return load_gpt2(path, _beside(path, "*.bpe", "*merges.txt"))
    raise FledgeError("is no tokenizer file that Fledge knows", where=str(path), fix="give a tokenizer.json")


def _beside(path: Path, *patterns: str) -> Path:
    for pattern in patterns:
        for found in sorted(path.parent.glob(pattern)):
            return found
    raise FledgeError(f"needs {' or '.join(patterns)} beside it", where=str(path), fix="put both files in one folder")


def load_gpt2(encoder_json: Path, vocab_bpe: Path) -> Tokenizer:
    """GPT-2's ``encoder.json`` (or ``vocab.json``) and ``vocab.bpe`` (or ``merges.txt``)."""
    byte_of = {character: byte for byte, character in byte_alphabet().items()}
    ids: dict[str, int] = read_json(encoder_json)
    lines = vocab_bpe.read_text(encoding="utf-8").splitlines()
    merges = [line.split() for line in lines if line and not line.startswith("#version")]
    special = {token: index for token, index in ids.items() if token.startswith("<|") and token.endswith("|>")}
    try:
        ranks = {bytes([byte_of[c] for c in token]): index for token, index in ids.items() if token not in special}
        order = [bytes([byte_of[c] for c in left + right]) for left, right in merges]
        agree = all(ranks[token] == 256 + k for k, token in enumerate(order)) and len(ranks) == 256 + len(order)
    except (KeyError, ValueError, TypeError):
        raise FledgeError("is not a byte-level vocabulary", where=str(encoder_json), fix="give GPT-2's files") from None
    if not agree:
        raise FledgeError(f"does not number the merges of {vocab_bpe.name} in order", where=str(encoder_json))
    roles = {role: name for role, name in _END_OF_TEXT.items() if name in special}
    return Tokenizer(byte_level(ranks, GPT2_PATTERN, special, roles))


def load_tiktoken(path: Path, name: str = "") -> Tokenizer:
    """A ``.tiktoken`` file: a base64 token and its rank a line. ``name`` (the file's, if empty) says which."""
    name = name or path.stem
    if name not in TIKTOKEN:
        raise FledgeError(
            f"the split regex of {name!r} is not known", where=str(path), fix=f"known: {', '.join(TIKTOKEN)}"
        )
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise FledgeError("is not a token and its rank", where=f"{path}, line {number}") from None
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise FledgeError("lacks single bytes", where=str(path), fix="download the file again")
    pattern, special = TIKTOKEN[name]
    return Tokenizer(byte_level(ranks, pattern, special, _END_OF_TEXT))


def load_sentencepiece(path: Path) -> Tokenizer:
    """Llama-2's ``tokenizer.model``."""
    vocabulary, inner = vocabulary_and_encoder(path)
    return Tokenizer(vocabulary, TokenizersEncoder(inner, vocabulary))


def load_tokenizer_json(path: Path) -> Tokenizer:
    """A ``tokenizer.json``: our own goes through the fast encoder, any other through ``tokenizers`` itself."""
    content = read_json(path)
    own = _own(content)
    if own is not None:
        return Tokenizer(own)
    import tokenizers

    try:
        inner = tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:
        raise FledgeError(f"tokenizers cannot read it ({error})", where=str(path)) from None
    vocabulary, template = with_template(_foreign(content, inner, path), path.with_name(TEMPLATE_NAME))
    return Tokenizer(vocabulary, TokenizersEncoder(inner, vocabulary), template)


def with_template(vocabulary: Vocabulary, path: Path) -> tuple[Vocabulary, Template | None]:
    """What an import wrote beside ``tokenizer.json``: roles, the template, and how many tokens the model has.

    Tokens that the model has beyond the tokenizer's stand for no text. Without that file none of it is known.
    """
    if not path.is_file():
        return vocabulary, None
    values = read_json(path)
    try:
        template = NoTemplate(values["why"]) if values["why"] else ForeignTemplate(**values["template"])
        unused = [b""] * (values["vocab_size"] - len(vocabulary.token_bytes))
        token_bytes = [*vocabulary.token_bytes, *unused]
        return replace(vocabulary, roles=dict(values["roles"]), token_bytes=token_bytes), template
    except (KeyError, TypeError) as error:
        raise FledgeError("does not describe a template", where=str(path), fix="import the model again") from error


def _own(content: Mapping[str, Any]) -> Vocabulary | None:
    """Our vocabulary, where writing it again gives this very content."""
    added = [token.get("content") for token in content.get("added_tokens") or []]
    vocab = content["model"].get("vocab")
    if tuple(added) != SPECIALS or not isinstance(vocab, dict):
        return None
    byte_of = {character: byte for byte, character in byte_alphabet().items()}
    try:
        tokens = [bytes([byte_of[c] for c in token]) for token in sorted(vocab, key=vocab.__getitem__)]
        vocabulary = trained(tokens)
    except (KeyError, AssertionError):
        return None
    return vocabulary if tokenizer_json(vocabulary) == content else None


def _foreign(content: Mapping[str, Any], inner: Any, path: Path) -> Vocabulary:
    """Token bytes of a byte-level BPE, or of one that falls back on bytes."""
    kinds = json.dumps([content.get("pre_tokenizer"), content.get("decoder")])
    fallback = bool(content["model"].get("byte_fallback"))
    if not fallback and '"ByteLevel"' not in kinds:
        raise FledgeError("is neither byte-level nor falls back on bytes", where=str(path), fix="choose another")
    byte_of = {character: byte for byte, character in byte_alphabet().items()}
    added = {token["content"]: token for token in content.get("added_tokens") or []}
    token_bytes = [b""] * (1 + max(inner.get_vocab(with_added_tokens=True).values()))
    for token, index in inner.get_vocab(with_added_tokens=True).items():
        if token in added:
            token_bytes[index] = token.encode("utf-8")
        elif not fallback:
            token_bytes[index] = bytes([byte_of[c] for c in token])
        elif len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            token_bytes[index] = bytes.fromhex(token[3:5])
        else:
            token_bytes[index] = token.replace(SPACE, " ").encode("utf-8")
    special = {name: token["id"] for name, token in added.items() if token["special"]}
    roles = _roles(path.with_name("tokenizer_config.json"), special)
    prefix = fallback and any(word in json.dumps(content) for word in ('"Prepend"', '"prepend_scheme": "always"'))
    return Vocabulary(token_bytes, special, roles, {}, dummy_prefix=prefix)


def _roles(config_path: Path, special: Mapping[str, int]) -> dict[str, str]:
    config = read_json(config_path) if config_path.is_file() else {}
    roles: dict[str, str] = {}
    for role in ("bos", "eos", "pad"):
        token = config.get(f"{role}_token")
        name = token.get("content") if isinstance(token, dict) else token
        if isinstance(name, str) and name in special:
            roles[role] = name
    if "eos" not in roles and _END_OF_TEXT["eos"] in special:
        roles |= _END_OF_TEXT
    return roles
