"""Chat on a terminal: the loop, its commands, and a transcript where nobody sits there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from fledge.infer.chat import ChatSession
from fledge.run.terminal import printable
from fledge.types import FledgeError

HELP = """\
/reset           forget what was said
/system TEXT     tell the assistant how to be, and begin anew (without TEXT: nothing)
/tools           list the tools; /tools NAME switches one on or off, and begins anew
/temperature X   0 = always the likeliest word; 1 = as the model believes
/help            this list
/exit            end"""


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
    if word == "/tools":
        return _switch_tool(session, rest)
    if word == "/temperature":
        return _set_temperature(session, rest)
    return HELP if word == "/help" else f"{word} is no command\n{HELP}"


def _switch_tool(session: ChatSession, name: str) -> str:
    if session.toolbox is None:
        return "(there are no tools)"
    on = session.offered.names if session.offered else ()
    if name in session.toolbox.names:
        on = tuple(each for each in session.toolbox.names if (each in on) != (each == name))
        session.offered = session.toolbox.only(on) if on else None
        session.reset()
    elif name:
        return f"(there is no tool {name}; the tools are {', '.join(session.toolbox.names)})"
    told = [f"{each} {'on' if each in on else 'off'}" for each in session.toolbox.names]
    return f"({', '.join(told)})"


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
