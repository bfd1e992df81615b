from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from fledge.run.settings import load
from fledge.text.clean import load_steps, step_names
from fledge.text.config import TextConfig
from fledge.text.steps import FILTERS, SPLITTERS, TRANSFORMS, labels, load_function, rules_table
from fledge.types import FledgeError


def test_importing_settings_is_light():
    code = (
        "import sys, fledge.text.config; print([m for m in ('torch', 'pyarrow', 'numpy', 'ftfy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": ("lenght",)}, "filters: unknown name 'lenght'; did you mean length"),
        ({"transforms": ("repare@*.txt",)}, "transforms: unknown name 'repare'; did you mean repair"),
        ({"split": ("re:(@*",)}, "split: 're:\\('"),
        ({"workers": -1}, "workers"),
        ({"heldout_fraction": 1.0}, "heldout_fraction"),
        ({"max_document_bytes": 0}, "max_document_bytes"),
    ],
)
def test_bad_settings_are_one_line(settings, message):
    with pytest.raises(FledgeError, match=message):
        TextConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": {"length.min_charakters": 3}}, "did you mean length.min_characters"),
        ({"thresholds": {"length.min_characters": 2.5}}, "must be a whole number"),
        ({"filters": (), "thresholds": {"length.min_characters": 3}}, "unknown threshold"),
        ({"filters": ("no_such_module:f",)}, "cannot load 'no_such_module:f'"),
        ({"transforms": ("os.path:nothing",)}, "cannot load"),
        ({"transforms": ("os.path:sep",)}, "is not a function"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(settings, message):
    with pytest.raises(FledgeError, match=message):
        load_steps(TextConfig(**settings))


def test_code_that_fails_while_it_is_imported_is_one_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "failing_rules.py").write_text("\nshare = 1 / 0")
    with pytest.raises(FledgeError, match=r"^filters: cannot load 'failing_rules:f' .*failing_rules.py, line 2; mend"):
        load_steps(TextConfig(filters=("failing_rules:f",)))


def test_thresholds_and_languages_reach_their_filters():
    config = TextConfig(thresholds={"length.min_characters": 3.0, "language.min_score": 0.99}, languages=("de",))
    steps = {step.label: step.function for step in load_steps(config).filters}
    assert steps["length"]("xyz").keep
    assert steps["language"]("This is a perfectly ordinary sentence of the English language.").reason == "language en"


def test_globs_choose_documents():
    config = TextConfig(transforms=("repair", "unwrap@*.txt", "unwrap@*.md"))
    steps = load_steps(config).transforms
    assert [step.fits("a/b.txt") for step in steps] == [True, True, False]
    assert step_names(config)[3:6] == ["repair", "unwrap@*.txt", "unwrap@*.md"]
    assert len(set(labels(["a", "a", "a@x", "a@x", "a"]))) == 5


def test_settings_come_from_toml_and_pickle():
    data = {"sources": ["a"], "thresholds": {"length.min_characters": 5}, "source": {"text_column": "story"}}
    config = load(TextConfig, data)
    assert config.source.text_column == "story"
    assert pickle.loads(pickle.dumps(config)) == config


def test_every_name_can_be_loaded():
    for table in (SPLITTERS, TRANSFORMS, FILTERS):
        for name in table:
            assert load_function(name, table, where="test").__doc__


def test_the_page_holds_the_table_of_the_code():
    page = Path(__file__).parents[2] / "docs" / "text.md"
    assert rules_table() in page.read_text("utf-8")
