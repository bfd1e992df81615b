from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.tools.search import SearchIndex, names_in, search_tool, terms
from fledge.infer.tools.toolbox import Toolbox
from fledge.types import Document, FledgeError

DOCUMENTS = [
    Document("1", "The cat sat on the mat.", "cats.txt"),
    Document("2", "A dog ran to the door. " + "word " * 300 + "A ferret slept.", "dogs.txt"),
    Document("3", "Zürich ist schön; 日本語 テキスト; naïve ﬁsh", "odd.txt"),
    Document("4", "same same", "a"),
    Document("5", "same same", "b"),
    Document("6", "  \n", "empty"),
]


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    return SearchIndex.build(DOCUMENTS, passage_words=50, overlap_words=10)


def test_the_best_passage_comes_first_with_its_source(index: SearchIndex) -> None:
    best = index.search("where do ferrets sleep: a ferret slept")[0]
    assert (best.id, best.source) == ("2", "dogs.txt")
    assert "ferret slept" in best.text
    assert best.score > 0


def test_passages_overlap_and_cover_the_document(index: SearchIndex) -> None:
    parts = [passage for passage in index.passages if passage.id == "2"]
    words = DOCUMENTS[1].text.split()
    assert [part.start for part in parts] == list(range(0, len(words) - 10, 40))
    for part in parts:
        assert part.text.split() == words[part.start : part.start + 50]
    assert parts[-1].start + 50 >= len(words)


@pytest.mark.parametrize("query", ["ZURICH", "zürich", "日本語", "Naive", "fish", "ＦＩＳＨ"])
def test_writing_does_not_matter(index: SearchIndex, query: str) -> None:
    assert [passage.id for passage in index.search(query)] == ["3"]


def test_ties_come_in_order(index: SearchIndex) -> None:
    assert [passage.id for passage in index.search("same", 5)] == ["4", "5"]
    assert [passage.id for passage in index.search("same", 1)] == ["4"]


def test_saved_is_as_built(index: SearchIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    again = SearchIndex.load(tmp_path / "index")
    for query in ("cat", "word door", "same"):
        assert again.search(query) == index.search(query)
    index.save(tmp_path / "other")
    for path in (tmp_path / "index").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["search.json", "passages.jsonl", "data.csc.index.npy", "vocab.index.json"])
def test_a_damaged_index_is_told(index: SearchIndex, tmp_path: Path, name: str) -> None:
    index.save(tmp_path / "index")
    (tmp_path / "index" / name).write_bytes(b"\x80")
    with pytest.raises(FledgeError):
        SearchIndex.load(tmp_path / "index")


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(FledgeError, match="no document with a word"):
        SearchIndex.build([])
    with pytest.raises(FledgeError, match="cannot overlap"):
        SearchIndex.build(DOCUMENTS, passage_words=5, overlap_words=5)
    with pytest.raises(FledgeError, match="is not there"):
        SearchIndex.load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"query": "cat"}, "[1] cats.txt (1)\nThe cat sat on the mat.\n\ncat"),
        ({"query": "unheard"}, "nothing found; try other words"),
        ({"query": ""}, "error: the query has no words; say what to search for"),
        ({"query": "\ud800 !?"}, "error: the query has no words; say what to search for"),
        ({"query": "cat", "k": 0}, 'error: "k" must be from 1 to 10, not 0'),
        ({"query": "x" * 2000}, "error: the query is too long: 2000 characters, at most 1000"),
    ],
)
def test_the_tool(index: SearchIndex, written: Callable[..., str], arguments: dict[str, str], text: str) -> None:
    assert Toolbox([search_tool(index)]).run(written("search", **arguments)).text == text


@settings(deadline=None)
@given(st.text())
def test_any_text_has_terms(text: str) -> None:
    assert all(terms(text))


PEOPLE = [
    Document("1", "Ada Brown: She bakes. Her job is that of a baker.", "a"),
    Document("2", "Eli Brown: His job, the job of a baker, is the best job in town.", "b"),
    Document("3", "Ada Green: What job? The job of a baker is her job.", "c"),
    Document("4", "Once Eli Brown met Ada.", "d"),
]


def test_passages_with_all_names_leave_out_the_others() -> None:
    index = SearchIndex.build(PEOPLE)
    assert {passage.id for passage in index.search("what job has Ada Brown?", 4)} == {"1", "4"}
    assert {passage.id for passage in index.search("what job has ada brown?", 4)} == {"1", "2", "3", "4"}
    assert [passage.id for passage in index.search("what job has Ada Brown?", 1)] == ["1"]
    shown = search_tool(index)("what job has Eli Green?")
    assert shown.startswith("no passage has all these names\n\n[1] ") and shown.endswith("\n\nwhat job has Eli Green?")
    assert "no passage" not in search_tool(index)("what job has Ada Brown?")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Tell me. Where is Ada's cat?", {"ada"}),
        ("Ada Brown", {"brown"}),
        ("als Ömer mit Émile kam", {"omer", "emile"}),
        ("if I ask for O'Neill or XML", {"neill", "xml"}),
        ("", set()),
    ],
)
def test_names_are_words_with_a_capital(query: str, names: set[str]) -> None:
    assert names_in(query) == names


def test_passages_far_below_the_best_may_be_left_out() -> None:
    index = SearchIndex.build(PEOPLE)
    scores = [passage.score for passage in index.search("baker job town", 4)]
    assert scores == sorted(scores, reverse=True) and scores[-1] < 0.5 * scores[0]
    assert [passage.score for passage in index.search("baker job town", 4, least=0.5)] == [
        score for score in scores if score >= 0.5 * scores[0]
    ]
