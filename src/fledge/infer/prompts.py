"""From prompts to ids, and from the ids of a reply to its text: plain text for a base model, turns for a chat model."""

from __future__ import annotations

from collections.abc import Sequence

from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Message

THINKING = ("<|think|>", "<|/think|>")
TOOL_CALL = ("<|tool_call|>", "<|/tool_call|>")


def prompt_ids(tokenizer: Tokenizer, prompt: Conversation | str) -> list[int]:
    """bos and the text, or the rendered conversation with the header of the assistant's next turn.

    Where the tokenizer puts no bos, an empty text is the border between documents.
    """
    if isinstance(prompt, str):
        return [*tokenizer.opening, *tokenizer.encode(prompt)] or [tokenizer.border]
    return tokenizer.render(prompt, add_generation_prompt=True).ids


def reply_limits(tokenizer: Tokenizer, prompt: Conversation | str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """``(stop_ids, forbidden_ids)``: what ends a reply, and the special tokens that have no place in one.

    Tool calls have none where the conversation has no tools.
    """
    if isinstance(prompt, str):
        return (tokenizer.eos,), tuple(sorted(tokenizer.special_ids - {tokenizer.eos}))
    names = THINKING + (TOOL_CALL if prompt.tools else ())
    allowed = {tokenizer.end} | {tokenizer.special[name] for name in names if name in tokenizer.special}
    return (tokenizer.end,), tuple(sorted(tokenizer.special_ids - allowed))


def following_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """What the template writes from the end of an assistant's turn up to its next one, with ``messages`` between."""
    before = (Message("user", "a"), Message("assistant", "b"))
    ids = prompt_ids(tokenizer, Conversation((*before, *messages)))
    # a turn's end stands before each reply too where a template ends every turn with it
    ended = tokenizer.render(Conversation(before)).ids
    last = len(ended) - 1 - ended[::-1].index(tokenizer.end)
    return ids[last + 1 :]


def reply_text(tokenizer: Tokenizer, prompt: Conversation | str, ids: Sequence[int]) -> str:
    """What the reply says: without thinking, tool calls and special tokens."""
    if isinstance(prompt, str):
        special = set(tokenizer.special.values())
        return tokenizer.decode([index for index in ids if index not in special])
    return tokenizer.parse_reply(ids).content
