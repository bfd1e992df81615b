"""Which file names can be read, and how."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import PurePosixPath

from fledge.types import FledgeError

CODECS = {".gz": "gz", ".bz2": "bz2", ".zst": "zst", ".xz": "xz"}
FORMATS = {
    ".txt": "txt",
    ".md": "txt",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".pdf": "pdf",
    ".warc": "warc",
    ".wet": "warc",
}
ARCHIVES = {".zip": "zip", ".tar": "tar"}
SHORT_NAMES = {".tgz": (".tar", ".gz"), ".tbz2": (".tar", ".bz2"), ".txz": (".tar", ".xz"), ".tzst": (".tar", ".zst")}
SUPPORTED = (
    f"{' '.join(FORMATS)}, each also inside {' '.join(CODECS)}, and archives .zip .tar .tgz .tar.gz .tar.bz2 .tar.xz"
    " .tar.zst of them"
)
CONTENT_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/pdf": ".pdf",
    "application/warc": ".warc",
    "application/vnd.apache.parquet": ".parquet",
    "application/zip": ".zip",
    "application/x-tar": ".tar",
}


def classify(name: str) -> tuple[str, str]:
    """The (format, codec) of a file name, such as ("warc", "gz"); the format is "" where it is unknown."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name.rsplit("/", 1)[-1]).suffixes]
    if suffixes and suffixes[-1] in SHORT_NAMES:
        suffixes[-1:] = SHORT_NAMES[suffixes[-1]]
    codec = CODECS[suffixes.pop()] if suffixes and suffixes[-1] in CODECS else ""
    last = suffixes[-1] if suffixes else ""
    if last == ".zip" and codec:  # a zip is read from its end, which a compressed stream does not have
        return "", codec
    return FORMATS.get(last) or ARCHIVES.get(last, ""), codec


def need(module: str, what: str) -> None:
    """Raise FledgeError where an optional library is missing; it names the command that installs it here."""
    try:
        found = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
        # the name on the package index differs from the module's by its hyphens only
        command = f"{python or 'python'} -m pip install {module.replace('_', '-')}"
        raise FledgeError(f"reading {what} needs {module}", fix=f"install with: {command}")
