"""WARC and WET: web pages and their texts as crawlers store them (ISO 28500)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fledge.text.sources.encoding import BadText, decode
from fledge.text.sources.formats import need
from fledge.text.sources.inputs import Input
from fledge.text.sources.records import RawRecord
from fledge.types import Reject

PAGE_TYPES = ("text/html", "application/xhtml+xml")
OTHER_TYPES = ("text/plain", "application/pdf")


class _Forward:
    """What fastwarc wants of a stream: ``read`` and a position."""

    def __init__(self, item: Input) -> None:
        self._stream, self._position = item.bytes, 0

    def read(self, n: int = -1) -> bytes:
        data = self._stream.read(n if n > 0 else 65_536)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError("the stream is read forward only")

    def close(self) -> None:
        """The stream's owner closes it."""


def read_warc(item: Input) -> Iterator[RawRecord | Reject]:
    """A record for each HTML (or plain-text, or PDF) response, and for each conversion record, in file order.

    Other responses are set aside one by one; what is no content at all (requests, metadata) is counted in one
    Reject at the end.
    """
    need("fastwarc", ".warc")
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    wanted = {int(WarcRecordType.response), int(WarcRecordType.resource), int(WarcRecordType.conversion)}
    others: Counter[str] = Counter()
    number = other_bytes = 0
    try:
        for record in ArchiveIterator(_Forward(item), parse_http=False, stream_detect=False, fsspec_args=False):
            number += 1
            if int(record.record_type) not in wanted:
                others[str(record.headers.get("WARC-Type", "unknown"))] += 1
                other_bytes += int(record.content_length)
                continue
            found = _read_record(item, record, f"#{number}")
            if found is not None:
                yield found
    except OSError as error:
        if not item.fault:
            reason = f"is not readable as WARC ({error})"
            where = f"#{number + 1}"
            yield item.reject("damaged-file", reason, where) if number else item.refuse("damaged-file", reason)
    if others:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        yield item.reject("warc-no-content", f"records without content: {counts}", n_bytes=other_bytes)


def _read_record(item: Input, record: Any, where: str) -> RawRecord | Reject | None:
    """One record's document; None where a fault cut it."""
    url = str(record.headers.get("WARC-Target-URI", "")).strip("<>")
    kind = str(record.headers.get("Content-Type", ""))
    n_bytes, most = int(record.content_length), item.settings.max_item_bytes
    too_large = item.reject("too-large", f"over {most} bytes (setting max_item_bytes)", where, n_bytes=n_bytes)
    if n_bytes > most:
        return too_large
    record.freeze()  # the length is now what was there, so that a cut shows
    if int(record.content_length) < n_bytes and item.fault:
        return None
    encoding = ""
    try:
        if record.is_http:
            record.parse_http(auto_decode="all")
            if record.http_headers.status_code != 200:
                reason = f"the server answered {record.http_headers.status_code} for {url}"
                return item.reject("http-status", reason, where, n_bytes=n_bytes)
            kind, encoding = str(record.http_content_type or ""), str(record.http_charset or "")
        kind = kind.partition(";")[0].strip().lower()
        if kind not in PAGE_TYPES + OTHER_TYPES:
            return item.reject("not-a-page", f"{kind or 'no content type'} at {url}", where, n_bytes=n_bytes)
        data = record.reader.read(most + 1)
    except (OSError, ValueError) as error:
        return item.reject("damaged-file", f"the record is damaged ({error})", where, n_bytes=n_bytes)
    if len(data) > most:
        return too_large
    if not data.strip():
        return item.reject("empty", f"no content at {url}", where, n_bytes=n_bytes)
    if kind in PAGE_TYPES:
        return RawRecord(item.name + where, item.name, html=data, encoding=encoding, url=url)
    if kind == "application/pdf":
        return RawRecord(item.name + where, item.name, pdf=data, url=url)
    try:
        text, meta = decode(data)
    except BadText as error:
        return item.bad_text(error, where, len(data))
    return RawRecord(item.name + where, item.name, text=text, url=url, meta=meta)
