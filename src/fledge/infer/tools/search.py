"""Search over documents by BM25 (Robertson and Zaragoza 2009, in the form of bm25s): passages with their sources."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.results import harmless
from fledge.infer.tools.tool import Limits, Tool, tool_of
from fledge.run.files import atomic_directory, read_json, write_json
from fledge.types import Document, FledgeError

PASSAGE_WORDS = 120
OVERLAP_WORDS = 30
MAX_QUERY = 1_000  # characters
MAX_PASSAGES = 10
FORMAT = 1
MAX_RANKED = 100
"""Of the best passages, that are looked through for names."""
NOT_ALL = "no passage has all these names"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Passage:
    """Words ``start:`` of the document ``id``, as they stand there; ``score`` is BM25's, larger is better."""

    id: str
    source: str
    start: int
    text: str
    score: float = 0.0


@dataclass(frozen=True)
class SearchIndex:
    """Passages and their BM25 weights. Equal scores come in the order of the documents."""

    passages: Sequence[Passage]
    weights: Any

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        *,
        passage_words: int = PASSAGE_WORDS,
        overlap_words: int = OVERLAP_WORDS,
    ) -> SearchIndex:
        """Index ``documents``, cut into passages of words that overlap. FledgeError where none has a word."""
        if not 0 <= overlap_words < passage_words:
            raise FledgeError(f"passages of {passage_words} words cannot overlap by {overlap_words}")
        passages, rows = [], []
        vocabulary: dict[str, int] = {}
        for document in documents:
            for passage in _passages(document, passage_words, overlap_words):
                words = terms(passage.text)
                if words:
                    passages.append(passage)
                    rows.append([vocabulary.setdefault(word, len(vocabulary)) for word in words])
        if not passages:
            raise FledgeError("there is no document with a word in it", where="search", fix="give some text to index")
        weights = _bm25s().BM25()
        weights.index((rows, vocabulary), show_progress=False)
        return cls(tuple(passages), weights)

    def search(self, query: str, k: int = 3, *, least: float = 0.0) -> list[Passage]:
        """The ``k`` best passages that have a word of ``query``, best first; none below ``least`` of the best score.

        Where some of the best have all names of the query, the others are left out: who asks for Ada Brown wants
        neither another Ada nor another Brown.
        """
        known = [word for word in dict.fromkeys(terms(query[:MAX_QUERY])) if word in self.weights.vocab_dict]
        if not known:
            return []
        scores = self.weights.get_scores(known)
        found = np.flatnonzero(scores > 0)
        best = found[np.lexsort((found, -scores[found]))][:MAX_RANKED]
        best = best[scores[best] >= least * scores.max()]
        wanted = names_in(query)
        named = [i for i in best if wanted <= set(terms(self.passages[i].text))]
        return [Passage(**{**asdict(self.passages[i]), "score": float(scores[i])}) for i in (named or best)[:k]]

    def save(self, directory: str | Path) -> None:
        """Write the index to ``directory``, whole or not at all."""
        with atomic_directory(directory) as temporary:
            self.weights.save(temporary, show_progress=False)
            with open(temporary / "passages.jsonl", "w", encoding="utf-8", newline="\n") as file:
                file.writelines(json.dumps(asdict(passage)) + "\n" for passage in self.passages)
            write_json(temporary / "search.json", {"format": FORMAT, "passages": len(self.passages)})

    @classmethod
    def load(cls, directory: str | Path) -> SearchIndex:
        """Read what :meth:`save` wrote. FledgeError for a directory that holds no whole index of this format."""
        root = Path(directory)
        noted = read_json(root / "search.json")
        if not isinstance(noted, dict) or noted.get("format") != FORMAT:
            raise FledgeError("is no search index of this version", where=str(root), fix="build it again")
        try:
            weights = _bm25s().BM25.load(root, show_progress=False)
            with open(root / "passages.jsonl", encoding="utf-8") as file:
                passages = tuple(Passage(**json.loads(line)) for line in file)
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            raise FledgeError(f"is damaged ({error})", where=str(root), fix="build it again") from error
        if not len(passages) == noted.get("passages") == weights.scores["num_docs"]:
            raise FledgeError("is damaged (passages are missing)", where=str(root), fix="build it again")
        return cls(passages, weights)


def search_tool(index: SearchIndex, *, name: str = "search", least: float = 0.0, limits: Limits | None = None) -> Tool:
    """The tool ``search(query, k=3)`` over ``index``: each passage after its number, source and id, then the query.

    The query comes last so that what was looked for stands next to what is said of it. ``least`` is for models that
    are easily led astray: passages that score less than this share of the best are left out.
    """

    def search(query: str, k: int = 3) -> str:
        """Search the documents. Gives the k best passages, each with its source."""
        if not 1 <= k <= MAX_PASSAGES:
            raise ToolError(f'"k" must be from 1 to {MAX_PASSAGES}, not {k}')
        if len(query) > MAX_QUERY:
            raise ToolError(f"the query is too long: {len(query)} characters, at most {MAX_QUERY}")
        if not terms(query):
            raise ToolError("the query has no words; say what to search for")
        found = index.search(query, k, least=least)
        if not found:
            return "nothing found; try other words"
        shown = [f"[{i}] {_label(passage)}\n{passage.text}" for i, passage in enumerate(found, 1)]
        if not names_in(query) <= set(terms(found[0].text)):
            shown.insert(0, NOT_ALL)
        return "\n\n".join([*shown, " ".join(query.split())])

    return tool_of(search, name=name, limits=limits, isolated=False)


def terms(text: str) -> list[str]:
    """Words as they are compared: compatibility forms (NFKC), case and accents made one."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", harmless(text)).casefold())
    return _WORD.findall("".join(c for c in folded if not unicodedata.combining(c)))


def names_in(query: str) -> set[str]:
    """Words of ``query`` with a capital, as :func:`terms` has them; not the first of a sentence, nor single letters."""
    query = harmless(query)
    found = set()
    for word in _WORD.finditer(query):
        before = query[: word.start()].rstrip()
        if len(word.group()) > 1 and word.group()[0].isupper() and before and before[-1] not in ".!?":
            found.update(terms(word.group()))
    return found


def _passages(document: Document, width: int, overlap: int) -> Iterator[Passage]:
    words = document.text.split()
    for start in range(0, max(len(words) - overlap, 1), width - overlap):
        text = harmless(" ".join(words[start : start + width]))
        yield Passage(document.id, document.source, start, text)


def _label(passage: Passage) -> str:
    return " ".join(f"{passage.source} ({passage.id})".split())


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise FledgeError("search needs bm25s", fix='install it with: pip install "fledge[tools]"') from error
    return bm25s
