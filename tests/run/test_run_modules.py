"""Where a module's code lies is found without running it, and what it raises is told in one line."""

from __future__ import annotations

import importlib
import sys

import pytest

from fledge.run.modules import code_files, loading, module_file
from fledge.types import FledgeError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def test_modules_and_packages_are_found_and_never_run(folder):
    deadly = "raise RuntimeError('was run')"
    (folder / "lone_rules.py").write_text(deadly)
    (folder / "rule_box" / "deep").mkdir(parents=True)
    for name in ("rule_box/__init__.py", "rule_box/rules.py", "rule_box/deep/more.py"):
        (folder / name).write_text(deadly)
    assert module_file("lone_rules") == ("lone_rules.py", folder / "lone_rules.py")
    assert module_file("rule_box") == ("rule_box/__init__.py", folder / "rule_box" / "__init__.py")
    assert module_file("rule_box.rules") == ("rule_box/rules.py", folder / "rule_box" / "rules.py")
    assert module_file("rule_box.deep.more") == ("rule_box/deep/more.py", folder / "rule_box" / "deep" / "more.py")
    assert not {"lone_rules", "rule_box"} & set(sys.modules)


def test_what_a_module_imports_from_beside_it_belongs_to_it(folder, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.syspath_prepend(str(elsewhere))
    files = {
        "my_code.py": "import json, numpy, far_off, no_such\nfrom my_words import ANN\nraise RuntimeError('was run')",
        "my_words.py": "def later():\n    import my_box.inner.deep as deep\n    from my_code import x",
        "my_box/__init__.py": "from . import beside",
        "my_box/beside.py": "this is no Python",
        "my_box/aside.py": "",
        "my_box/inner/__init__.py": "",
        "my_box/inner/deep.py": "from ..aside import y\nfrom .... import far_off",
        "not_used.py": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (elsewhere / "far_off.py").write_text("")
    importlib.invalidate_caches()
    assert code_files("my_code") == {name: folder / name for name in files if name != "not_used.py"}
    assert set(code_files("my_box.aside")) == {"my_box/__init__.py", "my_box/aside.py", "my_box/beside.py"}
    assert set(code_files("numpy.linalg")) == {"numpy/__init__.py", "numpy/linalg/__init__.py"}
    assert code_files("no_such.module") == {}


@pytest.mark.parametrize("name", ["no_such_module", "lone.rules", "sys", "sys.path", "json.no_such", "", "a..b", ".a"])
def test_what_has_no_file_is_none(folder, name):
    (folder / "lone.py").write_text("")
    assert module_file(name) is None


@pytest.mark.parametrize(
    ("code", "told", "line"),
    [
        ("x = 1\n\nf = x / 0", "ZeroDivisionError: division by zero", 3),
        ("def f(:", "SyntaxError: ", 1),
        ("import sys\nsys.exit('gone')", "SystemExit: gone", 2),
        ("def g():\n    raise KeyError\n\n\ng()", "KeyError", 2),
        ("import json\nf = json.loads('{')", "JSONDecodeError: Expecting property name", 2),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'", 1),
    ],
)
def test_what_a_module_raises_is_one_line_with_its_place(folder, code, told, line):
    (folder / "faulty_code.py").write_text(code)
    importlib.invalidate_caches()
    with pytest.raises(FledgeError) as error, loading("faulty_code:f", where="filters"):
        importlib.import_module("faulty_code")
    message = str(error.value)
    assert message.startswith(f"filters: cannot load 'faulty_code:f' ({told}")
    assert message.endswith(f", at {folder / 'faulty_code.py'}, line {line}; mend it there")


def test_a_module_that_is_not_there_is_told_where_it_is_looked_for(folder):
    told = r"No module named 'no_such_code'\); .* beside the recipe"
    with pytest.raises(FledgeError, match=told), loading("no_such_code:f", where="filters"):
        importlib.import_module("no_such_code")
    with pytest.raises(FledgeError, match=r"^my own words$"), loading("no_such_code:f", where="filters"):
        raise FledgeError("my own words")
