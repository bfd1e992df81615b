"""The shortest text worth keeping."""

from __future__ import annotations

from fledge.types import Verdict


def length(text: str, *, min_characters: int = 100) -> Verdict:
    """Keep texts of at least ``min_characters`` characters, surrounding whitespace not counted."""
    if len(text.strip()) < min_characters:
        return Verdict(False, f"fewer than {min_characters} characters")
    return Verdict(True)
