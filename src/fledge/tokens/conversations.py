"""Conversations: read from JSON lines, rendered, and written as shards with weights."""

from __future__ import annotations

import json
import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fledge.run.files import told, write_text
from fledge.tokens.shards import SHARD_TOKENS, Tokenised, write_sequences
from fledge.types import Conversation, FledgeError, Message, Reject

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

REJECTS_NAME = "rejects.jsonl"
_ROLES = ("system", "user", "assistant", "tool")


def read_conversations(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Conversation | Reject]:
    """Yield the conversations of JSON-lines files, ``{"id", "messages": [{"role", "content", "thinking"?,
    "tool_calls"?}], "tools"?, "meta"?}`` or, as in Stanford Alpaca, ``{"instruction", "input"?, "output"}``; a row that
    is neither comes as a Reject that names file and line.
    """
    for path in map(Path, paths):
        with told(path):
            try:
                file = open(path, "rb")
            except FileNotFoundError:
                raise FledgeError("is not there", where=str(path), fix="check the path") from None
        with file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    start = len(BOM_UTF8) if number == 1 and line.startswith(BOM_UTF8) else 0
                    yield _conversation(line[start:], f"{path.name}:{number}", str(path))


def _conversation(line: bytes, name: str, source: str) -> Conversation | Reject:
    messages: tuple[Message, ...]
    try:
        row = json.loads(line.decode("utf-8"))
        if not isinstance(row, dict):
            raise ValueError("is no JSON object")
        if "messages" not in row and "instruction" in row:
            messages = _instruction(row)
        elif "messages" not in row:
            raise ValueError(f'has neither "messages" nor "instruction"; its keys: {", ".join(list(row)[:20])}')
        else:
            messages = tuple(_message(entry) for entry in row["messages"])
        tools = tuple(_text(tool, "tools") for tool in row.get("tools") or ())
        if not messages:
            raise ValueError("has no messages")
        if any(m.role == "assistant" and not (m.content.strip() or m.thinking or m.tool_calls) for m in messages):
            raise ValueError("has an empty turn of the assistant")
        return Conversation(messages, tools, str(row.get("id", name)), row.get("meta") or {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
            reason = f"is not valid {'JSON' if isinstance(error, json.JSONDecodeError) else 'UTF-8'} ({error})"
        text = line[:2000].decode("utf-8", "replace")
        return Reject(name, source, "conversation", reason, text, len(line))


def _instruction(row: dict[str, Any]) -> tuple[Message, Message]:
    """An instruction and its input, an empty line apart, as the user's turn; the output as the assistant's."""
    asked, given, output = row["instruction"], row.get("input") or "", row["output"]
    if not all(isinstance(part, str) for part in (asked, given, output)):
        raise ValueError("has an instruction, input or output that is no text")
    if not output.strip():
        raise ValueError("has an empty output")
    return Message("user", f"{asked}\n\n{given}" if given else asked), Message("assistant", output)


def _message(entry: dict[str, Any]) -> Message:
    role, calls = entry["role"], entry.get("tool_calls") or ()
    if role not in _ROLES:
        raise ValueError(f"has the role {role!r}")
    content, thinking = entry.get("content"), entry.get("thinking")
    if content is None and not calls:
        raise KeyError("content")
    parts = ["" if part is None else part for part in (content, thinking)]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("has a content that is no text")
    return Message(role, parts[0], parts[1], tuple(_text(call, "tool_calls") for call in calls))


def _text(value: Any, name: str) -> str:
    """Tools and calls are texts; those given as JSON objects are written as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    raise ValueError(f"{name} holds {value!r}")


def write_conversation_shards(
    conversations: Iterable[Conversation | Reject],
    tokenizer: Tokenizer,
    out: str | os.PathLike[str],
    *,
    max_tokens: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> dict[str, Any]:
    """Render ``conversations`` into shards with weights; returns the index with ``n_refused`` and ``refused``.

    Refused, counted by reason and kept in ``rejects.jsonl``: what the reader set aside, what cannot be rendered,
    what has no token to learn, and what is longer than ``max_tokens``.
    """
    out = Path(out)
    rejects: list[Reject] = []

    def rendered() -> Iterator[Tokenised]:
        for item in conversations:
            made = item if isinstance(item, Reject) else _render(item, tokenizer, max_tokens)
            if isinstance(made, Reject):
                rejects.append(made)
            else:
                yield made

    index = write_sequences(rendered(), tokenizer, out, shard_tokens=shard_tokens)
    write_rejects(out / REJECTS_NAME, rejects)
    refused: dict[str, int] = {}
    for reject in rejects:
        refused[reject.rule] = refused.get(reject.rule, 0) + 1
    return {**index, "n_refused": len(rejects), "refused": dict(sorted(refused.items()))}


def _render(conversation: Conversation, tokenizer: Tokenizer, max_tokens: int | None) -> Tokenised | Reject:
    texts = [message.content for message in conversation.messages]
    n_bytes = sum(len(text.encode("utf-8", "replace")) for text in texts)

    def refuse(rule: str, reason: str) -> Reject:
        return Reject(conversation.id, "conversations", rule, reason, "\n".join(texts)[:2000], n_bytes)

    try:
        made = tokenizer.render(conversation)
    except FledgeError as error:
        return refuse("not renderable", str(error))
    weight = np.array(made.weight, dtype=np.uint8)
    if not weight[1:].any():
        return refuse("nothing learned", "no message of an assistant")
    if max_tokens is not None and len(made.ids) > max_tokens:
        return refuse("too long", f"{len(made.ids)} tokens, at most {max_tokens}")
    return Tokenised(np.array(made.ids, dtype=tokenizer.dtype), n_bytes, weight)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write rejects as JSON lines (lone surrogates are escaped)."""
    rows = [
        json.dumps({"id": r.id, "source": r.source, "rule": r.rule, "reason": r.reason, "text": r.text})
        for r in rejects
    ]
    write_text(path, "".join(row + "\n" for row in rows))
