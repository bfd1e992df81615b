"""The tools that a model has, run by the text of its calls. Whatever it writes, a result comes back."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from fledge.infer.tools.call import ToolError, parse_call
from fledge.infer.tools.results import NOTHING, as_text, cut, failure, harmless
from fledge.infer.tools.schema import checked
from fledge.infer.tools.tool import Limits, Tool, describe, openai
from fledge.infer.tools.workers import Workers
from fledge.types import FledgeError


@dataclass(frozen=True)
class ToolResult:
    """``text`` goes back to the model, also where the call ``failed``; ``name`` is "" where none could be read."""

    text: str
    failed: bool
    seconds: float
    name: str


class Toolbox:
    """Tools by name. :meth:`run` may be called from several threads; ``workers`` isolated tools run at once.

    A context manager; :meth:`close` ends the worker processes. FledgeError for two tools of one name.
    """

    def __init__(self, tools: Iterable[Tool], *, workers: int = 4) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise FledgeError(f"there are two tools named {tool.name}", fix='rename one with tool(name="...")')
            self._tools[tool.name] = tool
        self._workers = Workers(workers)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tools)

    def only(self, names: Iterable[str]) -> Toolbox:
        """The tools of these names, in the order that they have here, with the same worker processes."""
        chosen, wanted = Toolbox(()), set(names)
        chosen._tools = {name: tool for name, tool in self._tools.items() if name in wanted}
        chosen._workers = self._workers
        return chosen

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What the model is shown, for ``Conversation.tools``."""
        return tuple(describe(listed["function"]) for listed in self.openai)

    @property
    def openai(self) -> list[dict[str, Any]]:
        """The tools as OpenAI's API lists them."""
        return [openai(tool) for tool in self._tools.values()]

    def run(self, text: str) -> ToolResult:
        """Carry out the call that a model wrote. Never raises for what it wrote or what the tool did."""
        started = time.perf_counter()
        name, limits = "", Limits()
        try:
            call = parse_call(text)
            name = call.name
            tool = self._tool(name)
            limits = tool.limits
            result = self._called(tool, checked(call.arguments, tool.parameters))
            shown, failed = cut(harmless(result), limits.output_chars) or NOTHING, False
        except ToolError as error:
            shown, failed = failure(str(error), error.output, limits.output_chars), True
        except (Exception, SystemExit) as error:  # a tool may fail in any way
            shown, failed = failure(f"{type(error).__name__}: {error}", "", limits.output_chars), True
        return ToolResult(shown, failed, time.perf_counter() - started, harmless(name))

    def _called(self, tool: Tool, arguments: dict[str, Any]) -> str:
        """The result, hardly longer than may be shown."""
        if tool.isolated:
            return self._workers.call(tool, arguments)
        return as_text(tool(**arguments))[: tool.limits.output_chars + 1]

    def _tool(self, name: str) -> Tool:
        if name in self._tools:
            return self._tools[name]
        close = difflib.get_close_matches(name[:100], self._tools, 1)
        known = ", ".join(self._tools) or "none"
        guess = f"; did you mean {close[0]}?" if close else ""
        raise ToolError(f"there is no tool {name[:100]!r}; the tools are: {known}{guess}")

    def session(self, max_calls: int = 8) -> Session:
        """A count of calls for one reply."""
        return Session(self, max_calls)

    def close(self) -> None:
        """End the worker processes; calls under way fail, and later ones of isolated tools too."""
        self._workers.close()

    def __enter__(self) -> Toolbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Session:
    """The calls of one reply: after ``max_calls`` the model is told to answer without. For one thread."""

    def __init__(self, toolbox: Toolbox, max_calls: int) -> None:
        self._toolbox, self.max_calls, self.calls = toolbox, max_calls, 0

    def run(self, text: str) -> ToolResult:
        """As :meth:`Toolbox.run`; failed calls count too."""
        if self.calls >= self.max_calls:
            told = f"error: no tool can be called again in this reply (at most {self.max_calls} calls); answer now"
            return ToolResult(told, True, 0.0, "")
        self.calls += 1
        return self._toolbox.run(text)
