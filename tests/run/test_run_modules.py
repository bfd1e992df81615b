"""Where a module's code lies is found without running it."""

from __future__ import annotations

import importlib
import sys

import pytest

from fledge.run.modules import module_file


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


@pytest.mark.parametrize("name", ["no_such_module", "lone.rules", "sys", "sys.path", "json.no_such", "", "a..b", ".a"])
def test_what_has_no_file_is_none(folder, name):
    (folder / "lone.py").write_text("")
    assert module_file(name) is None
