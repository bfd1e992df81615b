"""Talking to a model: a session with history and tools, and what of a reply is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fledge.infer.engine import Engine
from fledge.infer.environments import made_calls
from fledge.infer.prompts import following_ids, prompt_ids, reply_limits
from fledge.infer.request import GenerateRequest
from fledge.infer.tools.call import ToolError, parse_call
from fledge.infer.tools.toolbox import Toolbox
from fledge.run.terminal import printable
from fledge.tokens.stream import StreamDecoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import CallMade, Conversation, FledgeError, Message

MAX_CALLS = 8
SHOWN_CHARS = 100
"""Of the arguments and of the result, in the line that shows a call."""


@dataclass(frozen=True)
class Sampling:
    """How replies are sampled; see :class:`fledge.infer.request.GenerateRequest`."""

    temperature: float = 0.3
    top_k: int = 0
    top_p: float = 0.95
    min_p: float = 0.0
    max_tokens: int = 512
    seed: int = 0


@dataclass
class ChatSession:
    """A conversation under way. ``turns`` holds what the user said and the ids of each reply: as they were sampled,
    with what the template wrote between for the results of tools. ``offered`` are the tools of ``toolbox`` that the
    assistant is told of, at first all; it may make ``max_calls`` calls in a reply.
    """

    engine: Engine
    tokenizer: Tokenizer
    sampling: Sampling = field(default_factory=Sampling)
    system: str = ""
    toolbox: Toolbox | None = None
    max_calls: int = MAX_CALLS
    turns: list[tuple[str, list[int]]] = field(default_factory=list)
    n_replies: int = 0
    notice: str = ""
    """What the person should know of the last reply (turns left out, a reply cut off); empty if nothing."""
    offered: Toolbox | None = field(init=False)

    def __post_init__(self) -> None:
        self.offered = self.toolbox

    def reset(self) -> None:
        self.turns.clear()

    @property
    def tools(self) -> tuple[str, ...]:
        """The descriptions that the assistant is shown."""
        return self.offered.descriptions if self.offered else ()

    def reply(self, text: str) -> Iterator[str]:
        """Yield the reply to ``text`` as it comes, in pieces of whole characters; a call of a tool is one piece.

        The oldest turns are left out where the context is too short for all, and ``notice`` says so. What was said by
        then stays in the history when the caller stops early. Raises FledgeError, and remembers nothing, for a
        message that is too long by itself.
        """
        prompt, kept = self._prompt(text)
        n_left_out = len(self.turns) - len(kept)
        self.notice = (
            f"(the oldest {n_left_out} turn{'s' if n_left_out > 1 else ''} no longer fit in the model's "
            f"{self.engine.context_length} tokens and were left out)"
            if n_left_out
            else ""
        )
        stop_ids, forbidden_ids = reply_limits(self.tokenizer, Conversation((), self.tools))
        request = GenerateRequest(
            prompt,
            max_tokens=self.sampling.max_tokens,
            temperature=self.sampling.temperature,
            top_k=self.sampling.top_k,
            top_p=self.sampling.top_p,
            min_p=self.sampling.min_p,
            seed=self.sampling.seed + self.n_replies,
            stop_ids=stop_ids,
            forbidden_ids=forbidden_ids,
        )
        return self._stream(request, text, kept)

    def _stream(self, request: GenerateRequest, text: str, kept: list[tuple[str, list[int]]]) -> Iterator[str]:
        ids: list[int] = []
        n_answered = 0  # of these, in which every call has its result
        session = self.offered.session(self.max_calls) if self.offered else None
        try:
            for n_left in range(self.max_calls if session else 0, -1, -1):
                if not n_left:
                    request = replace(request, forbidden_ids=(*request.forbidden_ids, *self._call_ids))
                n_before = len(ids)
                yield from visible_pieces(self.tokenizer, self._kept(request, ids))
                said = self.tokenizer.parse_reply(ids[n_before:])
                if session is None or not n_left or not said.tool_calls or ids[-1] != self.tokenizer.end:
                    break
                made = made_calls(session, said)
                results = following_ids(self.tokenizer, [Message("tool", call.result) for call in made])
                prompt = [*request.ids, *ids[n_before:], *results]
                fits = len(prompt) <= self.engine.context_length
                if fits:
                    ids += results
                    n_answered = len(ids)
                yield ("\n" if said.content else "") + "".join(f"{shown_call(call)}\n" for call in made)
                if not fits:
                    self.notice = f"{self.notice} (no room for what the tool gave)".strip()
                    break
                request = replace(request, ids=prompt)
        finally:
            # a call without its result is nothing that a model knows
            del ids[next((i for i in range(n_answered, len(ids)) if ids[i] in self._call_ids), len(ids)) :]
            if not ids or ids[-1] != self.tokenizer.end:
                if not self.notice.endswith("gave)"):
                    self.notice = (self.notice + " (the reply was cut off)").strip()
                ids.append(self.tokenizer.end)
            self.turns = [*kept, (text, ids)]
            self.n_replies += 1

    @property
    def _call_ids(self) -> tuple[int, ...]:
        special = self.tokenizer.special
        return (special["<|tool_call|>"],) if "<|tool_call|>" in special else ()

    def _kept(self, request: GenerateRequest, ids: list[int]) -> Iterator[int]:
        """The ids of a turn as they come; they are added to ``ids``."""
        for token in self.engine.stream(request):
            ids.append(token.id)
            yield token.id

    def _prompt(self, text: str) -> tuple[list[int], list[tuple[str, list[int]]]]:
        """Ids up to the reply, and the turns that still fit: at least a quarter of the context stays for the reply;
        half of it, if leaving turns out can help, where tools may give something to read.
        """
        length = self.engine.context_length
        for n_left_out in range(len(self.turns) + 1):
            kept = self.turns[n_left_out:]
            ids = self._ids(text, kept)
            free = length // 2 if self.tools and kept else min(self.sampling.max_tokens, length // 4)
            if len(ids) <= length - free:
                return ids, kept
        raise FledgeError(
            f"the message has {len(ids)} tokens and the model reads {self.engine.context_length} in all",
            fix="say it in fewer words" + (", or shorten the system text" if self.system else ""),
        )

    def _ids(self, text: str, turns: Sequence[tuple[str, list[int]]]) -> list[int]:
        """The rendered conversation, in which every reply has the ids that were sampled for it."""
        asked = [said for said, _ in turns] + [text]
        ids = self._opened(asked[0])
        for (_, reply), following in zip(turns, asked[1:], strict=True):
            ids += [*reply, *following_ids(self.tokenizer, [Message("user", following)])]
        return ids

    def _opened(self, text: str) -> list[int]:
        """From the beginning up to the first reply."""
        messages = (Message("system", self.system),) if self.system else ()
        return prompt_ids(self.tokenizer, Conversation((*messages, Message("user", text)), self.tools))


def shown_call(call: CallMade) -> str:
    """A call and its result in a line: ``[calculator 348 * 77 → 26796]``, long texts cut."""
    try:
        arguments = " ".join(_words(value) for value in parse_call(call.text).arguments.values())
    except ToolError:
        arguments = _words(call.text)
    return printable(f"[{call.name or 'tool'} {_short(arguments)} → {_short(_words(call.result))}]")


def _words(value: Any) -> str:
    return " ".join(str(value).split())


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"


def visible_pieces(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """Text of a reply as its ids come, in whole characters: without thinking and tool calls, safe to print."""
    opens = {tokenizer.special[name] for name in ("<|think|>", "<|tool_call|>") if name in tokenizer.special}
    closes = {tokenizer.special[name] for name in ("<|/think|>", "<|/tool_call|>") if name in tokenizer.special}
    decoder, hidden = StreamDecoder(tokenizer), False
    for index in ids:
        if index in opens or index in closes:
            hidden = index in opens
        elif not hidden and (piece := decoder.feed(index)):
            yield printable(piece)
    if piece := decoder.finish():
        yield printable(piece)


def sample_text(engine: Engine, tokenizer: Tokenizer, prompt: str, sampling: Sampling | None = None) -> Iterator[str]:
    """Yield a base model's continuation of ``prompt`` in pieces of whole characters, up to the end of the document."""
    sampling = sampling or Sampling()
    stop_ids, forbidden_ids = reply_limits(tokenizer, prompt)
    request = GenerateRequest(
        prompt_ids(tokenizer, prompt),
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        seed=sampling.seed,
        stop_ids=stop_ids,
        forbidden_ids=forbidden_ids,
    )
    return visible_pieces(tokenizer, (token.id for token in engine.stream(request)))
