"""Real web archives and pages, where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.extract import Extractor
from fledge.text.sources.read import read_unit
from fledge.text.sources.units import list_units

DATA = Path(os.environ.get("FLEDGE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "web"
SETTINGS = SourceSettings()

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no web data: set FLEDGE_DATA to the data folder")


def found(name: str):
    return [item for unit in list_units([str(DATA / name)], SETTINGS) for item in read_unit(unit, SETTINGS)]


def test_web_archives_of_three_makers():
    (page, _) = found("cc_whirlwind.warc.gz")
    (text, _) = found("cc_whirlwind.warc.wet.gz")
    assert b"Escopete" in page.html and "Escopete" in text.text and page.url == text.url
    rules = [getattr(item, "rule", "document") for item in found("aut_example.warc.gz")]
    assert rules.count("document") == 129 and rules.count("not-a-page") == 122 and rules.count("http-status") == 47
    assert [item.rule for item in found("resiliparse_clipped.warc.gz")] == ["truncated-archive"]


def test_extraction_keeps_what_pages_must_have():
    gold = {page["file"]: page for page in json.loads((DATA / "trafilatura_evaldata.json").read_bytes()).values()}
    unit = list_units([str(DATA / "trafilatura_eval_and_cache_html.tar.gz")], SETTINGS)[0]
    n_pages = n_kept = n_wanted = n_noise = n_unwanted = 0
    with Extractor(SETTINGS) as extractor:
        for record in read_unit(unit, SETTINGS):
            expected = gold.get(record.id.rsplit("/", 1)[-1])
            if expected is None or getattr(record, "html", None) is None:
                continue
            text = extractor.extract(record).text
            n_kept += sum(snippet in text for snippet in expected["with"])
            n_wanted += len(expected["with"])
            n_noise += sum(snippet in text for snippet in expected["without"])
            n_unwanted += len(expected["without"])
            n_pages += 1
            if n_pages == 60:
                break
    assert n_pages == 60
    assert n_kept >= 0.85 * n_wanted
    assert n_noise <= 0.2 * n_unwanted
