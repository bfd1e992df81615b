"""How other families of models write conversations, behind the same renderer: ChatML, Llama 3, and ``[INST]``.

Text and marks are tokenised as transformers tokenises the whole string: each stretch between two special tokens at
once. Only where what the assistant says would merge with the mark before it is it tokenised by itself, so that the
prompt before a reply is always a prefix of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from fledge.tokens.render import Tape
from fledge.types import Conversation, FledgeError, Message, Rendered, Role

if TYPE_CHECKING:
    from fledge.tokens.tokenizer import Tokenizer

Family = Literal["chatml", "llama3", "inst"]
FAMILIES: tuple[Family, ...] = get_args(Family)
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


@dataclass(frozen=True)
class ForeignTemplate:
    """One family with the variations that its models show.

    ``bos``: the conversation begins with it (``inst``: with ``bos_each``, every pair of turns does). ``default_system``
    is said where no system message is given. ``strip``: contents lose the blanks around them. ``system``: "turn" by
    itself, "inside" the first user turn (``inst``), or "none" where the family has no place for it. ``before`` and
    ``after`` stand around what an ``inst`` assistant says.
    """

    family: Family
    end: str
    bos: bool = False
    default_system: str = ""
    strip: bool = False
    system: Literal["turn", "inside", "none"] = "turn"
    bos_each: bool = False
    before: str = ""
    after: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def render(self, tokenizer: Tokenizer, conversation: Conversation, add_generation_prompt: bool) -> Rendered:
        """Raises FledgeError for what the family cannot write: tools, thinking, a system message out of place."""
        messages = list(conversation.messages)
        if conversation.tools or any(each.thinking or each.tool_calls or each.role == "tool" for each in messages):
            raise FledgeError(f"tools and thinking are not known to this model's template ({self.family})")
        for number, message in enumerate(messages):
            if message.role not in _ROLES:
                raise FledgeError(
                    f"message {number} has the role {message.role!r}", fix="roles are system, user and assistant"
                )
            if message.role == "system" and (number or self.system == "none"):
                raise FledgeError(f"this model's template ({self.family}) has no place for a system text there")
        if self.default_system and not (messages and messages[0].role == "system"):
            messages.insert(0, Message("system", self.default_system))
        tape = Tape(tokenizer)
        if self.bos and not self.bos_each:
            tape.add("bos", -1, False, tokenizer.bos)
        if self.family == "inst":
            self._write_inst(tape, messages)
        else:
            for number, message in enumerate(messages):
                self._write_turn(tape, number, message)
            if add_generation_prompt:
                tape.add("header", len(messages), False, *self._header("assistant", tokenizer))
        return Rendered(tape.ids, tape.weight, tuple(tape.spans))

    def _header(self, role: Role, tokenizer: Tokenizer) -> list[str | int]:
        special = tokenizer.special
        if self.family == "chatml":
            return [special["<|im_start|>"], f"{role}\n"]
        return [special["<|start_header_id|>"], role, special["<|end_header_id|>"], "\n\n"]

    def _write_turn(self, tape: Tape, number: int, message: Message) -> None:
        *marks, opening = self._header(message.role, tape.tokenizer)
        content = message.content.strip() if self.strip else message.content
        learned = message.role == "assistant"
        if learned:
            tape.add("header", number, False, *marks, opening)
            tape.add("content", number, True, *_following(tape.tokenizer, str(opening), content))
        else:
            tape.add("header", number, False, *marks)
            tape.add("content", number, False, f"{opening}{content}")
        tape.add("end", number, learned, tape.tokenizer.special[self.end])
        if self.family == "chatml":
            tape.add("after", number, False, "\n")

    def _write_inst(self, tape: Tape, messages: Sequence[Message]) -> None:
        system = asked = ""
        for number, message in enumerate(messages):
            content = message.content.strip() if self.strip else message.content
            if message.role == "system":
                system = f"<<SYS>>\n{content}\n<</SYS>>\n\n"
            elif message.role == "user":
                if self.bos_each:
                    tape.add("bos", number, False, tape.tokenizer.bos)
                asked, system = f"[INST] {system}{content} [/INST]", ""
                tape.add("content", number, False, asked)
            else:
                said = f"{self.before}{content}{self.after}"
                tape.add("content", number, True, *_following(tape.tokenizer, asked, said))
                tape.add("end", number, True, tape.tokenizer.special[self.end])

    def parse(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Conversation:
        """The turns of rendered ids; blanks that the family strips, and a default system text, are part of them."""
        text = b"".join([tokenizer.token_bytes[index] for index in ids]).decode("utf-8", "replace")
        read = self._read_inst(tokenizer, text) if self.family == "inst" else self._read_turns(text)
        return Conversation(tuple(read))

    def _read_turns(self, text: str) -> list[Message]:
        opening, between = ("<|im_start|>", "\n") if self.family == "chatml" else ("<|start_header_id|>", "\n\n")
        messages = []
        for turn in text.split(opening)[1:]:
            name, _, content = turn.partition("\n" if self.family == "chatml" else f"<|end_header_id|>{between}")
            if name not in _ROLES:
                raise FledgeError(f"there is no role {name!r}", fix="give ids that were rendered")
            if self.end in content or content:
                messages.append(Message(name, content.partition(self.end)[0]))
        return messages

    def _read_inst(self, tokenizer: Tokenizer, text: str) -> list[Message]:
        messages: list[Message] = []
        bos = tokenizer.vocabulary.roles.get("bos", "")
        for pair in text.split("[INST] ")[1:]:
            asked, _, answered = pair.partition(" [/INST]")
            if asked.startswith("<<SYS>>\n"):
                system, _, asked = asked.removeprefix("<<SYS>>\n").partition("\n<</SYS>>\n\n")
                messages.append(Message("system", system))
            messages.append(Message("user", asked))
            answered = answered.strip() if bos and answered.strip() == bos else answered
            if answered:
                said = answered.partition(self.end)[0].removesuffix(self.after).lstrip(" ")
                messages.append(Message("assistant", said))
        return messages

    def parse_reply(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Message:
        """Ids after the first end of a turn are not read."""
        ids = list(ids)
        ids = ids[: ids.index(tokenizer.end)] if tokenizer.end in ids else ids
        special = set(tokenizer.special.values())
        text = tokenizer.decode([index for index in ids if index not in special])
        return Message("assistant", text.strip() if self.family == "inst" else text)


def _following(tokenizer: Tokenizer, before: str, text: str) -> list[int]:
    """Ids of ``text`` after ``before`` in one stretch; by itself where the two would merge at their border."""
    first, whole = tokenizer.encode(before), tokenizer.encode(before + text)
    return whole[len(first) :] if whole[: len(first)] == first else tokenizer.encode(text)


class NoTemplate:
    """Stands where a model's own template is not known: text can be continued, conversations are refused."""

    def __init__(self, why: str) -> None:
        self.why = why

    def _refuse(self) -> FledgeError:
        return FledgeError(self.why, fix="use `fledge sample`; to tune it, import it with --template")

    def render(self, tokenizer: Tokenizer, conversation: Conversation, add_generation_prompt: bool) -> Rendered:
        raise self._refuse()

    def parse(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Conversation:
        raise self._refuse()

    def parse_reply(self, tokenizer: Tokenizer, ids: Sequence[int]) -> Message:
        raise self._refuse()
