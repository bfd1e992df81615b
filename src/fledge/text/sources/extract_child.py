"""The child process that reads HTML and PDF: it may hang, crash or run out of memory without harm."""

from __future__ import annotations

import contextlib
import faulthandler
import html
import io
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from fledge.text.sources.frames import read_frame, write_frame

TITLE = re.compile(r"<title[^>]*>([^<]{1,1000})", re.IGNORECASE)
TITLE_CHARACTERS = 300
PAGES_BETWEEN_RESETS = 500


class Unreadable(Exception):
    """A file that is not what it claims to be."""


def _limit_memory(n_bytes: int) -> None:
    """Hold this process to ``n_bytes`` of address space, where the system knows such a limit."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_memory_short(limit_bytes: int) -> bool:
    """Whether half of the memory was ever in use. libxml2 out of memory looks like an empty page, not like an error."""
    if sys.platform != "linux":  # only there is the limit kept
        return False
    # of this program alone: what getrusage tells, it takes over from the process that started it
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return peak is not None and int(peak[1]) * 1024 > limit_bytes / 2


def decode_html(data: bytes, encoding: str) -> str:
    """A page's text: UTF-8 where it is that, else as the server said, as the page says, as it looks."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    if encoding:
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            return data.decode(encoding)
    return bytes_to_str(data, detect_encoding(data, from_html_meta=True) or "utf-8")


def extract_html(data: bytes, head: dict[str, Any]) -> tuple[str, str]:
    """Text and title of a page by trafilatura in its fast mode, without comments."""
    import trafilatura

    page = decode_html(data, head["encoding"])
    found = TITLE.search(page, 0, 200_000)
    title = " ".join(html.unescape(found[1]).split())[:TITLE_CHARACTERS] if found else ""
    text = trafilatura.extract(
        page, url=head["url"] or None, fast=True, include_comments=False, include_tables=head["tables"]
    )
    return text or "", title


def extract_pdf(data: bytes) -> tuple[str, str]:
    """Text and title of a PDF by pypdf, pages parted by blank lines."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it needs a password")
        texts = [page.extract_text() for page in reader.pages]
        title = str((reader.metadata.title if reader.metadata else "") or "")
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError) as error:
        raise Unreadable(f"not a readable PDF ({type(error).__name__}: {error})") from error
    return "\n\n".join(text.strip() for text in texts if text.strip()), title[:TITLE_CHARACTERS]


def _answer(head: dict[str, Any], payload: bytes, limit_bytes: int) -> tuple[dict[str, Any], bytes]:
    try:
        text, title = extract_pdf(payload) if head["kind"] == "pdf" else extract_html(payload, head)
        if not text and _is_memory_short(limit_bytes):
            raise MemoryError
        text = text.encode("utf-8", "replace").decode("utf-8")
        title = title.encode("utf-8", "replace").decode("utf-8")
        return {"outcome": "ok" if text.strip() else "empty", "title": title, "detail": ""}, text.encode()
    except Unreadable as error:
        return {"outcome": "unreadable", "title": "", "detail": str(error)[:300]}, b""
    except MemoryError:
        return {"outcome": "crashed", "title": "", "detail": "out of memory"}, b""
    except Exception as error:  # whatever a page does to the parser, it is this page's fault alone
        return {"outcome": "crashed", "title": "", "detail": f"{type(error).__name__}: {error}"[:300]}, b""


def main() -> None:
    """Answer requests from standard input until it closes. Each is given ``seconds``; then the process ends itself,
    so that it does not go on for ever when the parent, which kills it earlier, is gone."""
    source = sys.stdin.buffer
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())  # a library that prints must not break the frames
    logging.disable(logging.CRITICAL)
    log = open(os.devnull, "w")
    reset = None
    with contextlib.suppress(ImportError):
        import trafilatura.meta

        reset = trafilatura.meta.reset_caches
    limit_bytes = int(sys.argv[1])
    _limit_memory(limit_bytes)
    write_frame(target, {"ready": True})
    number = 0
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            head, payload = read_frame(source)
            faulthandler.dump_traceback_later(2 * float(head["seconds"]) + 5, exit=True, file=log)
            answer = _answer(head, payload, limit_bytes)
            faulthandler.cancel_dump_traceback_later()
            write_frame(target, *answer)
            number += 1
            if reset is not None and number % PAGES_BETWEEN_RESETS == 0:
                reset()


if __name__ == "__main__":
    main()
