"""Commands that make something: ``run`` for a whole recipe, and one for each stage by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from fledge.cli.paths import MaybePlace, Place
from fledge.cli.recipes import Words, named_recipe
from fledge.stages.table import stage_names
from fledge.types import FledgeError

ABOUT = {
    "world": ("Write the invented town: documents, conversations, facts.", "--n-bytes 5000000 --out runs/town"),
    "text": ("Make clean documents of files, folders, archives or URLs.", "--sources PATH --out runs/mine"),
    "tools": ("Make what the assistant may search, and conversations with tools.", "--out runs/mine"),
    "tokenizer": ("Train the tokenizer on a run's documents.", "--out runs/mine --vocab-size 8192"),
    "tokens": ("Turn a run's documents into token shards.", "--out runs/mine"),
    "pretrain": ("Train a base model on a run's tokens.", "--out runs/mine --depth 6"),
    "sft": ("Tune a run's base model on conversations.", "--out runs/mine --conversations FILE.jsonl"),
    "eval": ("Measure a run's model.", "--out runs/mine --n 100"),
}


def run_recipe(
    *words: Words,
    out: MaybePlace = None,
    until: str | None = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
) -> None:
    """Run all stages of a recipe; the same command again goes on where it stopped.

    A run directory in place of a recipe goes on with that run.
    Any setting can be given as a flag, --STAGE.SETTING VALUE, and wins over the file;
    fledge STAGE --help lists the settings of a stage, such as fledge pretrain --help.
    Before it starts, the plan says which stages run and why.

    Examples:

        fledge run recipes/demo.toml

        fledge run recipes/demo.toml --out runs/small --pretrain.depth 2

        fledge run recipes/library.toml --text.sources PATH PATH

    Parameters
    ----------
    out
        Run directory; runs/NAME by the recipe's name if not given.
    until
        Last stage to run: world, text, tokenizer, tokens, pretrain, sft or eval.
    start
        Run this stage and those after it again, changed or not.
    """
    from fledge.stages.recipe import user_modules
    from fledge.stages.whole import run_whole

    path, recipe = named_recipe(words, "run", own=("out", "until", "from"))
    run = out or (path if path.is_dir() else Path("runs") / recipe.name)
    with user_modules(path):
        run_whole(recipe, run, until=until, start=start, say=say)


def _stage_command(stage: str) -> Callable[..., None]:
    def command(*words: Words, out: Place, recipe: MaybePlace = None) -> None:
        from fledge.stages.recipe import recipe_flags, stage_recipe, user_modules
        from fledge.stages.whole import run_whole

        plain, flags = recipe_flags(words, inside=stage, own=("out", "recipe"))
        if plain:
            raise FledgeError(f"does not know what to do with {plain[0]}", where=f"fledge {stage}", fix="see --help")
        with user_modules(recipe):
            run_whole(stage_recipe(stage, flags, out, recipe), out, only=stage, say=say)

    what, example = ABOUT[stage]
    command.__doc__ = f"""{what}

    The same settings and code as in a recipe; those of the run are kept, flags win over them.

    Examples:

        fledge {stage} {example}

    Parameters
    ----------
    out
        Run directory; the stages before this one are taken from it.
    recipe
        Recipe to take settings from, instead of the run's own.
    """
    return command


def register(app: App) -> None:
    app.command(
        run_recipe, name="run", sort_key=0, usage="Usage: fledge run RECIPE [OPTIONS] [--STAGE.SETTING VALUE …]"
    )
    for number, stage in enumerate(stage_names()):
        usage = f"Usage: fledge {stage} --out RUN [OPTIONS] [--SETTING VALUE …]"
        app.command(_stage_command(stage), name=stage, sort_key=10 + number, usage=usage)


def print_settings_help(words: Sequence[str]) -> None:
    """After a stage's ``--help``: its settings."""
    if len(words) > 1 and words[0] in stage_names() and {"--help", "-h"} & set(words):
        from fledge.stages.recipe import settings_text

        print(settings_text(words[0]))


def say(line: str) -> None:
    print(line, flush=True)
