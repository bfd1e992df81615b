"""Unicode repair: one form for characters and line ends; text that was decoded wrongly is decoded again."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|[\x0c\x85\u2028\u2029]")
# Single accented letters and marks between ASCII: mojibake comes as two or more characters in a row, or with one of
# the letters that are left out here, so ftfy (which is slow) has nothing to do.
_HARMLESS = re.compile(
    r"[\x00-\x7f]*(?:[\xa3\xa7\xb0\xb1\xb7\xc0\xc1\xc4-\xcf\xd1-\xdf\xe0\xe1\xe4-\xef\xf1-\xff–—‘’“”…•](?![^\x00-\x7f])[\x00-\x7f]*)*"
)
_MANY_BREAKS = re.compile(r"\n{4,}")
_ROUNDS = 4


def repair(text: str) -> str:
    """Return ``text`` in NFC with ``\\n`` line ends, without control characters, mojibake undone by ftfy.

    Each line is handled by itself, as ftfy does; lines of ASCII need no ftfy. Entities and quotation marks stay as
    they are. Spaces at line ends and more than two empty lines in a row go. Applying it twice changes nothing.
    """
    if not text.isascii():
        text = "\n".join(
            line if line.isascii() else _repair_line(line) for line in _LINE_END.sub("\n", text).split("\n")
        )
    return _plain(text)


def _plain(text: str) -> str:
    text = _CONTROL.sub("", _LINE_END.sub("\n", text))
    return _MANY_BREAKS.sub("\n\n\n", "\n".join(map(str.rstrip, text.split("\n")))).rstrip()


def _repair_line(line: str) -> str:
    """``line`` after ftfy, repeated until nothing changes; a line that never settles is only brought to NFC."""
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False, uncurl_quotes=False, fix_line_breaks=False, normalization="NFC", explain=False
    )
    current = unicodedata.normalize("NFC", _CONTROL.sub("", line))
    for _ in range(_ROUNDS):
        settled = current
        current = unicodedata.normalize("NFC", _plain(ftfy.fix_text(settled, config)))
        if current == settled:
            return current
    return unicodedata.normalize("NFC", _CONTROL.sub("", line))
