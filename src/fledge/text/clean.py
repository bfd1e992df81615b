"""What happens to one raw record: extract, split, transforms, cut, filters. No engine, no files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fledge.text.config import TextConfig
from fledge.text.funnel import Funnel
from fledge.text.sources.records import RawRecord
from fledge.text.split import at_pattern, cut
from fledge.text.steps import FILTERS, SPLITTERS, TRANSFORMS, Step, bind_thresholds, labels, load_function, split_entry
from fledge.types import Document, FledgeError, Reject, Verdict

READ, EXTRACT, SPLIT, CUT = "read", "extract", "split", "cut"
EXACT, NEAR = "exact-duplicate", "near-duplicate"


@dataclass(frozen=True)
class Steps:
    """The functions that a :class:`TextConfig` names, loaded and with their thresholds bound."""

    split: tuple[Step, ...]
    transforms: tuple[Step, ...]
    filters: tuple[Step, ...]


def load_steps(config: TextConfig) -> Steps:
    """Load what ``config`` names. Raises FledgeError for what cannot be loaded and for unknown thresholds."""
    filters = {name: load_function(name, FILTERS, where="filters") for name, _ in map(split_entry, config.filters)}
    bound = bind_thresholds(filters, config.thresholds)
    if "language" in bound:
        bound["language"] = functools.partial(bound["language"], languages=config.languages)

    def load(field: str, function_of: Callable[[str], Callable[..., Any]]) -> tuple[Step, ...]:
        entries = getattr(config, field)
        named = zip(labels(entries), map(split_entry, entries), strict=True)
        return tuple(Step(label, glob, function_of(name)) for label, (name, glob) in named)

    return Steps(
        load("split", _splitter),
        load("transforms", lambda name: load_function(name, TRANSFORMS, where="transforms")),
        load("filters", bound.__getitem__),
    )


def _splitter(name: str) -> Callable[..., Any]:
    if name.startswith("re:"):
        return functools.partial(at_pattern, pattern=name[3:])
    return load_function(name, SPLITTERS, where="split")


def step_names(config: TextConfig) -> list[str]:
    """The steps of the funnel, in order."""
    dedup = [name for name, on in ((EXACT, config.exact_dedup), (NEAR, config.near_dedup)) if on]
    return [*worker_steps(config), *dedup]


def worker_steps(config: TextConfig) -> list[str]:
    """The steps that look at one document by itself, in order."""
    return [READ, EXTRACT, SPLIT, *labels(config.transforms), CUT, *labels(config.filters)]


def n_utf8(text: str) -> int:
    """Bytes of ``text`` in UTF-8. Raises UnicodeEncodeError for half of a surrogate pair."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


@dataclass(frozen=True)
class _Part:
    """A document on its way: its text and the bytes that it is counted with."""

    id: str
    text: str
    n_bytes: int


class Cleaner:
    """Turns raw records into documents and rejects, and counts both in ``funnel``.

    ``extract`` gives a record of HTML or PDF its text. What a step raises costs its document only.
    """

    def __init__(self, config: TextConfig, extract: Callable[[RawRecord], RawRecord | Reject]) -> None:
        self.config, self.steps, self._extract = config, load_steps(config), extract
        self.reset()

    def reset(self) -> None:
        """Begin a new funnel."""
        self.funnel = Funnel(worker_steps(self.config))

    def clean(self, record: RawRecord | Reject) -> Iterator[Document | Reject]:
        """The documents of a record in order, and what fell of it."""
        if isinstance(record, Reject):
            self.funnel[READ].rejected(record.n_bytes, record.rule)
            yield record
            return
        meta = dict(record.meta)
        text, fallen = self._text_of(record, meta)
        if fallen is not None:
            yield fallen
            return
        whole: list[_Part] = []
        yield from self._split(record, text, whole)
        parts: list[_Part] = []
        for part in whole:
            yield from self._transform(part, record.source, parts)
        for part in parts:
            reject = self._filter(part, record.source)
            yield reject if reject is not None else Document(part.id, part.text, record.source, meta)

    def _text_of(self, record: RawRecord, meta: dict[str, Any]) -> tuple[str, Reject | None]:
        """The text of a record, or why it has none; what is known besides goes to ``meta``."""
        if record.url:
            meta.setdefault("url", record.url)
        if record.text is not None:
            text = _valid(record.text)
            n_bytes = n_utf8(text)
            self.funnel[READ].passed(n_bytes, [n_bytes])
            self.funnel[EXTRACT].passed(n_bytes, [n_bytes])
            return text, None
        self.funnel[READ].passed(record.n_bytes, [record.n_bytes])
        try:
            extracted = self._extract(record)
        except FledgeError:
            raise
        except Exception as error:
            return "", self._failed(_Part(record.id, "", record.n_bytes), record.source, EXTRACT, error)
        if isinstance(extracted, Reject):
            self.funnel[EXTRACT].rejected(record.n_bytes, extracted.rule)
            return "", replace(extracted, n_bytes=record.n_bytes)
        meta.update(extracted.meta)
        text = _valid(extracted.text or "")
        self.funnel[EXTRACT].passed(record.n_bytes, [n_utf8(text)])
        return text, None

    def _split(self, record: RawRecord, text: str, parts: list[_Part]) -> Iterator[Reject]:
        """Append the documents in ``text`` to ``parts``; yield it whole where splitting breaks."""
        step = next((step for step in self.steps.split if step.fits(record.source)), None)
        whole = _Part(record.id, text, n_utf8(text))
        try:
            texts = (step.function(text) if step else None) or [text]
            sizes = [n_utf8(part) for part in texts]
        except FledgeError:
            raise
        except Exception as error:
            yield self._failed(whole, record.source, SPLIT, error)
            return
        self.funnel[SPLIT].passed(whole.n_bytes, sizes)
        parts += _numbered(record.id, texts, sizes)

    def _transform(self, part: _Part, source: str, parts: list[_Part]) -> Iterator[Reject]:
        """Append what becomes of ``part`` to ``parts``; yield it where it falls."""
        for step in self.steps.transforms:
            counts = self.funnel[step.label]
            if not step.fits(source):
                counts.passed(part.n_bytes, [part.n_bytes])
                continue
            try:
                text = step.function(part.text)
                n_bytes = part.n_bytes if text == part.text else n_utf8(text)
            except FledgeError:
                raise
            except Exception as error:
                yield self._failed(part, source, step.label, error)
                return
            if part.text and not text.strip():
                counts.rejected(part.n_bytes, "nothing left")
                yield Reject(part.id, source, step.label, "nothing left", part.text, part.n_bytes)
                return
            counts.passed(part.n_bytes, [n_bytes])
            part = _Part(part.id, text, n_bytes)
        texts = [part.text] if part.n_bytes <= self.config.max_document_bytes else []
        texts = texts or cut(part.text, self.config.max_document_bytes)
        sizes = [n_utf8(text) for text in texts]
        self.funnel[CUT].passed(part.n_bytes, sizes)
        parts += _numbered(part.id, texts, sizes)

    def _filter(self, part: _Part, source: str) -> Reject | None:
        for step in self.steps.filters:
            counts = self.funnel[step.label]
            try:
                verdict = step.function(part.text) if step.fits(source) else Verdict(True)
                keep, reason = verdict.keep, verdict.reason
            except FledgeError:
                raise
            except Exception as error:
                return self._failed(part, source, step.label, error)
            if not keep:
                counts.rejected(part.n_bytes, reason)
                return Reject(part.id, source, step.label, reason, part.text, part.n_bytes)
            counts.passed(part.n_bytes, [part.n_bytes])
        return None

    def _failed(self, part: _Part, source: str, step: str, error: Exception) -> Reject:
        self.funnel[step].rejected(part.n_bytes, f"failed: {type(error).__name__}")
        return Reject(part.id, source, step, f"failed: {type(error).__name__}: {error}", part.text, part.n_bytes)


def _valid(text: str) -> str:
    """``text`` without halves of surrogate pairs, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _numbered(id: str, texts: list[str], sizes: list[int]) -> list[_Part]:
    """Parts of one text; where there are several, each carries its number (from 0) in its id."""
    ids = [id] if len(texts) == 1 else [f"{id}#{number}" for number in range(len(texts))]
    return [_Part(*each) for each in zip(ids, texts, sizes, strict=True)]
