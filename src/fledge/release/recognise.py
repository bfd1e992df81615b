"""Which known family a model's own chat template belongs to, proved by rendering conversations with both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.release.rendering import rendered
from fledge.run.files import read_json
from fledge.tokens.templates import Family, ForeignTemplate
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message, Role

TEMPLATE_FILE = "chat_template.jinja"
_SAID: tuple[tuple[Role, str], ...] = (
    ("user", "Is it 3 o'clock?"),
    ("assistant", "No, it is four."),
    ("user", " Thanks;\n\tand now? "),
    ("assistant", " It is five. "),
    ("user", "Bye"),
)
_SYSTEM: tuple[Role, str] = ("system", "Be brief. ")
PROBES: tuple[tuple[tuple[Role, str], ...], ...] = tuple(
    (*system, *_SAID[:n]) for system in ((), (_SYSTEM,)) for n in (1, 3, 5)
)
"""What is rendered: everything up to a reply, with and without a system text, of one, two and three turns."""


def template_text(directory: Path) -> str:
    """The jinja template that lies beside a tokenizer, or an empty string."""
    path = directory / TEMPLATE_FILE
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise FledgeError("is not UTF-8", where=str(path), fix="fetch it again") from None
    path = directory / "tokenizer_config.json"
    config = read_json(path) if path.is_file() else {}
    if not isinstance(config, dict):
        raise FledgeError("is no table", where=str(path), fix="fetch it again")
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else ""


def recognise(jinja: str, tokenizer: Tokenizer, inner: Any) -> ForeignTemplate | None:
    """The template that gives the ids of ``jinja`` for every probe that it accepts, or None.

    ``inner`` is the ``tokenizers`` object, which reads the special tokens in what ``jinja`` renders.
    """
    roles = tokenizer.vocabulary.roles
    names = {f"{role}_token": roles.get(role, "") for role in ("bos", "eos")}
    texts = rendered(jinja, names, PROBES)
    wanted = {probe: _ids(text, inner) for probe, text in zip(PROBES, texts, strict=True)}
    spoken = texts[0] or ""
    for template in candidates(tokenizer, spoken):
        if all(_agree(template, tokenizer, probe, ids) for probe, ids in wanted.items()):
            return template
    return None


def _ids(text: str | None, inner: Any) -> list[int] | None:
    return None if text is None else list(inner.encode(text, add_special_tokens=False).ids)


def _agree(
    template: ForeignTemplate, tokenizer: Tokenizer, probe: Sequence[tuple[Role, str]], wanted: list[int] | None
) -> bool:
    """Both give the same ids, or both refuse."""
    conversation = Conversation(tuple(Message(role, content) for role, content in probe))
    try:
        return template.render(tokenizer, conversation, True).ids == wanted
    except FledgeError:
        return wanted is None


def candidates(tokenizer: Tokenizer, spoken: str) -> Iterator[ForeignTemplate]:
    """Every template whose special tokens the tokenizer has; ``spoken`` shows a default system text, if there is."""
    special, has_bos = tokenizer.special, "bos" in tokenizer.vocabulary.roles
    plain: list[ForeignTemplate] = []
    if {"<|im_start|>", "<|im_end|>"} <= set(special):
        said = re.search(r"<\|im_start\|>system\n(.*?)<\|im_end\|>", spoken, re.DOTALL)
        plain = [ForeignTemplate("chatml", "<|im_end|>", default_system=said[1] if said else "")]
    if {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"} <= set(special):
        plain.append(ForeignTemplate("llama3", "<|eot_id|>"))
    for turns in plain:
        for bos in (False, True)[: 1 + has_bos]:
            for strip in (False, True):
                yield replace(turns, bos=bos, strip=strip)
    eos = tokenizer.vocabulary.roles.get("eos")
    if eos:
        for strip in (False, True):
            for bos_each in (False, True)[: 1 + has_bos]:
                for before, after in ((" ", " "), (" ", ""), ("", ""), ("", " ")):
                    shape = ForeignTemplate("inst", eos, has_bos, "", strip, "inside", bos_each, before, after)
                    yield shape
                    yield replace(shape, system="none")


def plain_template(family: Family, tokenizer: Tokenizer) -> ForeignTemplate:
    """The family's simplest form. Raises FledgeError where the tokenizer lacks its special tokens."""
    for template in candidates(tokenizer, ""):
        # a base model's texts begin with bos where its tokenizer has one, and so do its conversations
        if template.family == family and template.bos == ("bos" in tokenizer.vocabulary.roles):
            return template
    raise FledgeError(f"the tokenizer has no special tokens for {family}", where="template", fix="choose another")
