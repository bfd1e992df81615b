"""Python for a model, in one of two sandboxes with one surface: what the code prints, and the value of its last line.

The default is pydantic-monty: an interpreter of a part of Python with no way out at all. The other is full CPython
behind the walls of the Linux kernel (``jail.py``). Neither keeps anything from one call to the next.
"""

from __future__ import annotations

import ast
import threading
from functools import cache
from typing import Any

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.jail import JailLimits, require, run_jailed
from fledge.infer.tools.tool import Limits, Tool
from fledge.types import FledgeError

MEMORY_BYTES = 64 << 20
RECURSION = 300
PRINTED_CHARS = 1_000_000
GRACE_SECONDS = 1.0
JAILS_AT_ONCE = 4

MODULES = (
    "asyncio base64 binascii bisect collections copy csv dataclasses datetime decimal functools hashlib itertools json "
    "math pathlib random re sys time tomllib typing unicodedata"
)
"""Of the standard library in the default sandbox; not all of each."""

_SHOW = "_ is None or print(repr(_))\nNone"
_PARAMETERS = {
    "type": "object",
    "properties": {"code": {"type": "string"}},
    "required": ["code"],
    "additionalProperties": False,
}
_DESCRIPTION = (
    "Run Python code in a sandbox without files and network. Gives what it prints and the value of its last line. "
    "Nothing is kept between calls."
)
_DESCRIPTION_MONTY = f"{_DESCRIPTION} There are no generators (yield), no class inheritance, no del and few modules."


def python_tool(*, jail: bool = False, limits: Limits | None = None) -> Tool:
    """The tool ``python``. With ``jail`` full CPython; FledgeError where this machine cannot confine it."""
    limits = limits or Limits()
    if not jail:
        _monty()
        # the sandbox stops by itself and says so; the worker process is killed only if it does not
        outer = Limits(limits.seconds + GRACE_SECONDS, limits.output_chars)
        fixed = {"seconds": limits.seconds, "memory_bytes": MEMORY_BYTES}
        reference = f"{__name__}:run_monty"
        return Tool("python", _DESCRIPTION_MONTY, _PARAMETERS, run_monty, outer, True, reference, fixed)
    require()
    free = threading.BoundedSemaphore(JAILS_AT_ONCE)
    # one character is four bytes at most: what is cut there is cut again, and said
    jail_limits = JailLimits(seconds=limits.seconds, output_bytes=4 * limits.output_chars + 4)

    def run(code: str) -> str:
        with free:
            return run_jailed(code, jail_limits)

    return Tool("python", _DESCRIPTION, _PARAMETERS, run, limits, isolated=False)


def run_monty(code: str, seconds: float, memory_bytes: int) -> str:
    """What ``code`` printed, and the value of its last expression. ToolError where it fails or reaches a limit."""
    monty = _monty()
    printed = _Printed()
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    kept = _keeping_last(code)
    limits = {
        "max_feed_duration_secs": seconds,
        "max_memory": memory_bytes,
        "max_recursion_depth": RECURSION,
        "max_suspensions": 1_000,
    }
    try:
        with _pool().checkout(limits=limits, os_policy={"sleep": "zero"}) as session:
            # a value that came back would be built in this process, however large it is there
            session.feed_run(f"{kept or code}\n\nNone", print_callback=printed)
            if kept:
                session.feed_run(_SHOW, print_callback=printed)
    except monty.MontyCrashedError as error:
        raise ToolError("the sandbox ended unexpectedly; use less depth and less memory", printed.text) from error
    except monty.MontyError as error:
        raise ToolError(_told(error, code, seconds), printed.text) from error
    return printed.text.removesuffix("\n")


class _Printed:
    """Collects what is printed, up to a length that no result has."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, stream: str, text: str) -> None:
        if len(self.text) < PRINTED_CHARS:
            self.text += text[: PRINTED_CHARS - len(self.text)]


def _keeping_last(code: str) -> str:
    """``code`` with the value of the expression at its end kept as ``_``; "" where there is none.

    ToolError, as CPython has it, for what is no Python.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise ToolError(f"{type(error).__name__}: {error.msg}{_place(error.lineno or 0, code)}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"SyntaxError: the code cannot be read ({error or 'it is nested too deep'})") from error
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        return ""
    last = tree.body[-1]
    lines = code.encode().split(b"\n")
    line = lines[last.lineno - 1]
    lines[last.lineno - 1] = line[: last.col_offset] + b"_ = " + line[last.col_offset :]
    return b"\n".join(lines).decode()


def _place(number: int, code: str) -> str:
    lines = code.split("\n")
    return f" (line {number}: {lines[number - 1].strip()[:100]})" if 0 < number <= len(lines) else ""


def _told(error: Any, code: str, seconds: float) -> str:
    """The error in one line, with the line of ``code`` that it came from."""
    kind, message = type(error.exception()).__name__, str(error.exception())
    if kind == "TimeoutError" and "time limit exceeded" in message:
        return f"stopped at the time limit of {seconds:g} s"
    frames = [frame.line for frame in error.traceback() if "python-input" in frame.filename]
    place = _place(frames[-1], code) if frames else ""
    if kind == "NotImplementedError" and "monty syntax parser" in message:
        return f"this Python has no {message.partition('support ')[2] or 'such syntax'}{place}; write it without"
    if kind == "ModuleNotFoundError":
        return f"{kind}: {message}{place}; the modules here are: {MODULES}"
    return f"{kind}: {message}{place}"


@cache
def _monty() -> Any:
    try:
        import pydantic_monty
    except ImportError as error:
        raise FledgeError(
            "the Python tool needs pydantic-monty", fix='install it with: pip install "fledge[tools]"'
        ) from error
    return pydantic_monty


@cache
def _pool() -> Any:
    return _monty().Monty(max_processes=JAILS_AT_ONCE).__enter__()
