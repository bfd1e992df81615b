"""Talking to a model: a session with history, and its loops for a terminal and for a transcript."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TextIO

from fledge.infer.engine import Engine
from fledge.infer.prompts import prompt_ids, reply_limits
from fledge.infer.request import GenerateRequest
from fledge.run.terminal import printable
from fledge.tokens.stream import StreamDecoder
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message

HELP = """\
/reset           forget what was said
/system TEXT     tell the assistant how to be, and begin anew (without TEXT: nothing)
/temperature X   0 = always the likeliest word; 1 = as the model believes
/help            this list
/exit            end"""


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
    """A conversation under way. ``turns`` holds what the user said and the ids of each reply, as they were sampled."""

    engine: Engine
    tokenizer: Tokenizer
    sampling: Sampling = field(default_factory=Sampling)
    system: str = ""
    turns: list[tuple[str, list[int]]] = field(default_factory=list)
    n_replies: int = 0
    notice: str = ""
    """What the person should know of the last reply (turns left out, a reply cut off); empty if nothing."""

    def reset(self) -> None:
        self.turns.clear()

    def reply(self, text: str) -> Iterator[str]:
        """Yield the reply to ``text`` as it comes, in pieces of whole characters.

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
        stop_ids, forbidden_ids = reply_limits(self.tokenizer, Conversation(()))
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

        def kept_ids() -> Iterator[int]:
            for token in self.engine.stream(request):
                ids.append(token.id)
                yield token.id

        try:
            yield from visible_pieces(self.tokenizer, kept_ids())
        finally:
            if not ids or ids[-1] != self.tokenizer.end:
                self.notice = (self.notice + " (the reply was cut off)").strip()
                ids.append(self.tokenizer.end)
            self.turns = [*kept, (text, ids)]
            self.n_replies += 1

    def _prompt(self, text: str) -> tuple[list[int], list[tuple[str, list[int]]]]:
        """Ids up to the reply, and the turns that still fit: at least a quarter of the context stays for the reply."""
        room = self.engine.context_length - min(self.sampling.max_tokens, self.engine.context_length // 4)
        for n_left_out in range(len(self.turns) + 1):
            kept = self.turns[n_left_out:]
            ids = self._ids(text, kept)
            if len(ids) <= room:
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
            ids += [*reply, *self._continued(following)]
        return ids

    def _opened(self, text: str) -> list[int]:
        """From the beginning up to the first reply."""
        messages = (Message("system", self.system),) if self.system else ()
        return prompt_ids(self.tokenizer, Conversation((*messages, Message("user", text))))

    def _continued(self, text: str) -> list[int]:
        """From the end of a reply up to the next: what the template writes there, found with a reply of one word."""
        before = (Message("user", "a"), Message("assistant", "b"))
        ids = prompt_ids(self.tokenizer, Conversation((*before, Message("user", text))))
        # a turn's end stands before each reply too where a template ends every turn with it
        ended = self.tokenizer.render(Conversation(before)).ids
        last = len(ended) - 1 - ended[::-1].index(self.tokenizer.end)
        return ids[last + 1 :]


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


def run_chat(session: ChatSession, input_stream: TextIO, output_stream: TextIO) -> None:
    """Read lines and answer them until /exit or the end of the input; Ctrl-C stops a reply, a second one the chat."""

    def tell(line: str) -> None:
        output_stream.write(line + "\n")
        output_stream.flush()

    tell("Type a message; /help lists the commands, /exit ends.")
    while True:
        output_stream.write("you> ")
        output_stream.flush()
        try:
            line = input_stream.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            tell("")
            return
        text = line.strip()
        try:
            if text.startswith("/"):
                if text == "/exit":
                    return
                tell(command(session, text))
            elif text:
                say(session, text, output_stream)
        except FledgeError as error:
            tell(str(error))
        except KeyboardInterrupt:
            tell(" (stopped)")


def command(session: ChatSession, line: str) -> str:
    """Carry out a line that begins with a slash; returns what to tell. /exit is the loop's."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word == "/reset":
        session.reset()
        return "(forgotten)"
    if word == "/system":
        session.system = rest
        session.reset()
        return f"(system: {rest})" if rest else "(no system text)"
    if word == "/temperature":
        return _set_temperature(session, rest)
    return HELP if word == "/help" else f"{word} is no command\n{HELP}"


def _set_temperature(session: ChatSession, text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        return f"(temperature is {session.sampling.temperature:g}; to change it: /temperature 0.7)"
    if not 0 <= value <= 10:
        return "(temperature goes from 0 to 10)"
    session.sampling = replace(session.sampling, temperature=value)
    return f"(temperature: {value:g})"


def say(session: ChatSession, text: str, output_stream: TextIO) -> None:
    """Write the reply to ``text`` as it comes, then its notice."""
    pieces = session.reply(text)
    if session.notice:
        output_stream.write(session.notice + "\n")
    told = session.notice
    output_stream.write("fledge> ")
    for piece in pieces:
        output_stream.write(piece)
        output_stream.flush()
    rest = session.notice.removeprefix(told).strip()
    output_stream.write((f" {rest}" if rest else "") + "\n")
    output_stream.flush()


def run_transcript(session: ChatSession, prompts: Sequence[str], output_stream: TextIO, *, forget: bool = True) -> None:
    """Say every one of ``prompts`` and write both sides; with ``forget`` each begins a new conversation."""
    for prompt in prompts:
        if forget:
            session.reset()
        output_stream.write(f"you> {printable(prompt)}\n")
        try:
            say(session, prompt, output_stream)
        except FledgeError as error:
            output_stream.write(f"{error}\n")


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
