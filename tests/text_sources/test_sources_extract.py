"""Extraction in a child: text comes back, what hangs is killed, what crashes is told, and the next page is read."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.extract import Extractor
from fledge.text.sources.records import RawRecord
from fledge.types import FledgeError

SENTENCES = "The river rose in the night and the ferry stayed at the other bank. " * 6
ARTICLE = (
    f"<html><head><title>The &amp; ferry</title></head><body><nav><a href='/'>Home</a></nav>"
    f"<article><h1>The ferry</h1><p>{SENTENCES}</p><p>Nobody crossed before noon, said Zoë.</p>"
    f"<table><tr><td>Boats</td><td>seventeen</td></tr></table></article></body></html>"
)


def page(html: str | bytes, **fields) -> RawRecord:
    return RawRecord("p", "p", html=html.encode() if isinstance(html, str) else html, **fields)


def pdf(texts: list[str]) -> bytes:
    """A PDF with one line a page, written by hand."""
    n = len(texts)
    kids = " ".join(f"{4 + 2 * k} 0 R" for k in range(n))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {n} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for k, text in enumerate(texts):
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {resources} /Contents {5 + 2 * k} 0 R >>")
        stream = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else ""
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode())
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{offset:010d} 00000 n \n" for offset in offsets).encode())
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


@pytest.fixture(scope="module")
def extractor():
    with Extractor(SourceSettings()) as found:
        yield found


def test_text_and_title_of_a_page(extractor):
    found = extractor.extract(page(ARTICLE))
    assert found.outcome == "ok" and found.title == "The & ferry" and found.seconds > 0
    assert "Nobody crossed before noon, said Zoë." in found.text and "seventeen" in found.text
    assert "Home" not in found.text


def test_tables_may_be_left_out():
    with Extractor(SourceSettings(include_tables=False)) as plain:
        assert "seventeen" not in plain.extract(page(ARTICLE)).text


def test_encodings_of_pages(extractor):
    said = page(ARTICLE.encode("iso-8859-2"), encoding="iso-8859-2")
    of_itself = page(ARTICLE.replace("<title>", "<meta charset='windows-1252'><title>").encode("cp1252"))
    for record in (said, of_itself, page(ARTICLE.encode("utf-8-sig")), page(ARTICLE.encode(), encoding="no-such")):
        assert "said Zoë." in extractor.extract(record).text


def test_pages_without_text(extractor):
    assert extractor.extract(page("<html><body></body></html>")).outcome == "empty"
    assert extractor.extract(page(b"\x00\xff\x01not html")).outcome in ("empty", "ok")


def test_pages_without_text_for_a_process_with_much_memory():
    """What the parent holds is not taken for the child's."""
    code = """
import sys
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.extract import Extractor
from fledge.text.sources.records import RawRecord
held = bytearray(400_000_000)
with Extractor(SourceSettings(extract_memory_bytes=600_000_000)) as extractor:
    found = extractor.extract(RawRecord("d", "d", html=b"<html><body></body></html>"))
sys.exit(found.outcome + found.detail)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "empty"


def test_pdfs(extractor):
    found = extractor.extract(RawRecord("d", "d", pdf=pdf(["First page.", "Second page."])))
    assert (found.outcome, found.text) == ("ok", "First page.\n\nSecond page.")
    assert extractor.extract(RawRecord("d", "d", pdf=pdf([""]))).outcome == "empty"
    for data in (b"%PDF-1.7 and then nothing of the kind", pdf(["x"])[:60]):
        broken = extractor.extract(RawRecord("d", "d", pdf=data))
        assert broken.outcome == "unreadable" and "not a readable PDF" in broken.detail


def test_an_endless_page_is_killed_and_the_next_is_read():
    endless = "<html><body><article>" + "<p>word and <a href='x'>link</a> more</p>" * 50_000
    with Extractor(SourceSettings(html_timeout_seconds=0.5)) as impatient:
        impatient.extract(page("<p>warm</p>"))
        child = impatient._child
        began = time.monotonic()
        found = impatient.extract(page(endless))
        assert found.outcome == "timeout" and found.text == "" and "0.5 s" in found.detail
        assert time.monotonic() - began < 10 and child.poll() is not None
        assert impatient.extract(page(ARTICLE)).outcome in ("ok", "timeout")
        assert impatient._child is not child


def test_a_record_becomes_text_or_a_reject_that_says_why(extractor):
    found = extractor.read(page(ARTICLE, url="http://site.example/", meta={"n": 1}))
    assert "said Zoë." in found.text and found.html is None and found.meta == {"n": 1, "title": "The & ferry"}
    assert found.id == "p" and found.url == "http://site.example/"
    text = RawRecord("t", "t", text="as it was")
    assert extractor.read(text) is text
    broken = RawRecord("d.pdf", "d.pdf", pdf=b"%PDF-1.7 and then nothing of the kind")
    for record, rule in [(page("<p></p>"), "html-empty"), (broken, "not-a-pdf")]:
        reject = extractor.read(record)
        assert reject.rule == rule and reject.id == record.id and reject.n_bytes == record.n_bytes
        assert reject.reason.startswith(f"{record.id}: ")


def test_patience_grows_with_the_median():
    with Extractor(SourceSettings(html_timeout_seconds=0.001)) as patient:
        patient._seconds["html"].extend([9.0] * 9)
        assert patient._allowed_seconds("html") == 0.001
        patient._seconds["html"].extend([2.0] * 10)
        assert patient._allowed_seconds("html") == 40.0
        assert patient._allowed_seconds("pdf") == 60.0


def test_a_child_that_dies_is_told_and_replaced(extractor):
    extractor.extract(page(ARTICLE))
    extractor._child.kill()
    extractor._child.wait()
    assert extractor.extract(page(ARTICLE)).outcome == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_a_page_that_eats_the_memory_crashes_the_child_alone():
    with Extractor(SourceSettings(extract_memory_bytes=600_000_000)) as small:
        assert small.extract(page(ARTICLE)).outcome == "ok"
        found = small.extract(page("<p>" + "<i>x</i>" * 2_500_000))
        assert (found.outcome, found.detail) == ("crashed", "out of memory")
        assert small.extract(page(ARTICLE)).outcome == "ok"


def test_the_child_ends_with_its_parent():
    code = (
        "import os; from fledge.text.sources.config import SourceSettings as S;"
        "from fledge.text.sources.extract import Extractor as E;"
        "from fledge.text.sources.records import RawRecord as R;"
        "e = E(S()); e.extract(R('a', 'a', html=b'<p>x</p>')); print(e._child.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    if os.name != "nt":
        for _ in range(100):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
        assert state.stdout.strip()[:1] in ("", "Z")


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with Extractor(SourceSettings()) as found, pytest.raises(FledgeError, match=r"needs trafilatura; install with"):
        found.extract(page(ARTICLE))
