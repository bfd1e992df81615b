"""Bytes to text: UTF-8, UTF-16 and UTF-32 with a mark, else Windows-1252 where plausible, else repaired and counted."""

from __future__ import annotations

import codecs
import io
import re
from typing import Any

MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
HIGH = re.compile(rb"[\x80-\xff]")
TYPOGRAPHIC = frozenset("“”„‘’‚–—…•€£¥§°«»©®™·¿¡º½¼¾²³ \u00a0")
ODD_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


class BadText(Exception):
    """Bytes that are no text; ``rule`` is "binary" or "encoding"."""

    def __init__(self, rule: str, reason: str) -> None:
        self.rule, self.reason = rule, reason
        super().__init__(reason)


def _is_cp1252(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 read as Windows-1252: a few high bytes, nearly all letters or quotes."""
    high = HIGH.findall(data)
    if MULTIBYTE.search(data) or len(high) > 0.3 * len(data):
        return False
    try:
        characters = b"".join(high).decode("cp1252")
    except UnicodeDecodeError:
        return False
    return sum(c.isalpha() or c in TYPOGRAPHIC for c in characters) >= 0.9 * len(characters)


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """Text, and what has to be said of it: ``encoding`` or ``replaced_characters``, or nothing.

    Raises BadText where ``data`` is binary, or where over a tenth of it would have to be replaced.
    """
    odd = len(data) - len(data.translate(None, ODD_CONTROLS))
    if b"\0" in data or odd > 0.05 * len(data):
        raise BadText("binary", "holds null bytes" if b"\0" in data else f"holds {odd} control characters")
    try:
        return data.decode("utf-8"), {}
    except UnicodeDecodeError:
        pass
    if _is_cp1252(data):
        return data.decode("cp1252"), {"encoding": "cp1252"}
    text = data.decode("utf-8", "replace")
    n_replaced = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    if n_replaced > 0.1 * len(text):
        raise BadText("encoding", f"is neither UTF-8 nor Windows-1252 ({n_replaced} of {len(text)} characters broken)")
    return text, {"replaced_characters": n_replaced}


def mend(text: str) -> tuple[str, dict[str, Any]]:
    """A text read with ``surrogateescape``, or with lone surrogates from JSON, made valid; as :func:`decode`."""
    try:
        text.encode("utf-8")
        return text, {}
    except UnicodeEncodeError:
        pass
    try:
        return decode(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        n_replaced = mended.count("\ufffd") - text.count("\ufffd")
        return mended, {"replaced_characters": n_replaced} if n_replaced else {}


class _Utf8Stream(io.RawIOBase):
    """Another encoding as UTF-8, piece by piece."""

    def __init__(self, source: Any, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._carry = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while not self._carry and not self._ended:
            data = self._source.read(65_536)
            self._ended = not data
            self._carry = self._decoder.decode(data, final=not data).encode("utf-8")
        data, self._carry = self._carry[: len(view)], self._carry[len(view) :]
        view[: len(data)] = data
        return len(data)


def as_utf8(stream: io.BufferedReader[Any]) -> tuple[io.BufferedReader[Any], dict[str, Any]]:
    """The stream without its byte-order mark, as (nearly always) UTF-8 bytes, and what to note of it."""
    start = stream.peek(4)[:4]
    for mark, encoding in MARKS:
        if start.startswith(mark):
            if encoding == "utf-8-sig":
                stream.read(len(mark))
                return stream, {}
            return io.BufferedReader(_Utf8Stream(stream, encoding), 65_536), {"encoding": encoding}
    return stream, {}
