"""HTML pages and PDFs: passed on as bytes, so that extraction happens where it can be killed."""

from __future__ import annotations

from collections.abc import Iterator

from fledge.text.sources.formats import need
from fledge.text.sources.inputs import Input
from fledge.text.sources.records import RawRecord
from fledge.types import Reject

PDF_MARK_WITHIN = 1024


def read_html(item: Input) -> Iterator[RawRecord | Reject]:
    """One record: the page. Its encoding is settled by the extractor, which sees what the page itself says."""
    data = item.whole()
    if isinstance(data, Reject):
        yield data
    elif data is not None and not data.strip():
        yield item.refuse("empty", "the file is empty")
    elif data is not None:
        yield RawRecord(item.name, item.name, html=data, encoding=item.encoding, url=item.url)


def read_pdf(item: Input) -> Iterator[RawRecord | Reject]:
    """One record: the PDF, if it is one."""
    need("pypdf", ".pdf")
    data = item.whole()
    if isinstance(data, Reject):
        yield data
    elif data is not None and b"%PDF-" not in data[:PDF_MARK_WITHIN]:
        yield item.refuse("not-a-pdf", "does not begin like a PDF", n_bytes=len(data))
    elif data is not None:
        yield RawRecord(item.name, item.name, pdf=data, url=item.url)
