"""Text from HTML pages and PDFs, in a child process that is killed when it takes too long."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from typing import IO, Any, Literal

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.formats import need
from fledge.text.sources.frames import read_frame, write_frame
from fledge.text.sources.records import Extracted, RawRecord
from fledge.types import FledgeError, Reject

Kind = Literal["html", "pdf"]

TIMES_MEDIAN = 20.0
REMEMBERED = 500  # pages whose seconds make the running median
ENOUGH = 10  # with fewer, one slow page would buy patience for all
START_SECONDS = 120.0
LIBRARY = {"html": "trafilatura", "pdf": "pypdf"}


class Extractor:
    """Reads pages one at a time; the child is started at the first, used again, and replaced after a kill.

    A page may take the larger of the setting's seconds and 20 × the median of those before it (from ten on).
    There is one extractor for each worker; it may live in any process, daemonic ones too, and on any platform.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._seconds: dict[Kind, deque[float]] = {"html": deque(maxlen=REMEMBERED), "pdf": deque(maxlen=REMEMBERED)}

    def extract(self, record: RawRecord) -> Extracted:
        """Text and title of the record's ``html`` or ``pdf``. The outcome is "unreadable" for a PDF that is none or
        needs a password; ``detail`` says more wherever it is not "ok"."""
        if record.html is not None:
            head = {"url": record.url, "encoding": record.encoding, "tables": self._settings.include_tables}
            return self._run("html", record.html, head)
        assert record.pdf is not None, "the record holds text already"
        return self._run("pdf", record.pdf, {})

    def read(self, record: RawRecord) -> RawRecord | Reject:
        """The record with its text, or a Reject: ``html-empty``, ``html-timeout``, ``html-crashed``, the same with
        ``pdf-``, and ``not-a-pdf``. A record that holds text already is passed on."""
        if record.text is not None:
            return record
        found = self.extract(record)
        if found.outcome == "ok":
            meta = {**record.meta, "title": found.title} if found.title else record.meta
            return replace(record, text=found.text, html=None, pdf=None, meta=meta)
        kind = "html" if record.html is not None else "pdf"
        rule = "not-a-pdf" if found.outcome == "unreadable" else f"{kind}-{found.outcome}"
        reason = f"{record.id}: {found.detail or 'no text was found in it'}"
        return Reject(record.id, record.source, rule, reason, n_bytes=record.n_bytes)

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            for pipe in (self._child.stdin, self._child.stdout):
                _close(pipe)
            self._child.wait()
            self._child = None

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _allowed_seconds(self, kind: Kind) -> float:
        least = self._settings.html_timeout_seconds if kind == "html" else self._settings.pdf_timeout_seconds
        seconds = self._seconds[kind]
        return max(least, TIMES_MEDIAN * statistics.median(seconds)) if len(seconds) >= ENOUGH else least

    def _run(self, kind: Kind, data: bytes, head: dict[str, Any]) -> Extracted:
        child = self._child if self._child is not None and self._child.poll() is None else self._start(kind)
        allowed = self._allowed_seconds(kind)
        began = time.perf_counter()
        answer = _ask(child, {"kind": kind, "seconds": allowed, **head}, data, allowed)
        seconds = time.perf_counter() - began
        if isinstance(answer, str):
            self.close()
            if answer == "timeout":
                return Extracted("", "", "timeout", seconds, f"stopped after {allowed:.3g} s")
            return Extracted("", "", "crashed", seconds, answer)
        told, text = answer
        if told["outcome"] == "crashed":
            self.close()  # its memory may be in any state
        else:
            self._seconds[kind].append(seconds)
        return Extracted(text.decode("utf-8"), told["title"], told["outcome"], seconds, told["detail"])

    def _start(self, kind: Kind) -> subprocess.Popen[bytes]:
        need(LIBRARY[kind], f".{kind}")
        self.close()
        paths = os.pathsep.join(path for path in sys.path if path)
        child = subprocess.Popen(
            # -P: a file of the working directory must not stand in for a library
            [sys.executable, "-P", "-m", "fledge.text.sources.extract_child", str(self._settings.extract_memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._child = child
        answer = _ask(child, None, b"", START_SECONDS)
        if isinstance(answer, str):
            self.close()
            fix = "raise the setting extract_memory_bytes, or check that `python -c 'import trafilatura'` works"
            raise FledgeError("the process that reads HTML and PDF does not start", where="text", fix=fix)
        return child


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:  # what was not yet written to the dead child
        pass


def _ask(
    child: subprocess.Popen[bytes], head: dict[str, Any] | None, payload: bytes, seconds: float
) -> tuple[dict[str, Any], bytes] | str:
    """The child's answer (to nothing, for its first word), or "timeout", or how it ended."""
    assert child.stdin is not None and child.stdout is not None
    late = threading.Event()

    def kill() -> None:
        late.set()
        child.kill()

    watchdog = threading.Timer(seconds, kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        if head is not None:
            write_frame(child.stdin, head, payload)
        return read_frame(child.stdout)
    except (EOFError, OSError, ValueError):
        status = child.wait()
        return "timeout" if late.is_set() else f"the process ended with status {status}"
    finally:
        watchdog.cancel()
