"""Bits per byte of texts: what a model needs, on average, to tell the next byte. Smaller is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fledge.evals.ngram import NgramModel
from fledge.evals.statistics import ratio_and_stderr
from fledge.infer.engine import Engine
from fledge.run.progress import Progress
from fledge.text.shards import read_documents
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

MIN_DOCUMENTS = 20  # fewer give no standard error worth the name: windows are the units then
WINDOWS_AT_ONCE = 512
NGRAM_WINDOW = 1024  # tokens of a unit where an n-gram model scores few documents

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BitsPerByte:
    """Bits per byte of ``n_bytes`` bytes of UTF-8 text; ``stderr`` over documents, or over windows of few ones."""

    name: str
    bits_per_byte: float
    stderr: float | None
    stderr_over: Literal["documents", "windows"]
    n_documents: int
    n_bytes: int
    n_tokens: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def scoring_windows(n_tokens: int, context_length: int) -> list[tuple[int, int, int]]:
    """``(start, first, end)``: read ``ids[start:end]`` and score ``ids[first:end]``, so that each is scored once.

    Token 0 (bos) is given, never scored. A window reads at most ``context_length`` tokens and predicts one more. All
    but the first score half a context each, so that every token has at least half a context before it, or all there is.
    """
    windows, first = [], 1
    while first < n_tokens:
        step = context_length if first == 1 else max(1, context_length // 2)
        end = min(n_tokens, first + step)
        windows.append((max(0, end - context_length - 1), first, end))
        first = end
    return windows


def bits_per_byte(
    engine: Engine, tokenizer: Tokenizer, texts: Sequence[str], name: str, progress: Progress | None = None
) -> BitsPerByte:
    """Score ``texts`` with the model, each as a document of its own: bos, then its tokens.

    A later window of a long document begins in its middle, as the rows of a cut document do in training. The end of
    the document (eos) is not scored: it stands for no byte.
    """
    encoded = [[tokenizer.border, *ids] for ids in _encode(tokenizer, texts)]
    windows = [(d, *w) for d, ids in enumerate(encoded) for w in scoring_windows(len(ids), engine.context_length)]
    nats = np.zeros(len(windows))
    for at in range(0, len(windows), WINDOWS_AT_ONCE):
        piece = windows[at : at + WINDOWS_AT_ONCE]
        read = [encoded[d][start:end] for d, start, _, end in piece]
        for k, ((_, start, first, _), scores) in enumerate(zip(piece, engine.logprobs(read), strict=True)):
            nats[at + k] = -scores[first - start - 1 :].sum(dtype=np.float64)
        if progress is not None:
            progress.update(sum(end - first for _, _, first, end in piece))
    return _summary(tokenizer, name, texts, encoded, windows, nats)


def ngram_bits_per_byte(model: NgramModel, tokenizer: Tokenizer, texts: Sequence[str], name: str) -> BitsPerByte:
    """The same of an n-gram model, which is counted in the same tokens."""
    encoded = [[tokenizer.border, *ids] for ids in _encode(tokenizer, texts)]
    windows: list[tuple[int, int, int, int]] = []
    nats: list[float] = []
    for d, ids in enumerate(encoded):
        logprobs = model.logprobs(np.asarray(ids))
        for first in range(1, len(ids), NGRAM_WINDOW):
            end = min(len(ids), first + NGRAM_WINDOW)
            windows.append((d, 0, first, end))
            nats.append(-float(logprobs[first:end].sum()))
    return _summary(tokenizer, name, texts, encoded, windows, np.array(nats))


def _summary(
    tokenizer: Tokenizer,
    name: str,
    texts: Sequence[str],
    encoded: Sequence[Sequence[int]],
    windows: Sequence[tuple[int, int, int, int]],
    nats: Array,
) -> BitsPerByte:
    document_bytes = np.array([len(text.encode("utf-8")) for text in texts], dtype=np.int64)
    bits = nats / math.log(2)
    if len(texts) >= MIN_DOCUMENTS:
        owners = np.array([d for d, *_ in windows], dtype=np.int64)
        units: tuple[Array, Array] = (np.bincount(owners, weights=bits, minlength=len(texts)), document_bytes)
    else:
        lengths = tokenizer.byte_lengths
        units = (bits, np.array([int(lengths[encoded[d][first:end]].sum()) for d, _, first, end in windows]))
    n_bytes = int(document_bytes.sum())
    if not n_bytes:
        raise FledgeError("no text to score", where=name)
    return BitsPerByte(
        name=name,
        bits_per_byte=float(bits.sum()) / n_bytes,
        stderr=ratio_and_stderr(*units)[1],
        stderr_over="documents" if len(texts) >= MIN_DOCUMENTS else "windows",
        n_documents=len(texts),
        n_bytes=n_bytes,
        n_tokens=sum(len(ids) - 1 for ids in encoded),
    )


def _encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    for ids in tokenizer.encode_batch(texts):
        yield ids.tolist()


def texts_of_file(path: str | Path, separator: str, max_bytes: int = 0) -> list[str]:
    """The documents of a UTF-8 text file, cut at ``separator``; about ``max_bytes`` of them (0 = all).

    Blank lines around a document are not scored; a last document beyond ``max_bytes`` is cut at a line's end.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise FledgeError("cannot be read", where=str(path), fix="check the path") from error
    except UnicodeDecodeError as error:
        raise FledgeError(f"is not UTF-8 at byte {error.start}", where=str(path), fix="convert the file") from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    pieces = [piece.strip("\n") for piece in (text.split(separator) if separator else [text])]
    texts = list(up_to((piece for piece in pieces if piece.strip()), max_bytes))
    if not texts:
        raise FledgeError("holds no text", where=str(path), fix="check the file")
    return texts


def texts_of_shards(directory: str | Path, max_bytes: int = 0) -> list[str]:
    """The texts of held-out parquet shards, in order, about ``max_bytes`` of them (0 = all)."""
    return list(up_to((document.text for document in read_documents(directory)), max_bytes))


def up_to(texts: Iterable[str], max_bytes: int) -> Iterator[str]:
    """``texts`` until ``max_bytes`` bytes (0 = no limit) are reached; the last is cut at a line's end if it can."""
    left = max_bytes
    for text in texts:
        if not max_bytes:
            yield text
            continue
        n_bytes = len(text.encode("utf-8"))
        if n_bytes <= left:
            yield text
        else:
            cut = text.encode("utf-8")[:left].decode("utf-8", "ignore")
            cut = cut[: cut.rfind("\n") + 1].rstrip("\n") if "\n" in cut else cut
            if cut:
                yield cut
        left -= n_bytes
        if left <= 0:
            return
