"""Headers, credits and licences of Project Gutenberg."""

from __future__ import annotations

import re

_START = re.compile(
    r"^[ \t]*\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG E[^*]{0,300}\*{3}[^\n]*\n"
    r"|^\*?(?:END)?\*?(?:END )?THE SMALL PRINT! ?FOR PUBLIC DOMAIN[^\n]*\*END\*[^\n]*\n",
    re.MULTILINE | re.IGNORECASE,
)
_END = re.compile(
    r"^[ \t]*\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG E"
    r"|^[ \t]*End of (?:the )?Project Gutenberg(?:'s|’s| e-?book| e-?text)",
    re.MULTILINE | re.IGNORECASE,
)
_CREDIT = re.compile(
    r"\s*(?:e-?text prepared|produced|transcribed|prepared) by\b[^\n]*(?:\n[^\n]*\S[^\n]*)*", re.IGNORECASE
)


def gutenberg(text: str) -> str:
    """Return the book alone, without Project Gutenberg's header, credits and licence; other texts as they are."""
    starts = list(_START.finditer(text))
    if starts:
        text = text[starts[-1].end() :]
        credit = _CREDIT.match(text)
        text = text[credit.end() :] if credit else text
    end = _END.search(text)
    if end:
        text = text[: end.start()]
    return text.strip("\n") if starts or end else text
