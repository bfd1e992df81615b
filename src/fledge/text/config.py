"""Settings of the text stage."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.run.settings import setting
from fledge.text.sources.config import SourceSettings
from fledge.text.steps import FILTERS, SPLITTERS, TRANSFORMS, check_name
from fledge.types import FledgeError


@dataclass(frozen=True)
class TextConfig:
    """From raw files to clean documents.

    An entry of ``split``, ``transforms`` or ``filters`` is ``name`` or ``name@glob``: with a glob it holds only
    for documents whose source matches. A name is one of Fledge's own or the user's ``module:function``.
    """

    sources: tuple[str, ...] = setting((), "files, folders, archives, URLs or hf:owner/name data sets to read")
    source: SourceSettings = setting(SourceSettings(), "how sources are read")
    split: tuple[str, ...] = setting(
        (), "how a file is cut into documents: endoftext, blank_lines, lines, or re:PATTERN; the first that fits holds"
    )
    transforms: tuple[str, ...] = setting(("repair",), "what rewrites each text, in order")
    filters: tuple[str, ...] = setting(
        ("length", "gopher_quality", "gopher_repetition", "language"), "what decides whether a text is kept, in order"
    )
    thresholds: dict[str, float] = setting({}, 'changed thresholds, such as "gopher_quality.min_words" = 20')
    languages: tuple[str, ...] = setting(("en",), "ISO 639 codes that the filter language lets through")
    max_document_bytes: int = setting(200_000, "longer documents are cut at paragraphs, bytes of UTF-8")
    exact_dedup: bool = setting(True, "whether repeated documents fall (the first in order is kept)")
    near_dedup: bool = setting(True, "whether near-duplicates fall (MinHash; the first in order is kept)")
    shingle_words: int = setting(5, "words in a shingle of MinHash")
    minhash_bands: int = setting(14, "bands of MinHash")
    minhash_rows: int = setting(8, "hashes in a band of MinHash")
    heldout_fraction: float = setting(0.01, "documents held out, by hash of their id; at least one of two or more")
    heldout_max_bytes: int = setting(2_000_000, "held-out text at most, bytes of UTF-8")
    shard_bytes: int = setting(128_000_000, "text in an output shard, bytes of UTF-8")
    chunk_bytes: int = setting(4_000_000, "raw text handed to a worker at once, bytes", affects_result=False)
    chunk_records: int = setting(2_000, "records handed to a worker at once", affects_result=False)
    workers: int = setting(0, "worker processes; 0 takes one per core", affects_result=False)

    def __post_init__(self) -> None:
        least_one = ("max_document_bytes", "shingle_words", "minhash_bands", "minhash_rows", "shard_bytes")
        for name in (*least_one, "chunk_bytes", "chunk_records"):
            if getattr(self, name) < 1:
                raise FledgeError(f"{name} must be at least 1, got {getattr(self, name)}", where=name)
        for name in ("workers", "heldout_max_bytes"):
            if getattr(self, name) < 0:
                raise FledgeError(f"{name} must not be negative, got {getattr(self, name)}", where=name)
        if not 0 <= self.heldout_fraction < 1:
            raise FledgeError(
                f"heldout_fraction must be at least 0 and below 1, got {self.heldout_fraction}",
                where="heldout_fraction",
            )
        for field_name, table in (("split", SPLITTERS), ("transforms", TRANSFORMS), ("filters", FILTERS)):
            for entry in getattr(self, field_name):
                check_name(entry, table, where=field_name)
