"""Settings: what is read equals what was written, and every fault is told with file, line and what was expected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.run.flags import merge_flags, parse_flags
from fledge.run.settings import Origin, dump, load, setting, settings_hash
from fledge.run.settings_table import settings_table
from fledge.run.toml_file import key_lines, read_toml, to_toml
from fledge.types import FledgeError


@dataclass(frozen=True)
class Base:
    depth: int = setting(4, "layers")
    rate: float = setting(0.5, "learning rate")
    workers: int = setting(0, "processes", affects_result=False)

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise FledgeError(f"depth must be at least 1, got {self.depth}", where="depth")


@dataclass(frozen=True)
class Inner(Base):
    mode: Literal["fast", "slow"] = setting("fast", "how")
    size: int | None = setting(None, "None = derived")


@dataclass(frozen=True)
class Outer:
    name: str = setting("x", "a name")
    kind: str = setting("a", "which", choices=("a", "b"))
    on: bool = setting(True, "a switch")
    files: tuple[str, ...] = setting((), "files")
    sizes: tuple[int, ...] = setting((1, 2), "sizes")
    mixture: dict[str, float] = setting({"world": 1.0}, "shares")
    inner: Inner = setting(Inner(), "nested")
    maybe: Inner | None = setting(None, "a table that may be missing")


@dataclass(frozen=True)
class Required:
    path: str = field()


texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)
inners = st.builds(
    Inner,
    depth=st.integers(1, 99),
    rate=finite,
    workers=st.integers(),
    mode=st.sampled_from(["fast", "slow"]),
    size=st.none() | st.integers(),
)
outers = st.builds(
    Outer,
    name=texts,
    kind=st.sampled_from(["a", "b"]),
    on=st.booleans(),
    files=st.lists(texts).map(tuple),
    sizes=st.lists(st.integers()).map(tuple),
    mixture=st.dictionaries(texts, finite, max_size=3),
    inner=inners,
    maybe=st.none() | inners,
)


@given(outers)
def test_dump_and_load_give_the_same(config):
    import tomllib

    assert load(Outer, dump(config)) == config
    text = to_toml(dump(config))
    again = load(Outer, tomllib.loads(text))
    assert again == config and settings_hash(again) == settings_hash(config)
    for path in key_lines(text):
        assert path[0] in dump(config)


@given(outers)
def test_lines_of_keys_are_where_the_keys_are(config):
    text = "# first\n\n" + to_toml(dump(config))
    lines = text.split("\n")
    found = key_lines(text)
    for key in ("name", "kind", "on", "files", "sizes"):
        assert lines[found[(key,)] - 1].startswith(f"{key} = ")
    assert lines[found[("inner",)] - 1] == "[inner]"
    assert lines[found[("inner", "depth")] - 1].startswith("depth = ")


@pytest.mark.parametrize("key", ['"\\U0001F600"', '"\\u00e9 \\"\\b"', '"a\tb"', "'a\\b'", '""', "''"])
def test_quoted_keys_are_read_as_toml_reads_them(tmp_path, key):
    import tomllib

    text = f"\n{key} = 1"
    assert key_lines(text) == {tuple(tomllib.loads(text)): 2}
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    with pytest.raises(FledgeError, match=r"line 2, .*unknown key"):
        load(Outer, *read_toml(tmp_path / "r.toml"))


def test_lines_of_keys_in_every_notation():
    text = '''a = """
b = 1
"""
"q.k" = { x = 1, y = "}" } # z = 3
list = [ # [t]
  "]", 'c = 2',
]
d . e = 1
[[many]]
[ t . "u v" ]
w = \'\'\'
x = 1\'\'\'
last = 2'''
    assert key_lines(text) == {
        ("a",): 1,
        ("q.k",): 4,
        ("list",): 5,
        ("d",): 8,
        ("d", "e"): 8,
        ("many",): 9,
        ("t",): 10,
        ("t", "u v"): 10,
        ("t", "u v", "w"): 11,
        ("t", "u v", "last"): 13,
    }


FAULTS = [
    ("nam = 1", "line 1, nam: unknown key nam; did you mean name?"),
    ("\n[inner]\ndpth = 1", "line 3, inner.dpth: unknown key dpth in [inner]; did you mean depth?"),
    ("\n[inner]\nzzz = 1", "line 3, inner.zzz: unknown key zzz in [inner]; known are depth, rate, workers, mode, size"),
    ("[inner]\ndepth = 'six'", 'line 2, inner.depth: expected a whole number, got "six"'),
    ("[inner]\ndepth = 6.0", "line 2, inner.depth: expected a whole number, got 6.0"),
    ("[inner]\ndepth = true", "line 2, inner.depth: expected a whole number, got true"),
    ("[inner]\nrate = nan", "line 2, inner.rate: expected a number, got NaN"),
    ("[inner]\nsize = '1'", 'line 2, inner.size: expected a whole number or none, got "1"'),
    ("[inner]\nmode = 'fats'", 'line 2, inner.mode: expected one of fast, slow, got "fats"'),
    ("inner.depth = 0", "line 1, inner.depth: depth must be at least 1, got 0"),
    ("kind = 'c'", "line 1, kind: expected one of a, b, got c"),
    ("on = 1", "line 1, on: expected true or false (as a flag: on or off), got 1"),
    ("files = 'a'", 'line 1, files: expected a list (of each text), got "a"'),
    ("files = [1]", "line 1, files: expected a list (of each text), got [1]"),
    ("mixture = 1", "line 1, mixture: expected a table of name = a number, got 1"),
    ("[mixture]\nworld = 'x'", 'line 2, mixture.world: expected a number, got "x"'),
    ("inner = 3", "line 1, inner: expected a table of settings, got 3"),
    ("name = \n", "line 1: is not valid TOML: Invalid value"),
    ("name = 1\nname = 2\n", "line 2: is not valid TOML: Cannot overwrite a value"),
    ("name = 'a", "is not valid TOML"),
]


@pytest.mark.parametrize(("text", "line"), FAULTS)
def test_each_fault_is_one_line_with_file_and_line(tmp_path, text, line):
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8", newline="\n")
    with pytest.raises(FledgeError) as caught:
        load(Outer, *read_toml(path))
    assert str(caught.value).startswith(str(path)) and line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FledgeError, match="is not there"):
        read_toml(tmp_path / "no.toml")
    with pytest.raises(FledgeError, match="is a directory; check the path"):
        read_toml(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(FledgeError, match="is not UTF-8"):
        read_toml(tmp_path / "latin.toml")


def test_windows_line_ends_are_read(tmp_path):
    (tmp_path / "r.toml").write_bytes(b"name = 'a'\r\n\r\nkind = 'z'\r\n")
    with pytest.raises(FledgeError, match=r"line 3, kind"):
        load(Outer, *read_toml(tmp_path / "r.toml"))


def test_a_missing_setting_is_told():
    with pytest.raises(FledgeError, match="path is missing; give path"):
        load(Required, {})


def given_flags(words, data=None):
    plain, found = parse_flags(Outer, words)
    return plain, load(Outer, merge_flags(Outer, data or {}, found), Origin("file"))


def test_flags_win_over_the_file_and_take_the_types():
    words = (
        "run.toml --inner.depth 6 --files A B --sizes 3 4 --on off --inner.mode=slow --inner.size 7 --inner.rate 1e-3"
    )
    plain, config = given_flags(words.split(), {"inner": {"depth": 5, "workers": 3}, "name": "y"})
    assert plain == ["run.toml"]
    assert config.inner == Inner(depth=6, rate=0.001, workers=3, mode="slow", size=7)
    assert (config.files, config.sizes, config.on, config.name) == (("A", "B"), (3, 4), False, "y")


def test_flags_for_one_key_of_a_free_table_keep_the_others():
    assert given_flags(["--mixture.world", "0.25", "--mixture.my-text.v2", "1"])[1].mixture == {
        "world": 0.25,
        "my-text.v2": 1.0,
    }
    assert given_flags(["--mixture.a", "2"], {"mixture": {"b": 1}})[1].mixture == {"b": 1.0, "a": 2.0}


def test_flags_of_other_shapes():
    assert given_flags(["--on"])[1].on is True
    assert given_flags(["--files"])[1].files == given_flags(["--files=", "--on"])[1].files == ()
    assert given_flags(["--files=a", "--files="])[1].files == ("a",)
    assert given_flags(["--name="], {"name": "x"})[1].name == ""
    assert given_flags(["--files", "a", "--files", "b"])[1].files == ("a", "b")
    assert given_flags(["--sizes", "-1", "--name", "-x"])[1].sizes == (-1,)
    assert given_flags(["--maybe.depth", "2"])[1].maybe == Inner(depth=2)
    assert given_flags(["--inner.size", "none"], {"inner": {"size": 3}})[1].inner.size is None
    plain, found = parse_flags(Outer, ["--depth", "2"], inside="inner")
    assert plain == [] and list(found) == [("inner", "depth")]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--inner.dept 1", "--inner.dept: unknown flag; did you mean --inner.depth?"),
        ("--depth 1", "--depth: unknown flag; did you mean --inner.depth?"),
        ("--zzz 1", "--zzz: unknown flag; see --help for the settings"),
        ("--inner.depth", "--inner.depth: needs a value: a whole number"),
        ("--inner.depth x", "--inner.depth: expected a whole number, got x"),
        ("--inner.depth 0", "--inner.depth: depth must be at least 1, got 0"),
        ("--on maybe", "--on: expected true or false (as a flag: on or off), got maybe"),
        ("--kind c", "--kind: expected one of a, b, got c"),
        ("--mixture 1", "--mixture: unknown flag; it is a table: give one of its keys, --mixture.KEY VALUE"),
        ("--mixture.a x", "--mixture.a: expected a number, got x"),
        ("--inner.mode quick", "--inner.mode: expected one of fast, slow, got quick"),
    ],
)
def test_each_wrong_flag_is_one_line(words, line):
    with pytest.raises(FledgeError) as caught:
        given_flags(words.split())
    assert str(caught.value) == line


def test_the_hash_is_stable_and_blind_to_what_affects_no_result():
    assert settings_hash(Inner(workers=3)) == settings_hash(Inner())
    assert settings_hash(Inner(depth=3)) != settings_hash(Inner())
    assert settings_hash(Outer(inner=Inner(workers=3))) == settings_hash(Outer())


def test_the_table_tells_every_setting():
    rows = {row.name: row for row in settings_table(Outer)}
    assert rows["inner.depth"].help == "layers" and rows["inner.depth"].default == "4"
    assert rows["kind"].type == "a | b" and rows["inner.mode"].type == "fast | slow"
    assert rows["files"].type == "list of str" and rows["mixture"].type == "table of float"
    assert rows["inner.size"].default == "none" and not rows["inner.workers"].affects_result
    assert settings_table(Required)[0].default == "required"
