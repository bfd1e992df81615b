"""Others' weights into a directory that Fledge talks to, measures, tunes and trains further."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fledge.infer.load import IMPORT_NAME
from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config, write_config
from fledge.model.targets import OWN, target_of
from fledge.model.weights import check_weights, own_names, target_names
from fledge.release import llama2c
from fledge.release.files import PICKLES, SUPPORTED, WHOLE, read_weights, refuse_pickle
from fledge.release.recognise import TEMPLATE_FILE, plain_template, recognise, template_text
from fledge.run.files import atomic_directory, read_json, write_json, write_text
from fledge.tokens.huggingface import tokenizer_config, write_tokenizer
from fledge.tokens.load import TEMPLATE_NAME, load_tokenizer
from fledge.tokens.sentencepiece import as_tokenizer_json, vocabulary_and_encoder
from fledge.tokens.templates import Family
from fledge.tokens.tokenizer import Tokenizer
from fledge.tokens.vocabulary import FLEDGE_ROLES, Vocabulary
from fledge.train.checkpoint import save_tensors
from fledge.types import FledgeError

HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt"]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Source:
    """A model as it was found: its sizes, its longest row, its tensors under Fledge's names, and ``config.json``."""

    config: ModelConfig
    context_length: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]
    format: str


def import_model(
    source: str, out: Path, *, tokenizer: Path | None = None, template: Family | None = None
) -> dict[str, Any]:
    """Read the model at ``source`` (a directory, a llama2.c file, a name on the hub) and write ``out``, whole or not.

    ``tokenizer`` replaces what lies beside the weights; a base model without a chat template of its own is given that
    of the family ``template``, to be tuned with. Returns what is written to ``import.json``: where it came
    from, its architecture, whether it can chat and, if not, why. Raises FledgeError for what cannot be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FledgeError("is there already", where=str(out), fix="choose another directory with --out")
    path = located(source)
    found = read_llama2c(path) if path.is_file() else read_directory(path)
    check_weights(found.config, found.tensors, str(path))
    with atomic_directory(out) as temporary:
        beside = tokenizer or (beside_llama2c(path) if path.is_file() else path)
        try:
            told = _write_tokenizer(beside, temporary, found, template)
        except FledgeError as error:  # the files are read where they were copied to
            where = error.where.replace(str(temporary), str(beside))
            raise FledgeError(error.what, where=where, fix=error.fix) from error
        tensors = target_names(found.tensors, found.config)
        save_tensors(tensors, temporary / WHOLE)
        written = load_tokenizer(temporary)
        roles = written.vocabulary.roles
        ends = {role: written.special[roles[role]] for role in ("bos", "eos", "pad") if role in roles}
        values = write_config(found.config, context_length=found.context_length, **ends)
        kinds = {tensor.dtype for tensor in tensors.values()}
        kind = str(kinds.pop() if len(kinds) == 1 else torch.float32).removeprefix("torch.")
        write_json(temporary / "config.json", {**values, "dtype": kind, "torch_dtype": kind})
        about = {"source": source, "format": found.format, "architecture": target_of(found.config) or OWN, **told}
        write_json(temporary / IMPORT_NAME, about)
    return {**about, "n_parameters": found.config.n_parameters, "context_length": found.context_length}


def located(source: str) -> Path:
    """The path that ``source`` names; what is no path and looks like a name on the hub is fetched from there."""
    path = Path(source).expanduser()
    if path.exists():
        return path
    if not _HUB_NAME.fullmatch(source):
        raise FledgeError(
            "is not there", where=source, fix="give a directory, a llama2.c file, or OWNER/NAME on the hub"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FledgeError(
            "fetching from the hub needs huggingface_hub", fix='install it with: pip install "fledge[release]"'
        ) from None
    try:
        # read here, because the client reads its environment once, when it is first imported
        cache, endpoint = os.environ.get("HF_HUB_CACHE"), os.environ.get("HF_ENDPOINT")
        return Path(snapshot_download(source, allow_patterns=HUB_FILES, cache_dir=cache, endpoint=endpoint))
    except Exception as error:  # the client wraps network, rights and names in many kinds of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FledgeError(f"cannot be fetched from the hub ({reason})", where=source) from error


def read_directory(path: Path) -> Source:
    """A model as Hugging Face's libraries store it."""
    if not (path / "config.json").is_file():
        names = ", ".join(sorted(each.name for each in path.iterdir())[:5]) or "nothing"
        raise FledgeError(f"holds no config.json, only {names}", where=str(path), fix=f"supported are {SUPPORTED}")
    values = read_json(path / "config.json")
    if not isinstance(values, dict):
        raise FledgeError("is no table", where=str(path / "config.json"))
    if values.get("quantization_config"):
        raise FledgeError("quantised weights are not supported", where=str(path / "config.json"))
    config = read_config(values, str(path / "config.json"))
    tensors = own_names(read_weights(path))
    if config.tie_embeddings:
        head = tensors.pop("lm_head.weight", None)
        embedding = tensors.get("model.embed_tokens.weight")
        if head is not None and (embedding is None or not torch.equal(head.float(), embedding.float())):
            raise FledgeError(
                "tie_word_embeddings is true and the weights hold an lm_head that is not the embedding",
                where=str(path),
                fix="set tie_word_embeddings to false in config.json where the head is meant to be its own",
            )
    length = values.get("max_position_embeddings") or config.max_positions or 2048
    return Source(config, int(length), tensors, values, "huggingface")


def read_llama2c(path: Path) -> Source:
    """A llama2.c model; another file is refused by what it is."""
    if path.suffix == ".safetensors":
        raise FledgeError("is one file of a model", where=str(path), fix=f"give its directory, {path.parent}")
    if path.suffix in PICKLES and path.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x04"):
        raise refuse_pickle(path)
    config, length, tensors = llama2c.read_model(path)
    return Source(config, length, tensors, {}, "llama2.c")


def beside_llama2c(path: Path) -> Path:
    """The tokenizer of a llama2.c model: ``NAME_tok512.bin``, ``tok512.bin`` or ``tokenizer.bin`` in its folder."""
    size = abs(llama2c.HEADER.unpack_from(path.read_bytes()[: llama2c.HEADER.size])[5])
    for name in (f"{path.stem}_tok{size}.bin", f"tok{size}.bin", "tokenizer.bin"):
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise FledgeError("has no tokenizer.bin beside it", where=str(path), fix="name one with --tokenizer")


def _write_tokenizer(source: Path, out: Path, found: Source, family: Family | None) -> dict[str, Any]:
    """Write the tokenizer's files; returns ``kind``, ``template`` and ``why`` for ``import.json``."""
    if source.is_file() and source.suffix == ".bin":
        vocabulary, inner = llama2c.read_tokenizer(source, found.config.vocab_size)
        _write_pieces(vocabulary, inner, out)
    elif source.is_file() and source.name == "tokenizer.json":
        shutil.copyfile(source, out / "tokenizer.json")
    elif (source / "tokenizer.json").is_file():
        for name in ("tokenizer.json", "tokenizer_config.json", TEMPLATE_FILE, TEMPLATE_NAME):
            if (source / name).is_file():
                shutil.copyfile(source / name, out / name)
    elif (model := source if source.suffix == ".model" else source / "tokenizer.model").is_file():
        vocabulary, inner = vocabulary_and_encoder(model)
        _write_pieces(vocabulary, inner, out)
        if (source / "tokenizer_config.json").is_file():
            shutil.copyfile(source / "tokenizer_config.json", out / "tokenizer_config.json")
    elif (source / "vocab.json").is_file() and (source / "merges.txt").is_file():
        write_tokenizer(load_tokenizer(source / "vocab.json").vocabulary, out)
    else:
        raise FledgeError(
            "holds no tokenizer.json, tokenizer.model or vocab.json with merges.txt",
            where=str(source),
            fix="name the tokenizer with --tokenizer",
        )
    tokenizer = load_tokenizer(out)
    if tokenizer.vocab_size > found.config.vocab_size:
        raise FledgeError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model {found.config.vocab_size}",
            where=str(source),
            fix="give the tokenizer that the model was trained with (--tokenizer)",
        )
    return _write_template(out, tokenizer, found, family)


def _write_pieces(vocabulary: Vocabulary, inner: Any, out: Path) -> None:
    write_text(out / "tokenizer.json", as_tokenizer_json(inner, vocabulary))
    write_json(out / "tokenizer_config.json", tokenizer_config(vocabulary))


def _write_template(out: Path, tokenizer: Tokenizer, found: Source, family: Family | None) -> dict[str, Any]:
    """Find the roles and the template of the tokenizer in ``out``, and write them beside it."""
    jinja = template_text(out)
    if tokenizer.vocabulary.roles == FLEDGE_ROLES:
        _refuse_second(family, "fledge")
        return {"kind": "chat" if jinja else "base", "template": "fledge" if jinja else "", "why": ""}
    if (out / TEMPLATE_NAME).is_file():
        kept = read_json(out / TEMPLATE_NAME)
        if not kept["why"]:
            _refuse_second(family, kept["template"]["family"])
            return {"kind": "chat", "template": kept["template"]["family"], "why": ""}
        if family is None:
            return {"kind": "base", "template": "", "why": kept["why"]}
    import tokenizers

    inner = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
    if inner.truncation or inner.padding:
        content = read_json(out / "tokenizer.json")
        write_json(out / "tokenizer.json", {**content, "truncation": None, "padding": None})
        inner.no_truncation()
        inner.no_padding()
    before = _put_before(inner)
    tokenizer.vocabulary = _with_roles(tokenizer.vocabulary, before, found.values)
    template = recognise(jinja, tokenizer, inner) if jinja else None
    roles = dict(tokenizer.vocabulary.roles)
    if template is not None:
        _refuse_second(family, template.family)
    why = "this model has no chat template" if not jinja else "this model's chat template is of no known family"
    why = "" if template else why
    if not before and not (template and template.bos):
        roles.pop("bos", None)
    given = template or (plain_template(family, tokenizer) if family else None)
    if given is not None:
        roles["end"] = given.end
    shape = given.to_dict() if given else {}
    written = {"template": shape, "roles": roles, "why": "" if given else why, "vocab_size": found.config.vocab_size}
    # a template that was given is not the one that lies there: an export writes it out
    write_json(out / TEMPLATE_NAME, {**written, "given": template is None and given is not None})
    return {"kind": "base" if why else "chat", "template": shape.get("family", ""), "why": why}


def _refuse_second(family: Family | None, own: str) -> None:
    if family is not None:
        raise FledgeError(
            f"the model has a template of its own ({own}), another cannot be given",
            where="template",
            fix="leave --template out",
        )


def _put_before(inner: Any) -> list[int]:
    """What the tokenizer puts before a text. What it puts after one is not copied: Fledge ends documents itself."""
    plain, whole = inner.encode("a", add_special_tokens=False).ids, inner.encode("a").ids
    starts = [at for at in range(len(whole)) if whole[at : at + len(plain)] == plain]
    before = whole[: starts[0]] if starts else []
    if len(before) > 1:
        raise FledgeError(f"the tokenizer puts {len(before)} tokens before a text, only one is supported")
    return before


def _with_roles(vocabulary: Vocabulary, before: list[int], values: Mapping[str, Any]) -> Vocabulary:
    """The roles that ``tokenizer_config.json`` names, else those of ``config.json``; padding may be the end of text."""
    literal = {index: name for name, index in vocabulary.special.items()}
    roles = dict(vocabulary.roles)
    for role in ("bos", "eos", "pad"):
        index = values.get(f"{role}_token_id")
        index = index[0] if isinstance(index, list) and index else index
        if role not in roles and isinstance(index, int) and index in literal:
            roles[role] = literal[index]
    if before and before[0] in literal:
        roles["bos"] = literal[before[0]]
    if "eos" not in roles:
        raise FledgeError("no special token ends a text (eos_token)", fix="name it in tokenizer_config.json")
    roles.setdefault("pad", roles["eos"])
    return Vocabulary(
        vocabulary.token_bytes,
        vocabulary.special,
        roles,
        vocabulary.ranks,
        vocabulary.pattern,
        vocabulary.dummy_prefix,
    )
