"""The shortest text worth keeping."""

from __future__ import annotations

from fledge.types import Verdict


def length(text: str, *, min_characters: int = 100) -> Verdict:
    """Keep texts of at least ``min_characters`` characters, surrounding whitespace not counted."""
    n_characters = len(text.strip())
    if n_characters < min_characters:
        return Verdict(False, f"{n_characters} characters, fewer than {min_characters}")
    return Verdict(True)
