"""Tools that the server runs itself: what it needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class ToolResult(Protocol):
    """``text`` goes back to the model, also where the call failed."""

    @property
    def text(self) -> str: ...

    @property
    def failed(self) -> bool: ...

    @property
    def seconds(self) -> float: ...

    @property
    def name(self) -> str: ...


class Session(Protocol):
    """The calls of one reply."""

    def run(self, text: str) -> ToolResult:
        """Carry out the call that a model wrote, in a thread of its own; never raises for what it wrote."""


class Toolbox(Protocol):
    """``openai`` are the tools as OpenAI's API lists them."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def openai(self) -> Sequence[dict[str, Any]]: ...

    def session(self, max_calls: int) -> Session: ...
