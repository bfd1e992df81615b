"""A tool: a function that a model may call, with what the model is told of it and how far it may go."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from fledge.infer.tools.schema import arguments_of, parameters_of, supported
from fledge.types import FledgeError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FILE_MODULE = "fledge_tool_file_"
"""How modules that were loaded from a file by its path begin."""


@dataclass(frozen=True)
class Limits:
    """Wall seconds for one call, and characters of its result."""

    seconds: float = 5.0
    output_chars: int = 2_000

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.output_chars < 100:
            raise FledgeError("a tool needs some time and at least 100 characters", where=str(self))


@dataclass(frozen=True)
class Tool:
    """``parameters`` is a JSON schema of the arguments, ``call`` takes them by name.

    ``fixed`` are further arguments (JSON values) that the model neither sees nor gives. An ``isolated`` tool runs in a
    worker process, which imports it by its ``reference`` (``module:function`` or ``path/file.py:function``) and is
    killed at the time limit; one that is not must be bounded by itself. Raises FledgeError for what cannot work.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[..., Any]
    limits: Limits = field(default_factory=Limits)
    isolated: bool = True
    reference: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise FledgeError(f"{self.name!r} is no name for a tool", fix="use up to 64 letters, digits, _ and -")
        if self.parameters.get("type") != "object" or "properties" not in self.parameters:
            raise FledgeError("the schema of its arguments is not one of an object", where=f"tool {self.name}")
        supported(self.parameters, f"tool {self.name}")
        if self.isolated and not self.reference:
            raise FledgeError(
                "a worker process cannot import it by name",
                where=f"tool {self.name}",
                fix="define the function at the top level of a module, or bound it yourself and say isolated=False",
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, in this process, unchecked."""
        return self.call(*args, **self.fixed, **kwargs)


@overload
def tool(function: Callable[..., Any]) -> Tool: ...


@overload
def tool(
    *, name: str = "", limits: Limits | None = None, isolated: bool = True
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str = "",
    limits: Limits | None = None,
    isolated: bool = True,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function with types and a docstring, whose first paragraph the model reads. Also a decorator.

    Raises FledgeError for a function without a docstring, or with arguments of types that a model cannot be told.
    """
    if function is None:
        return lambda one: tool_of(one, name=name, limits=limits, isolated=isolated)
    return tool_of(function, name=name, limits=limits, isolated=isolated)


def tool_of(function: Callable[..., Any], *, name: str, limits: Limits | None, isolated: bool) -> Tool:
    name = name or getattr(function, "__name__", "")
    description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    if not description:
        raise FledgeError("has no docstring", where=f"tool {name}", fix="say in one sentence what it does")
    return Tool(
        name,
        description,
        parameters_of(function),
        function,
        limits or Limits(),
        isolated,
        _reference(function),
    )


def _reference(function: Callable[..., Any]) -> str:
    """How another process finds ``function``; "" where it cannot."""
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", "")
    if not name.isidentifier() or not module:
        return ""
    if module != "__main__" and not module.startswith(FILE_MODULE):
        return f"{module}:{name}"
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{Path(file).resolve()}:{name}" if file else ""


def describe(function: Mapping[str, Any]) -> str:
    """The line that the model is shown, as short as it can be: ``search(query: string, k: integer = 3): Search …``.

    ``function`` has ``name``, ``description`` and ``parameters`` as OpenAI's API lists a tool, the schema of a client's
    tool too. Of the description the line has the first sentence.
    """
    told = ""
    for part in " ".join(str(function.get("description") or "").split()).split(". "):
        if told and part[:1].isupper():  # not after "e.g. "
            told += "."
            break
        told += f". {part}" if told else part
    line = f"{function['name']}({arguments_of(function['parameters'])})"
    return f"{line}: {told}" if told else line


def openai(tool: Tool) -> dict[str, Any]:
    """The entry of a ``tools`` list as OpenAI's API has it."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
