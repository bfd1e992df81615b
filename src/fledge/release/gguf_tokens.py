"""A tokenizer as GGUF holds it: token texts, types, merges or scores, and the name of its pre-tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fledge.run.files import read_json
from fledge.tokens.huggingface import tokenizer_json
from fledge.tokens.load import CL100K_PATTERN, GPT2_PATTERN, O200K_PATTERN, falls_back
from fledge.tokens.sentencepiece import BYTE_PIECE, SPACE
from fledge.tokens.vocabulary import QWEN2_PATTERN
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
    own = shipped.own_tokenizer
    where = shipped.tokenizer_files / "tokenizer.json"
    content = tokenizer_json(tokenizer.vocabulary) if own else read_json(where)
    fallback = falls_back(content)
    _check_model(content["model"], str(where))
    pre = "default" if fallback else _pre_tokenizer(content, str(where))
    if fallback:
        _check_blanks(content, str(where))
    vocab, added = content["model"]["vocab"], content.get("added_tokens") or []
    size = shipped.config.vocab_size
    tokens, types = [f"[UNUSED{index}]" for index in range(size)], [UNUSED] * size
    for token, index in vocab.items():
        byte = fallback and BYTE_PIECE.fullmatch(token)
        tokens[index], types[index] = token, BYTE if byte else NORMAL
    for entry in added:
        tokens[entry["id"]] = entry["content"]
        types[entry["id"]] = CONTROL if entry["content"] in tokenizer.special else USER_DEFINED
    unknown = content["model"].get("unk_token")
    if unknown in vocab:
        types[vocab[unknown]] = UNKNOWN
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in content["model"]["merges"]]
    common: dict[str, Any] = {
        "tokens": tokens,
        "types": types,
        "ids": shipped.token_ids,
        "add_bos": bool(tokenizer.opening),
        "chat_template": shipped.chat_template,
    }
    if fallback:
        return TokenFields(
            "llama",
            pre,
            scores=_scores(tokens, merges),
            add_space_prefix=tokenizer.vocabulary.dummy_prefix,
            **common,
        )
    return TokenFields("gpt2", pre, merges=[" ".join(pair) for pair in merges], **common)


def _scores(tokens: list[str], merges: list[list[str]]) -> list[float]:
    """llama.cpp merges the two neighbours whose joined piece scores best: earlier merges score higher."""
    rank: dict[str, int] = {}
    for pair in merges:
        rank.setdefault("".join(pair), len(rank))
    return [-float(rank.get(token, len(rank))) for token in tokens]


def _unlike(what: str, where: str, fix: str = "use --to hf") -> FledgeError:
    return FledgeError(f"{what}, which llama.cpp would do otherwise", where=where, fix=fix)


def _check_model(model: dict[str, Any], where: str) -> None:
    kind = model.get("type", "BPE")
    if kind != "BPE":
        raise _unlike(f"the tokenizer is of the kind {kind}", where)
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise _unlike(f"the tokenizer's merges have a {name}", where)


def _shown(steps: list[dict[str, Any]]) -> str:
    return ", ".join(str(step.get("type")) for step in steps) or "nothing"


def _check_blanks(content: dict[str, Any], where: str) -> None:
    """A BPE with byte fallback may write blanks as U+2581, with or without one before a text, and do nothing else."""
    normal, before = content.get("normalizer") or {}, content.get("pre_tokenizer") or {}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prepend = {"type": "Prepend", "prepend": SPACE}
    steps = normal.get("normalizers", [normal] if normal else [])
    kind = (before.get("type"), before.get("replacement"), before.get("split", True))
    written = steps in ([replace], [prepend, replace]) and not before
    if not written and (steps or kind != ("Metaspace", SPACE, False)):
        raise _unlike(f"the tokenizer prepares text by {_shown(steps + ([before] if before else []))}", where)


def _pre_tokenizer(content: dict[str, Any], where: str) -> str:
    """llama.cpp's name for how a byte-level tokenizer splits text. It leaves out NFC, which few texts need."""
    if content.get("normalizer") not in (None, {"type": "NFC"}):
        raise _unlike(f"the tokenizer normalises text by {content['normalizer'].get('type')}", where)
    steps = content.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps] if steps else [])
    *splits, last = steps or [{}]
    level = last.get("type") == "ByteLevel" and not last.get("add_prefix_space")
    if level and not splits and last.get("use_regex", True):
        return "gpt-2"
    known = None
    if level and len(splits) == 1 and not last.get("use_regex", True):
        split = splits[0]
        if (split.get("type"), split.get("behavior"), split.get("invert", False)) == ("Split", "Isolated", False):
            known = PRE_TOKENIZERS.get(split["pattern"].get("Regex", ""))
    if known is None:
        raise FledgeError(
            f"llama.cpp knows no pre-tokenizer that splits text like this one ({_shown(steps)})",
            where=where,
            fix=f"known are {', '.join(sorted(PRE_TOKENIZERS.values()))}; use --to hf",
        )
    return known
