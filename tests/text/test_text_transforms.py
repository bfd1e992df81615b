from __future__ import annotations

import unicodedata

import ftfy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fledge.text.filters.gutenberg import gutenberg
from fledge.text.filters.repair import _HARMLESS, repair
from fledge.text.filters.schools_wikipedia import schools_wikipedia
from fledge.text.filters.unwrap import unwrap
from fledge.text.split import at_pattern, blank_lines, cut, endoftext, lines

SENTENCES = (
    "Sir Walter Elliot, of Kellynch Hall, in Somersetshire, was a man who, for his own amusement, never took up any "
    "book but the Baronetage; there he found occupation for an idle hour, and consolation in a distressed one; there "
    "his faculties were roused into admiration and respect, by contemplating the limited remnant of the earliest."
)


def wrap(text, width=70, indent=""):
    out, line = [], indent
    for word in text.split():
        if len(line) + len(word) + (line != indent) > width:
            out.append(line)
            line = indent
        line += word if line == indent else " " + word
    return "\n".join([*out, line])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
@example("â€œMojibakeâ€\x9d â€” donâ€™t\r\nÃ©")
@example("ﬁne\u2028two\x0cthree\x85four")
@example("e\u0301 \ud800 \ufeff")
@example("Ã\x83Â\x83Ã\x82Â©")
def test_repair_twice_is_repair_once_and_gives_valid_nfc(text):
    once = repair(text)
    assert repair(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode("utf-8")
    assert not set(once) & set("\r\x00\x0b\x0c\x7f\u2028\u2029\ufeff")


def test_repair_does_what_it_says():
    assert repair("donâ€™t â€” cafÃ©\r\nnext\rlast") == "don’t — café\nnext\nlast"
    assert repair("e\u0301te\u0301") == "été"
    assert repair("a\x00b\x07c\u200bd").replace("\u200b", "") == "abcd"
    assert repair("a  \t\n\n\n\n\n\nb  \n ") == "a\n\n\nb"
    assert repair("AT&amp;T “quoted” it's <b>") == "AT&amp;T “quoted” it's <b>"
    assert repair("    indented\n\ttab kept") == "    indented\n\ttab kept"


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_repair_leaves_plain_lines_alone(text):
    assert repair(text) == text.rstrip()


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab A.'()- –—‘’“”…•éÉèàöüßñçøæ°£§·±ÃÂâã\xa0€™"), max_size=12))
def test_lines_that_ftfy_is_spared_are_lines_that_it_leaves(text):
    config = ftfy.TextFixerConfig(unescape_html=False, uncurl_quotes=False, fix_line_breaks=False)
    if _HARMLESS.fullmatch(text):
        assert ftfy.fix_text(text, config) == text


def test_repair_takes_time_in_proportion():
    assert repair("x" + " " * 1_000_000 + "y").endswith("y")


BOOK = "CHAPTER I\n\nIt was a dark night.\n\nTHE END"


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (
            "The Project Gutenberg EBook of X, by Y\n\nLicence…\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"
            "Produced by A. Nother and the\nOnline Team\n\n\n",
            "\n\nEnd of the Project Gutenberg EBook of X, by Y\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***",
        ),
        (
            "\ufeffThe eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK A VERY LONG\nTITLE ***\n\n",
            "\n\n*** END OF THE PROJECT GUTENBERG EBOOK A VERY LONG\nTITLE ***\n",
        ),
        (
            "Small print…\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n",
            "\n\nEnd of Project Gutenberg's X\n",
        ),
    ],
)
def test_gutenberg_leaves_the_book(head, tail):
    assert gutenberg(head + BOOK + tail) == BOOK
    assert gutenberg(BOOK + tail) == BOOK


def test_gutenberg_leaves_other_texts():
    assert gutenberg(BOOK) == BOOK
    talk = "He worked for Project Gutenberg.\n\nAt the end of Project Gutenberg, he slept.\n"
    assert gutenberg(talk) == talk


@pytest.mark.parametrize("width", [55, 65, 72, 80])
def test_unwrap_undoes_wrapping(width):
    paragraphs = [SENTENCES, "Short one.", SENTENCES[50:], "Chapter II"]
    wrapped = "\n\n".join(wrap(paragraph, width) for paragraph in paragraphs)
    assert unwrap(wrapped) == "\n\n".join(paragraphs)
    assert unwrap(unwrap(wrapped)) == unwrap(wrapped)


def test_unwrap_leaves_verse_lists_and_long_lines():
    verse = (
        "Shall I compare thee\nto a summer's day?\nThou art more lovely\nand more temperate:\nRough winds do shake\n"
    )
    code = "def f(x):\n    return x\n\n\nclass A:\n    y = 1\n    z = some_function(y)\n"
    prose = SENTENCES + "\n\n" + SENTENCES
    for text in (verse, code, prose, "", "one line", "\n\n"):
        assert unwrap(text) == text
    book = "\n\n".join([wrap(SENTENCES)] * 5)
    assert unwrap(book + "\n\n" + verse.strip()).endswith(verse.strip())


def test_unwrap_joins_hyphens_and_dashes_without_a_space():
    text = wrap("word " * 13 + "full-") + "\n" + "grown " + "word " * 10 + "snow--" + "\n" + "gone and then word word"
    assert "full-grown" in unwrap(text)


ARTICLE = f"""   #copyright

Potassium

2007 Schools Wikipedia Selection. Related subjects: Chemical elements,
General things


   This is a featured article. Click here for more information.
                                Appearance silvery white
   Atomic number 19
   Name, symbol  potassium, K
   A flame test
   Enlarge
   A flame test

{wrap(SENTENCES, 72, "   ")}

Notable things

   CAPTION: Vapour pressure

   P/Pa     1   10
   at T/K  473  539

     * A first item of the list, which is so long that it has to go on in the
       next line
     * 1390

   One sentence stands alone.

Gallery

   Retrieved from " http://en.wikipedia.org/wiki/Potassium"
   This reference article is mainly selected from the English Wikipedia
   with only minor checks and changes (see www.wikipedia.org for details
   of authors and sources) and is available under the GNU Free
   Documentation License. See also our Disclaimer.
"""


def test_schools_wikipedia_keeps_prose_headings_and_lists():
    items = "- A first item of the list, which is so long that it has to go on in the next line"
    expected = ["Potassium", SENTENCES, "Notable things", items, "One sentence stands alone."]
    assert schools_wikipedia(ARTICLE) == "\n\n".join(expected)
    assert schools_wikipedia(SENTENCES) == SENTENCES


def test_splitters():
    assert endoftext("a\n<|endoftext|>\nb<|endoftext|> ") == ["a", "b"]
    assert blank_lines("a\nb\n\n  \nc\n") == ["a\nb", "c"]
    assert lines("a\n\nb\n") == ["a", "b"]
    assert at_pattern("x\n==\ny\n==\n", "^==$") == ["x", "y"]
    assert at_pattern("Once a.\nb\nOnce c", "^(?=Once)") == ["Once a.\nb", "Once c"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab é日\n"), max_size=200), st.integers(4, 40))
def test_cut_parts_fit_and_only_whitespace_is_lost(text, max_bytes):
    parts = cut(text, max_bytes)
    assert "".join("".join(parts).split()) == "".join(text.split())
    if len(text.encode()) > max_bytes:
        assert all(len(part.encode()) <= max_bytes and part.strip() for part in parts)
    else:
        assert parts == [text]


def test_cut_prefers_paragraphs():
    text = "\n\n".join(["one two three\nfour"] * 10)
    assert all(part.startswith("one") and part.endswith("four") for part in cut(text, 70))
