from __future__ import annotations

import functools
import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fledge.text.filters.gopher_quality import gopher_quality
from fledge.text.filters.gopher_repetition import duplicate_shares, gopher_repetition, ngram_shares
from fledge.text.filters.language import language
from fledge.text.filters.length import length
from fledge.text.ngrams import WordNgrams
from fledge.text.steps import FILTERS, load_function, number_defaults

PROSE = "the cat and a dog sat down near that old house with its red door while rain fell on it "


def kept(function, text, **thresholds):
    verdict = function(text, **thresholds)
    assert verdict.keep or verdict.reason, "a text falls with a reason"
    return verdict.keep


def test_length_border():
    assert kept(length, "x" * 100)
    assert not kept(length, "  " + "x" * 99 + "\n")
    assert kept(length, "xyz", min_characters=3)


# For each rule of Gopher's quality: a text on the threshold, and one a step beyond it.
def words(n, word="prose"):
    return " ".join(["the", "and", *[word] * (n - 2)])


QUALITY = [
    (words(50), words(49), {}),
    (words(80), words(81), {"max_words": 80}),
    ("the and " + "a abcde " * 24, "the and " + "a abcde " * 23 + "a abcd", {}),
    (
        "the and " + " ".join(["x" * 10] * 47) + " " + "x" * 24,
        "the and " + " ".join(["x" * 10] * 47) + " " + "x" * 25,
        {},
    ),
    (words(45) + " word#" * 5, words(45) + " word#" * 4 + " word##", {}),
    (words(45) + " word..." * 3 + " w… w… end", words(44) + " word..." * 3 + " w… w…… end", {}),
    ("- the and prose prose prose\n" * 9 + words(5), "- the and prose prose prose\n" * 10 + words(1), {}),
    (
        "the and of prose...\n" * 3 + "the and of prose prose prose\n" * 7,
        "the and of prose…\n" * 4 + "the and of prose prose prose\n" * 6,
        {"max_ellipsis_ratio": 1},
    ),
    (words(40) + " 123" * 10, words(39) + " 123" * 11, {}),
    ("prose " * 48 + "The, and", "prose " * 49 + "The", {}),
]


@pytest.mark.parametrize("number", range(len(QUALITY)))
def test_gopher_quality_border(number):
    on, beyond, thresholds = QUALITY[number]
    on_verdict, beyond_verdict = gopher_quality(on, **thresholds), gopher_quality(beyond, **thresholds)
    assert on_verdict.keep, on_verdict
    assert not beyond_verdict.keep


def test_gopher_quality_reasons_name_each_rule():
    reasons = {gopher_quality(beyond, **thresholds).reason for _, beyond, thresholds in QUALITY}
    assert len(reasons) == len(QUALITY)


def test_gopher_quality_without_stop_words_serves_other_languages():
    german = "Der Hund läuft durch den Garten und freut sich über jeden neuen Tag. " * 5
    assert not kept(gopher_quality, german)
    assert kept(gopher_quality, german, min_stop_words=0)


def reference_shares(text):
    """Gopher's n-gram shares as they are defined, without any shortcut."""
    tokens = text.split()
    tops, dups = [], []
    for n in range(2, 11):
        grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
        if n <= 4:
            counts = Counter(grams)
            most = max(counts.values(), default=0)
            tied = [len(" ".join(gram)) * most for gram, count in counts.items() if count == most and most >= 2]
            tops.append(max(tied, default=0) / len(text))
        else:
            seen, i, repeated = set(), 0, 0
            while i < len(grams):
                if grams[i] in seen:
                    repeated += len("".join(grams[i]))
                    i += n
                else:
                    seen.add(grams[i])
                    i += 1
            dups.append(repeated / len(text))
    return tops, dups


few_words = st.lists(st.sampled_from(["a", "bb", "ccc", "é", "日本", "the"]), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(few_words, st.sampled_from([" ", "\n", "  \t"]))
@example(["a"], " ")
@example(["a", "a"], " ")
@example(["bb"] * 40, "\n")
def test_ngram_shares_equal_the_definition(tokens, space):
    text = space.join(tokens)
    assert ngram_shares(text) == reference_shares(text)


@given(st.lists(st.sampled_from(["", "a", "bb", "ccc"]), min_size=1, max_size=20))
def test_duplicate_shares_equal_the_definition(parts):
    earlier = [part in parts[:i] for i, part in enumerate(parts)]
    characters = sum(len(part) for part, again in zip(parts, earlier, strict=True) if again)
    assert duplicate_shares(parts, 7) == (sum(earlier) / len(parts), characters / 7)


def unique_words(n):
    return [f"word{i}x" for i in range(n)]


def test_repeated_lines_border():
    lines = [" ".join(unique_words(100)[i * 10 : i * 10 + 10]) for i in range(7)]
    assert kept(gopher_repetition, "\n".join([*lines, "ab", "ab", "cd", "cd"][:10]))  # 1 of 10 repeated
    short = ["s"] * 4  # the first does not count as repeated: 3 of 10
    assert kept(gopher_repetition, "\n".join([*lines[:6], *short]))
    assert "0.3 of lines" in gopher_repetition("\n".join([*lines[:5], *short, "s"])).reason


def test_repeated_paragraphs_are_told_from_lines():
    paragraphs = [" ".join(unique_words(100)[i * 10 : i * 10 + 10]) for i in range(6)]
    assert "paragraphs" in gopher_repetition("\n\n".join([*paragraphs[:5], *["s"] * 5])).reason
    long = " ".join(unique_words(60))
    assert "characters in repeated paragraphs" in gopher_repetition("\n\n".join([*paragraphs, long, long])).reason


@pytest.mark.parametrize("n", range(2, 11))
def test_each_ngram_rule_fires_alone_just_above_its_share(n):
    defaults = number_defaults(gopher_repetition)
    name = f"max_top_{n}gram" if n <= 4 else f"max_dup_{n}gram"
    off = {key: 1.0 for key in defaults if "gram" in key and key != name}
    gram = " ".join(f"gram{i}" for i in range(n))
    for n_fill in range(200):
        text = " ".join(word for i in range(4) for word in [gram, *[f"f{i}x{j}" for j in range(n_fill)]])
        tops, dups = reference_shares(text)
        share = tops[n - 2] if n <= 4 else dups[n - 5]
        assert kept(gopher_repetition, text, **off) == (share <= defaults[name])
        if share <= defaults[name]:
            assert kept(gopher_repetition, text, **off, **{name: share})
            return
    raise AssertionError("the share never fell below its threshold")


@settings(max_examples=100, deadline=None)
@given(few_words, st.integers(1, 6))
def test_word_ngram_keys_are_equal_where_the_words_are(tokens, n):
    keys = WordNgrams("\n".join(tokens)).keys(n).tolist()
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    assert len(keys) == len(grams)
    assert len(set(keys)) == len(set(grams)) == len(set(zip(keys, grams, strict=True)))


def test_language():
    english = PROSE * 4
    german = "Am Morgen ging der alte Mann mit seinem Hund durch den Wald, weil die Sonne so schön schien. " * 4
    assert kept(language, english)
    assert language(german).reason == "language de"
    assert kept(language, german, languages=("en", "de"))
    assert kept(language, german, languages=())
    assert not kept(language, english, min_score=1.1)


def test_language_lets_pass_what_is_too_short_to_tell():
    assert kept(language, "Bonjour à tous")
    assert kept(language, "1 2 3 4 5 " * 10)
    assert not kept(language, "Bonjour à tous mes amis, comment allez-vous aujourd'hui mes chers", min_letters=20)


def test_language_looks_beyond_the_beginning():
    german = "Am Morgen ging der alte Mann mit seinem Hund durch den Wald, weil die Sonne so schön schien. " * 60
    assert not kept(language, "The title of this thing and a few English words. " + german)


@pytest.mark.parametrize("name", sorted(FILTERS))
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_filters_never_break_and_know_no_state(name, text):
    function = load_function(name, FILTERS, where="filters")
    first = function(text)
    function("something else " * 20)
    assert function(text) == first


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_filters_cite_and_have_number_thresholds(name):
    function = load_function(name, FILTERS, where="filters")
    module = __import__(function.__module__, fromlist=["_"])
    assert number_defaults(function)
    if name != "length":
        assert re.search(r"arXiv \d{4}\.\d{5}", (module.__doc__ or "") + (function.__doc__ or ""))
    assert functools.reduce(lambda a, b: a and isinstance(b, int | float), number_defaults(function).values(), True)
