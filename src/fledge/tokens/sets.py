"""Which documents make one set of token shards: those of a whole source, or those whose source fits a pattern."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fledge.text.shards import read_rows
from fledge.tokens.config import SOURCES
from fledge.types import Document, FledgeError

REST = "text"
"""The key of the documents of the text that no pattern matches."""
_NAME_CHARACTERS = 40
_SOURCES_TOLD = 3


@dataclass(frozen=True)
class Selection:
    """The documents that belong to ``key``: to the first of ``patterns`` that matches, else to the rest."""

    key: str
    patterns: tuple[str, ...]

    def of(self, documents: Iterable[Document]) -> Iterator[Document]:
        return (each for each in documents if key_of(each.source, self.patterns) == self.key)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr((self.key, self.patterns)).encode("utf-8", "backslashreplace")).hexdigest()


def key_of(source: str, patterns: Sequence[str]) -> str:
    """The first of ``patterns`` that ``source`` fits, in the manner of a shell and with letter case; else the rest."""
    return next((pattern for pattern in patterns if fnmatch.fnmatchcase(source, pattern)), REST)


def set_names(keys: Iterable[str]) -> dict[str, str]:
    """For each key of a mixture the name of its set, which is its directory's: ``*Tiny stories*`` →
    ``text-tiny-stories``; ``world`` and ``text`` keep theirs.

    Lower-case ASCII letters and digits between hyphens, which every file system takes and keeps apart; where two
    patterns come to the same, or to nothing, a hash of the pattern follows.
    """
    slugs = {
        key: re.sub(r"[^a-z0-9]+", "-", key.lower())[:_NAME_CHARACTERS].strip("-") for key in keys if key not in SOURCES
    }
    count = Counter(slugs.values())
    names = {key: key for key in SOURCES}
    for pattern, slug in slugs.items():
        digest = hashlib.sha256(pattern.encode("utf-8", "backslashreplace")).hexdigest()[:8]
        unique = slug and count[slug] == 1
        names[pattern] = f"{REST}-{slug}" if unique else "-".join(part for part in (REST, slug, digest) if part)
    return names


def count_documents(paths: Sequence[Path], patterns: tuple[str, ...], wanted: Iterable[str]) -> list[Counter[str]]:
    """How many documents of each shard of ``paths`` belong to each key; only the sources' column is read.

    Raises FledgeError for a key of ``wanted`` to which none belongs.
    """
    fitting: set[str] = set()
    sources: list[str] = []

    @lru_cache(maxsize=1 << 16)
    def key(source: str) -> str:
        fitting.update(each for each in patterns if fnmatch.fnmatchcase(source, each))
        if len(sources) < _SOURCES_TOLD and source not in sources:
            sources.append(source)
        return key_of(source, patterns)

    counts = [Counter(key(row["source"]) for row in read_rows([path], ["source"])) for path in paths]
    for name in wanted:
        if any(count[name] for count in counts):
            continue
        if name == REST:
            what, fix = "no document is left for text, each matches a pattern", "leave text out of the mixture"
        elif name in fitting:
            what, fix = f'every document of "{name}" matches a pattern before it', "put the narrower pattern first"
        else:
            what, fix = f'no document\'s source matches "{name}"', f"there are {', '.join(sources)}"
        raise FledgeError(what, where="tokens.mixture", fix=fix)
    return counts
