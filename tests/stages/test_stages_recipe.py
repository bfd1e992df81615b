"""Recipes: what they hold, what flags change, and that those that ship are valid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fledge.run.toml_file import read_toml
from fledge.stages.recipe import read_recipe, recipe_flags, settings_class, settings_text, stage_recipe
from fledge.stages.table import STAGES, stage_names
from fledge.stages.whole import run_whole
from fledge.types import FledgeError

RECIPES = Path(__file__).parents[2] / "recipes"


def written(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["demo", "library"])
def test_the_recipes_that_ship_load_and_round_trip(tmp_path, name):
    recipe = read_recipe(RECIPES / f"{name}.toml")
    assert recipe.name == name and recipe.description
    assert read_recipe(written(tmp_path, recipe.to_toml())) == recipe


def test_a_stage_belongs_to_a_recipe_if_its_table_is_there(tmp_path):
    recipe = read_recipe(written(tmp_path, 'name = "x"\n[world]\n[tokenizer]\n'))
    assert list(recipe.settings_of) == ["world", "tokenizer"]


def test_flags_win_and_a_flag_for_a_missing_stage_is_refused(tmp_path):
    path = written(tmp_path, 'name = "x"\n[world]\nseed = 3\n[tokens]\n')
    _, flags = recipe_flags(["--world.seed", "4", "--tokens.mixture.world", "0.5"])
    recipe = read_recipe(path, flags)
    assert recipe.world.seed == 4 and recipe.tokens.mixture == {"world": 0.5}
    _, flags = recipe_flags(["--sft.epochs", "1"])
    with pytest.raises(FledgeError, match=r"--sft.epochs: the recipe x has no stage sft; add a \[sft\] table"):
        read_recipe(path, flags)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[world]\n", "the recipe has no name; write name ="),
        ('name = "a/b"\n', "line 1, name: the recipe needs a name"),
        ('name = "x"\n[wrold]\n', "line 2, wrold: unknown key wrold; did you mean world?"),
        ('name = "x"\n[pretrain]\ndepht = 3\n', "line 3, pretrain.depht: unknown key depht in [pretrain]"),
        ('name = "x"\n[pretrain]\ndepth = 0\n', "line 3, pretrain.depth: depth must be at least 1, got 0"),
        ('name = "x"\n[pretrain.optim]\nbeta1 = 2\n', "line 3, pretrain.optim.beta1: beta1 must lie in [0, 1)"),
        ('name = "x"\n[tokens.mixture]\nworld = -1\n', "line 3, tokens.mixture.world"),
    ],
)
def test_faults_of_a_recipe_name_file_and_line(tmp_path, text, line):
    with pytest.raises(FledgeError) as caught:
        read_recipe(written(tmp_path, text))
    assert str(tmp_path) in str(caught.value) and line in str(caught.value)


def test_one_stage_takes_the_runs_settings_and_adds_its_own_table(tmp_path):
    recipe = stage_recipe("text", {}, tmp_path, None)
    assert recipe.name == tmp_path.name and list(recipe.settings_of) == ["text"]
    with pytest.raises(FledgeError, match="no run yet, and tokenizer reads from the stages before it; begin with"):
        stage_recipe("tokenizer", {}, tmp_path, None)
    (tmp_path / "recipe.toml").write_text('name = "mine"\n[text]\nsources = ["a"]\n', encoding="utf-8")
    _, flags = recipe_flags(["--vocab-size", "300"], inside="tokenizer")
    recipe = stage_recipe("tokenizer", flags, tmp_path, None)
    assert (recipe.name, recipe.text.sources, recipe.tokenizer.vocab_size) == ("mine", ("a",), 300)


def test_every_stage_has_settings_with_help():
    assert stage_names() == ["world", "text", "tools", "tokenizer", "tokens", "pretrain", "sft", "eval"]
    for spec in STAGES:
        text = settings_text(spec.name)
        assert text.count("  --") >= 1, spec.name
        settings_class(spec.name)()
        names = stage_names()
        assert all(names.index(above) < names.index(spec.name) for above in spec.upstream)
        for name in spec.input_settings:
            assert hasattr(settings_class(spec.name)(), name)


def test_files_of_later_stages_are_missed_before_the_first_begins(tmp_path):
    recipe = read_recipe(
        written(tmp_path, 'name="x"\n[text]\nsources=["a"]\n[tokenizer]\n[tokens]\ndecontaminate=["no"]')
    )
    with pytest.raises(FledgeError, match=r"tokens\.decontaminate, no: is not there"):
        run_whole(recipe, tmp_path / "run", say=print)
    assert not (tmp_path / "run").exists()


def test_the_resolved_recipe_is_kept_with_the_run(tmp_path):
    source = tmp_path / "a.unknown"
    source.touch()
    recipe = read_recipe(written(tmp_path, f'name="x"\n[text]\nsources=[{json.dumps(source.as_posix())}]\n'))
    with pytest.raises(FledgeError, match="unknown format"):
        run_whole(recipe, tmp_path / "run", say=lambda line: None)
    assert read_toml(tmp_path / "run" / "recipe.toml")[0]["text"]["sources"] == [source.as_posix()]
    assert read_recipe(tmp_path / "run") == recipe
