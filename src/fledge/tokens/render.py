"""The one renderer of conversations, for training, sampling and export, and its inverse.

``<|bos|>`` once; where there are tools, ``<|system|>`` with each tool between ``<|tool_call|>`` and
``<|/tool_call|>``, ``<|end|>``; then for every message its role's header, the content and ``<|end|>``. An
assistant's message may have ``<|think|>…<|/think|>`` before its content and ``<|tool_call|>…<|/tool_call|>`` after
it. Headers are single tokens with nothing after them, so that no letter of the content can merge with them, and a
prefix of a conversation renders to a prefix of its ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from fledge.types import Conversation, FledgeError, Message, Rendered, Role, Span

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

HEADERS: dict[Role, str] = {
    "system": "<|system|>",
    "user": "<|user|>",
    "assistant": "<|assistant|>",
    "tool": "<|tool_result|>",
}


class Template(Protocol):
    """How one family of models writes conversations; an imported model brings its own."""

    def render(self, tokenizer: Tokenizer, conversation: Conversation, add_generation_prompt: bool) -> Rendered: ...

    def parse(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Conversation: ...

    def parse_reply(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Message: ...


class Tape:
    """Ids, weights and spans as they are written."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.ids: list[int] = []
        self.weight: list[float] = []
        self.spans: list[Span] = []

    def add(self, kind: str, message: int, learned: bool, *parts: str | int) -> None:
        """Append ids (ints) and texts (strings) as one span; an empty one leaves no span."""
        start = len(self.ids)
        for part in parts:
            self.ids += [part] if isinstance(part, int) else self.tokenizer.encode(part)
        end = len(self.ids)
        self.weight += [1.0 if learned else 0.0] * (end - start)
        if end > start:
            self.spans.append(Span(start, end, message, kind))


class FledgeTemplate:
    """The template of this module. Learned: what the assistant says, thinks and calls, and its ``<|end|>``."""

    def render(self, tokenizer: Tokenizer, conversation: Conversation, add_generation_prompt: bool) -> Rendered:
        """Raises FledgeError for thinking or tool calls in a message that is not the assistant's."""
        special = _specials(tokenizer)
        tape = Tape(tokenizer)
        tape.add("bos", -1, False, tokenizer.bos)
        if conversation.tools:
            tape.add("header", -1, False, special["<|system|>"])
            for tool in conversation.tools:
                tape.add("tool", -1, False, special["<|tool_call|>"], tool, special["<|/tool_call|>"])
            tape.add("end", -1, False, special["<|end|>"])
        for number, message in enumerate(conversation.messages):
            learned = message.role == "assistant"
            if message.role not in HEADERS:
                raise FledgeError(
                    f"message {number} has the role {message.role!r}", fix="roles are system, user, assistant and tool"
                )
            if not learned and (message.thinking or message.tool_calls):
                raise FledgeError(f"message {number} thinks or calls tools but is the {message.role}'s")
            tape.add("header", number, False, special[HEADERS[message.role]])
            if message.thinking:
                tape.add("thinking", number, learned, special["<|think|>"], message.thinking, special["<|/think|>"])
            tape.add("content", number, learned, message.content)
            for call in message.tool_calls:
                tape.add("tool_call", number, learned, special["<|tool_call|>"], call, special["<|/tool_call|>"])
            tape.add("end", number, learned, special["<|end|>"])
        if add_generation_prompt:
            tape.add("header", len(conversation.messages), False, special["<|assistant|>"])
        return Rendered(tape.ids, tape.weight, tuple(tape.spans))

    def parse(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Conversation:
        """What a model wrote may be cut off or malformed: open blocks are closed where their turn ends, a turn
        without any token after its header is left out, text after a tool call joins the content, and specials
        without a meaning in their place are passed over. Raises FledgeError for text before the first header.
        """
        special = _specials(tokenizer)
        role_of = {special[literal]: role for role, literal in HEADERS.items()}
        messages: list[Message] = []
        tools: tuple[str, ...] = ()
        ids = list(ids)
        at = 1 if ids and ids[0] == tokenizer.bos else 0
        while at < len(ids):
            if ids[at] not in role_of:
                raise FledgeError(f"position {at} is not the start of a turn", fix="give ids that were rendered")
            role = role_of[ids[at]]
            stop = at + 1
            while stop < len(ids) and ids[stop] != special["<|end|>"] and ids[stop] not in role_of:
                stop += 1
            body = ids[at + 1 : stop]
            ended = stop < len(ids) and ids[stop] == special["<|end|>"]
            if role == "system" and body and body[0] == special["<|tool_call|>"] and not messages and not tools:
                tools = self._message(tokenizer, "assistant", body).tool_calls
            elif body or ended:
                messages.append(self._message(tokenizer, role, body))
            at = stop + ended
        return Conversation(tuple(messages), tools)

    def parse_reply(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Message:
        """Ids after the first ``<|end|>`` are not read."""
        ids = list(ids)
        return self._message(tokenizer, "assistant", ids[: ids.index(tokenizer.end)] if tokenizer.end in ids else ids)

    def _message(self, tokenizer: Tokenizer, role: Role, body: Sequence[int]) -> Message:
        special = _specials(tokenizer)
        meaningless = set(special.values())
        content: list[int] = []
        thinking: list[int] = []
        calls: list[list[int]] = []
        into = content
        for index in body:
            if role == "assistant" and index == special["<|think|>"]:
                into = thinking
            elif role == "assistant" and index == special["<|tool_call|>"]:
                calls.append([])
                into = calls[-1]
            elif index in (special["<|/think|>"], special["<|/tool_call|>"]):
                into = content
            elif index not in meaningless:
                into.append(index)
        decode = tokenizer.decode
        return Message(role, decode(content), decode(thinking), tuple(decode(call) for call in calls))


def _specials(tokenizer: Tokenizer) -> dict[str, int]:
    if "<|assistant|>" not in tokenizer.special or "<|end|>" not in tokenizer.special:
        raise FledgeError("this tokenizer has no tokens for the turns of a conversation", fix="give it a template")
    return dict(tokenizer.special)
