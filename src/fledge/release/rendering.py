"""Renders another's jinja in a process of its own, with little time and memory: a template may be anybody's program.

Run as a script it reads ``{"jinja", "names", "conversations"}`` as JSON and writes a list of texts, null where the
template refuses a conversation.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

CPU_SECONDS = 2
WALL_SECONDS = 60
MEMORY_BYTES = 1 << 30
LONGEST = 1_000_000
"""Characters; a longer rendering of a few short turns is no template's."""


def rendered(
    jinja: str, names: Mapping[str, str], conversations: Sequence[Sequence[tuple[str, str]]]
) -> list[str | None]:
    """The text of each conversation, as (role, content) pairs, with the header of a reply; None where it is refused.

    What takes too long, too much memory, or fails in any other way is refused too. ``names`` are ``bos_token`` and
    the like. Raises FledgeError where jinja2 is not installed.
    """
    from fledge.types import FledgeError

    if importlib.util.find_spec("jinja2") is None:
        raise FledgeError("reading a chat template needs jinja2", fix='install it with: pip install "fledge[release]"')
    asked = json.dumps({"jinja": jinja, "names": dict(names), "conversations": conversations})
    command = [sys.executable, "-P", __file__]
    try:
        done = subprocess.run(command, input=asked.encode(), capture_output=True, timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        return [None] * len(conversations)
    return json.loads(done.stdout) if done.returncode == 0 else [None] * len(conversations)


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the time is bounded by the process that waits
        return
    for kind, most in ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_AS, MEMORY_BYTES)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))


def _compiled(jinja: str) -> Any:
    """The template as transformers compiles it: in a sandbox, with loop controls and marks of what is generated."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks what an assistant says and writes nothing."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value, **_: str(value)
    return environment.from_string(jinja)


def _answer(asked: dict[str, Any]) -> list[str | None]:
    texts: list[str | None] = []
    for turns in asked["conversations"]:
        messages = [{"role": role, "content": content} for role, content in turns]
        given = {"messages": messages, "add_generation_prompt": True, "tools": None, "documents": None}
        try:
            text = _compiled(asked["jinja"]).render(**given, **asked["names"])
        except Exception:  # a template of others may fail in any way: then it does not take these turns
            text = None
        texts.append(text if text is not None and len(text) <= LONGEST else None)
    return texts


if __name__ == "__main__":
    _limit()
    sys.stdout.write(json.dumps(_answer(json.load(sys.stdin))))
