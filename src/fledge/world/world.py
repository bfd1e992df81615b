"""The world: documents, facts, conversations and tasks, each a pure function of the settings and a number."""

from __future__ import annotations

from collections.abc import Iterator

from fledge.types import Conversation, Document, Split, Task
from fledge.world.config import WorldConfig


class World:
    """An invented town for which everything is known."""

    def __init__(self, config: WorldConfig) -> None:
        self.config = config

    def document(self, index: int, split: Split = "train") -> Document:
        """Document ``index`` of a split; depends on the settings, ``split`` and ``index`` only."""
        raise NotImplementedError

    def documents(self, split: Split = "train") -> Iterator[Document]:
        raise NotImplementedError

    def conversations(self, split: Split = "train") -> Iterator[Conversation]:
        raise NotImplementedError

    def tasks(self) -> list[Task]:
        raise NotImplementedError

    def information_bits(self) -> float:
        raise NotImplementedError
