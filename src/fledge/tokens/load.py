"""Tokenizers from files: our own and any ``tokenizer.json``, GPT-2's pair of files, tiktoken's, sentencepiece's."""

from __future__ import annotations

import base64
import binascii
import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.run.files import read_json
from fledge.tokens.encoding import TokenizersEncoder
from fledge.tokens.huggingface import tokenizer_json
from fledge.tokens.render import Template
from fledge.tokens.sentencepiece import BYTE_PIECE, SPACE, vocabulary_and_encoder
from fledge.tokens.templates import FAMILIES, ForeignTemplate, NoTemplate
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
MAX_VOCABULARY = 2**24
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
    with _without_collection():
        content = read_json(path)
        _check_added(content, path)
        own = _own(content)
    if own is not None:
        return Tokenizer(own)
    named = _named_roles(path.with_name("tokenizer_config.json"))
    for token in content.get("added_tokens") or []:
        # what begins or ends texts is special wherever the file's own mark is forgotten, else a user could write it
        token["special"] = token["special"] or token["content"] in named.values()
    import tokenizers

    try:
        inner = tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:
        raise FledgeError(f"tokenizers cannot read it ({error})", where=str(path)) from None
    vocabulary, template = with_template(_foreign(content, inner, path), path.with_name(TEMPLATE_NAME))
    return Tokenizer(vocabulary, TokenizersEncoder(inner, vocabulary), template)


@contextmanager
def _without_collection() -> Iterator[None]:
    """The collector of garbage would look through a vocabulary's hundred thousands of small objects while it is read,
    which takes several times as long as reading it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def with_template(vocabulary: Vocabulary, path: Path) -> tuple[Vocabulary, Template | None]:
    """What an import wrote beside ``tokenizer.json``: roles, the template, and how many tokens the model has.

    Tokens that the model has beyond the tokenizer's stand for no text. Without that file none of it is known.
    """
    if not path.is_file():
        return vocabulary, None
    values = read_json(path)
    try:
        why, size, roles = values["why"], values["vocab_size"], dict(values["roles"])
        template = NoTemplate(why) if why else ForeignTemplate(**values["template"])
        known = isinstance(why, str) and isinstance(size, int) and size <= MAX_VOCABULARY
        known = (
            known and roles.keys() <= {"bos", "eos", "pad", "end"} and set(roles.values()) <= set(vocabulary.special)
        )
        if isinstance(template, ForeignTemplate):
            known = known and template.family in FAMILIES and template.end in vocabulary.special
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise FledgeError(
            "does not describe a template for this tokenizer", where=str(path), fix="import the model again"
        )
    unused = [b""] * (size - len(vocabulary.token_bytes))
    return replace(vocabulary, roles=roles, token_bytes=[*vocabulary.token_bytes, *unused]), template


def _check_added(content: Any, path: Path) -> None:
    added = content.get("added_tokens") or []
    kinds = {"content": str, "id": int, "special": bool}
    if not isinstance(added, list) or not all(
        isinstance(token, dict) and all(isinstance(token.get(name), kind) for name, kind in kinds.items())
        for token in added
    ):
        raise FledgeError("added_tokens do not each have content, id and special", where=str(path))


def _own(content: Mapping[str, Any]) -> Vocabulary | None:
    """Our vocabulary, where writing it again gives this very content."""
    added = [token.get("content") for token in content.get("added_tokens") or []]
    vocab = content["model"].get("vocab")
    if tuple(added) != SPECIALS or not isinstance(vocab, dict):
        return None
    byte_of = {ord(character): byte for byte, character in byte_alphabet().items()}
    try:
        tokens = [token.translate(byte_of).encode("latin-1") for token in sorted(vocab, key=vocab.__getitem__)]
        vocabulary = trained(tokens)
    except (UnicodeEncodeError, AssertionError):
        return None
    return vocabulary if tokenizer_json(vocabulary) == content else None


def _foreign(content: Mapping[str, Any], inner: Any, path: Path) -> Vocabulary:
    """Token bytes of a byte-level BPE, or of one that falls back on bytes."""
    fallback = falls_back(content)
    if not fallback and not _is_byte_level(content):
        raise FledgeError("is neither byte-level nor falls back on bytes", where=str(path), fix="choose another")
    byte_of = {character: byte for byte, character in byte_alphabet().items()}
    added = {token["content"]: token for token in content.get("added_tokens") or []}
    ids = inner.get_vocab(with_added_tokens=True)
    size = 1 + max(ids.values(), default=0)
    if size > MAX_VOCABULARY:
        raise FledgeError(f"numbers its tokens up to {size - 1}, at most {MAX_VOCABULARY} are read", where=str(path))
    token_bytes = [b""] * size
    for token, index in ids.items():
        byte = BYTE_PIECE.fullmatch(token)
        if token in added:
            token_bytes[index] = token.encode("utf-8")
        elif not fallback:
            if not all(character in byte_of for character in token):
                raise FledgeError(f"the token {token!r} stands for no bytes", where=str(path), fix="choose another")
            token_bytes[index] = bytes([byte_of[c] for c in token])
        elif byte:
            token_bytes[index] = bytes.fromhex(byte[1])
        else:
            token_bytes[index] = token.replace(SPACE, " ").encode("utf-8")
    special = {name: token["id"] for name, token in added.items() if token["special"]}
    roles = _roles(path.with_name("tokenizer_config.json"), special)
    return Vocabulary(token_bytes, special, roles, {}, dummy_prefix=fallback and _puts_blank_before(content))


def _is_byte_level(content: Mapping[str, Any]) -> bool:
    return '"ByteLevel"' in json.dumps([content.get("pre_tokenizer"), content.get("decoder")])


def falls_back(content: Mapping[str, Any]) -> bool:
    """Whether tokens are text, with bytes for what no token holds; byte-level files may set the switch without use."""
    return bool(content["model"].get("byte_fallback")) and not _is_byte_level(content)


def _puts_blank_before(content: Mapping[str, Any]) -> bool:
    """Whether a text begins with a blank that is not its own: in every stretch of it, or in the first alone."""
    normal, before = content.get("normalizer") or {}, content.get("pre_tokenizer") or {}
    for step in [normal, *normal.get("normalizers", ()), before, *before.get("pretokenizers", ())]:
        always = "always" if step.get("add_prefix_space", True) else "never"
        if step.get("type") == "Prepend":
            return True
        if step.get("type") == "Metaspace" and step.get("prepend_scheme", always) != "never":
            return True
    return False


def _roles(config_path: Path, special: Mapping[str, int]) -> dict[str, str]:
    roles = {role: name for role, name in _named_roles(config_path).items() if name in special}
    if "eos" not in roles and _END_OF_TEXT["eos"] in special:
        roles |= _END_OF_TEXT
    return roles


def _named_roles(config_path: Path) -> dict[str, str]:
    """The tokens that ``tokenizer_config.json`` names as ``bos``, ``eos`` and ``pad``."""
    config = read_json(config_path) if config_path.is_file() else {}
    if not isinstance(config, dict):
        raise FledgeError("is no table", where=str(config_path), fix="fetch it again")
    roles: dict[str, str] = {}
    for role in ("bos", "eos", "pad"):
        token = config.get(f"{role}_token")
        name = token.get("content") if isinstance(token, dict) else token
        if isinstance(name, str):
            roles[role] = name
    return roles
