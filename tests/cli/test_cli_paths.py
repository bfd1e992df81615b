"""Paths of the command line: a home for "~", whoever reads it, and no names that nothing could write."""

from __future__ import annotations

import pytest

from fledge.cli.main import main
from fledge.cli.paths import place


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_a_run_below_the_home_is_one_place(home, tmp_path, capsys):
    (home / "in.txt").write_text("Ann went to the market.\n\nBob stayed at home.\n", encoding="utf-8")
    (home / "mine.toml").write_text(
        f'name = "mine"\n[text]\nsources = ["{(home / "in.txt").as_posix()}"]\nfilters = []\nworkers = 1\n',
        encoding="utf-8",
    )
    assert main(["run", "~/mine.toml", "--out=~/run"]) == 0
    assert main(["text", "--out=~/run", "--recipe=~/mine.toml"]) == 0
    capsys.readouterr()
    for words in (["inspect", "~/run"], ["report", "~/run"], ["report", "~/run", "~/run"]):
        assert main(words) == 0, capsys.readouterr().err
    assert list((tmp_path / "here").iterdir()) == []
    assert main(["sample", "~/none"]) == 2
    assert str(home / "none") in capsys.readouterr().err


def test_a_path_that_is_not_utf8_is_told(home, capsys):
    name = b"o\xff".decode("utf-8", "surrogateescape")
    for words in (["text", "--out", name], ["run", "mine.toml", "--out", name], ["run", name], ["inspect", name]):
        assert main(words) == 2
        assert "the path 'o\\udcff' is not UTF-8; rename" in capsys.readouterr().err


def test_a_run_on_a_store_is_told_what_to_do_instead(home, capsys):
    for words in (["run", "mine.toml", "--out", "s3://bucket/run"], ["inspect", "s3://bucket/run"]):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert "s3://bucket/run: is an address on a store" in err and "--mirror s3://bucket/run" in err
    assert list(home.parent.joinpath("here").iterdir()) == []


def test_an_unknown_user_has_no_home(home):
    assert str(place("~nobody-of-this-name/x")).startswith("~nobody")
