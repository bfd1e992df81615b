"""What may be written to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with control characters, but for line ends and tabs, replaced by U+FFFD.

    What a model or a stranger wrote must not steer the terminal.
    """
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 else c for c in text)
