"""A tokenizer as GGUF holds it: token texts, types, merges or scores, and the name of its pre-tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fledge.release.recognise import template_text
from fledge.run.files import read_json
from fledge.tokens.huggingface import chat_template, tokenizer_json
from fledge.tokens.load import CL100K_PATTERN, GPT2_PATTERN, O200K_PATTERN
from fledge.tokens.vocabulary import FLEDGE_ROLES, QWEN2_PATTERN
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.release.exporting import Shipped

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
PRE_TOKENIZERS = {QWEN2_PATTERN: "qwen2", CL100K_PATTERN: "llama-bpe", GPT2_PATTERN: "gpt-2", O200K_PATTERN: "gpt-4o"}
"""Split regexes that llama.cpp knows, by its names; with another it would tokenise wrongly without a word."""


@dataclass(frozen=True)
class TokenFields:
    """The fields of ``tokenizer.ggml``."""

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    add_bos: bool = False
    add_space_prefix: bool = False
    chat_template: str = ""

    def write(self, writer: Any) -> None:
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.scores:
            writer.add_token_scores(self.scores)
            writer.add_add_space_prefix(self.add_space_prefix)
        else:
            writer.add_token_merges(self.merges)
        for role, add in (
            ("bos", writer.add_bos_token_id),
            ("eos", writer.add_eos_token_id),
            ("end", writer.add_eot_token_id),
            ("pad", writer.add_pad_token_id),
        ):
            if role in self.ids:
                add(self.ids[role])
        writer.add_add_bos_token(self.add_bos)
        writer.add_add_eos_token(False)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def token_fields(shipped: Shipped) -> TokenFields:
    """Raises FledgeError for a tokenizer that llama.cpp does not know."""
    tokenizer = shipped.tokenizer
    own = tokenizer.vocabulary.roles == FLEDGE_ROLES
    where = shipped.tokenizer_files / "tokenizer.json"
    content = tokenizer_json(tokenizer.vocabulary) if own else read_json(where)
    vocab, added = content["model"]["vocab"], content.get("added_tokens") or []
    fallback = bool(content["model"].get("byte_fallback"))
    size = shipped.config.vocab_size
    tokens, types = [f"[UNUSED{index}]" for index in range(size)], [UNUSED] * size
    for token, index in vocab.items():
        byte = fallback and len(token) == 6 and token.startswith("<0x")
        tokens[index], types[index] = token, BYTE if byte else NORMAL
    for entry in added:
        tokens[entry["id"]] = entry["content"]
        types[entry["id"]] = CONTROL if entry["special"] else USER_DEFINED
    unknown = content["model"].get("unk_token")
    if unknown in vocab:
        types[vocab[unknown]] = UNKNOWN
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in content["model"]["merges"]]
    common: dict[str, Any] = {
        "tokens": tokens,
        "types": types,
        "ids": shipped.token_ids,
        "add_bos": bool(tokenizer.opening),
        "chat_template": _template(shipped, own),
    }
    if fallback:
        return TokenFields(
            "llama",
            "default",
            scores=_scores(tokens, merges),
            add_space_prefix=tokenizer.vocabulary.dummy_prefix,
            **common,
        )
    return TokenFields(
        "gpt2", _pre_tokenizer(content, str(where)), merges=[" ".join(pair) for pair in merges], **common
    )


def _template(shipped: Shipped, own: bool) -> str:
    if shipped.kind == "base":
        return ""
    return chat_template() if own else template_text(shipped.tokenizer_files)


def _scores(tokens: list[str], merges: list[list[str]]) -> list[float]:
    """llama.cpp merges the two neighbours whose joined piece scores best: earlier merges score higher."""
    rank: dict[str, int] = {}
    for pair in merges:
        rank.setdefault("".join(pair), len(rank))
    return [-float(rank.get(token, len(rank))) for token in tokens]


def _pre_tokenizer(content: dict[str, Any], where: str) -> str:
    if content.get("normalizer") not in (None, {"type": "NFC"}):
        raise FledgeError(
            "the tokenizer normalises text in a way that llama.cpp does not", where=where, fix="use --to hf"
        )
    steps = content.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    patterns = [step["pattern"].get("Regex", "") for step in steps if step.get("type") == "Split"]
    plain = [step for step in steps if step.get("type") == "ByteLevel" and step.get("use_regex", True)]
    if plain and not patterns and not plain[0].get("add_prefix_space"):
        return "gpt-2"
    known = PRE_TOKENIZERS.get(patterns[0]) if len(patterns) == 1 and len(steps) == 2 and not plain else None
    if known is None:
        raise FledgeError(
            "llama.cpp knows no pre-tokenizer that splits text like this one",
            where=where,
            fix=f"known are {', '.join(sorted(PRE_TOKENIZERS.values()))}; use --to hf",
        )
    return known
