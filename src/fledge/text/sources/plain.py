"""Plain text and Markdown: a file is a document; one over the limit is read in parts."""

from __future__ import annotations

from collections.abc import Iterator

from fledge.text.sources.encoding import BadText, decode
from fledge.text.sources.inputs import Input
from fledge.text.sources.records import RawRecord
from fledge.types import Reject

SNIFFED_BYTES = 8192
BORDERS = (b"<|endoftext|>", b"\n\n", b"\r\n\r\n", b"\n", b" ")


def _cut(data: bytes, most: int) -> int:
    """Where to cut ``data``: after the last border of the best kind in its second half, else between characters."""
    for border in BORDERS:
        found = data.rfind(border, most // 2, most)
        if found >= 0 and found + len(border) <= most:
            return found + len(border)
    cut = most
    while cut > max(0, most - 4) and data[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut or most


def _parts(item: Input) -> Iterator[bytes]:
    """Parts of at most ``max_document_bytes``; the last of a stream that a fault cut is dropped."""
    most, data = item.settings.max_document_bytes, b""
    while True:
        data += item.utf8.read(most + 1 - len(data))
        if len(data) <= most:
            break
        cut = _cut(data, most)
        yield data[:cut]
        data = data[cut:]
    if data and not item.fault:
        yield data


def read_plain(item: Input) -> Iterator[RawRecord | Reject]:
    """One record for a file, or records ``#1``, ``#2``, … with ``part`` in their meta."""
    if b"\0" in item.utf8.peek(SNIFFED_BYTES):
        yield item.refuse("binary", "holds null bytes", n_bytes=item.raw.n_out)
        return
    parts = _parts(item)
    first, second = next(parts, None), next(parts, None)
    if first is None:
        if not item.fault:
            yield item.refuse("empty", "the file is empty")
        return
    if second is None:
        yield _record(item, first, 0)
        return
    yield _record(item, first, 1)
    yield _record(item, second, 2)
    for number, part in enumerate(parts, 3):
        yield _record(item, part, number)


def _record(item: Input, data: bytes, part: int) -> RawRecord | Reject:
    where = f"#{part}" if part else ""
    try:
        text, meta = decode(data)
    except BadText as error:
        return item.bad_text(error, where, len(data))
    if not text.strip():
        return item.reject("empty", "holds no text", where, n_bytes=len(data))
    return item.record(text, where, {**meta, "part": part} if part else meta)
