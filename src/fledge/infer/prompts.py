"""From prompts to ids, and from the ids of a reply to its text: plain text for a base model, turns for a chat model."""

from __future__ import annotations

from collections.abc import Sequence

from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation

REPLY_SPECIALS = ("<|think|>", "<|/think|>", "<|tool_call|>", "<|/tool_call|>")


def prompt_ids(tokenizer: Tokenizer, prompt: Conversation | str) -> list[int]:
    """bos and the text, or the rendered conversation with the header of the assistant's next turn.

    Where the tokenizer puts no bos, an empty text is the border between documents.
    """
    if isinstance(prompt, str):
        return [*tokenizer.opening, *tokenizer.encode(prompt)] or [tokenizer.border]
    return tokenizer.render(prompt, add_generation_prompt=True).ids


def reply_limits(tokenizer: Tokenizer, prompt: Conversation | str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """``(stop_ids, forbidden_ids)``: what ends a reply, and the special tokens that have no place in one."""
    chat = not isinstance(prompt, str)
    stops = {tokenizer.end} if chat else {tokenizer.eos}
    allowed = stops | (
        {tokenizer.special[name] for name in REPLY_SPECIALS if name in tokenizer.special} if chat else set()
    )
    return tuple(sorted(stops)), tuple(sorted(set(tokenizer.special.values()) - allowed))


def reply_text(tokenizer: Tokenizer, prompt: Conversation | str, ids: Sequence[int]) -> str:
    """What the reply says: without thinking, tool calls and special tokens."""
    if isinstance(prompt, str):
        special = set(tokenizer.special.values())
        return tokenizer.decode([index for index in ids if index not in special])
    return tokenizer.parse_reply(ids).content
