"""Runs one piece of Python behind the walls of ``confine``: ``python -I -S -B jailed`` with a line of JSON on stdin.

What the code prints, and the value of its last expression, goes to stdout; what it fails of to the first stderr. The
exit status is 0 where it ran to its end, 1 where it raised, 97 where a wall could not be raised and nothing was run.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

import confine

NAME = "<code>"
UNCONFINED = 97


def readable() -> list[Path]:
    """The interpreter's own library and those of the system that its modules are linked with."""
    own = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), f"{sys.base_prefix}/lib"]
    system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"]
    return [Path(path) for path in (*own, *system)]


def run(source: str) -> None:
    """As in a terminal: the value of an expression at the end is shown, unless it is None."""
    tree = ast.parse(source, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(tree, NAME, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval"), names)
        if value is not None:
            print(repr(value))


def told(error: BaseException) -> str:
    """The error and the line of the code that it came from."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame, number in traceback.walk_tb(error.__traceback__):
        line = number if frame.f_code.co_filename == NAME else line
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {what}" if what else type(error).__name__
    source = linecache.getline(NAME, line).strip()[:100] if line else ""
    return text + (f" (line {line}: {source})" if source else f" (line {line})" if line else "")


def walled(asked: dict[str, Any]) -> int:
    """Confine this process; returns the file descriptor of the first stderr, which is for what fails."""
    confine.die_with(asked["parent"])
    scratch = Path(asked["scratch"])
    os.chdir(scratch)
    os.umask(0o077)
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(1, 2)
    os.closerange(3, errors)
    os.closerange(errors + 1, 4096)
    sys.path.pop(0)  # the folder of this file
    limits = {name: asked[name] for name in ("cpu_seconds", "memory_bytes", "file_bytes")}
    confine.enter(scratch, readable(), **limits)
    return errors


def main() -> int:
    asked = json.loads(sys.stdin.buffer.read())
    source = asked["code"]
    try:
        errors = walled(asked)
    except OSError as error:
        print(error.strerror or error, file=sys.stdout, flush=True)
        return UNCONFINED
    linecache.cache[NAME] = (len(source), None, source.splitlines(True), NAME)
    failure = ""
    try:
        run(source)
    except SystemExit as end:
        failure = "" if end.code in (None, 0) else f"SystemExit: {end.code}"
    except BaseException as error:
        failure = told(error)
    sys.stdout.flush()
    os.write(errors, failure.encode(errors="replace"))
    return 1 if failure else 0


if __name__ == "__main__":
    os._exit(main())
