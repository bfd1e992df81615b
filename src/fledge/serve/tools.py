"""Tools that the server runs itself: what it needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


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
    """``descriptions`` are lines of JSON with ``name``, ``description`` and ``parameters``, as models read them."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def descriptions(self) -> Sequence[str]: ...

    def session(self, max_calls: int) -> Session: ...
