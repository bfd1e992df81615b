"""``fledge doctor``: what this machine can do, and how training would use it."""

from __future__ import annotations

from cyclopts import App

from fledge.cli.recipes import Words, named_recipe


def doctor(*words: Words) -> None:
    """Tell what this machine has, what training would choose here by short measurements, and why.

    Any setting can be given as a flag, --STAGE.SETTING VALUE, as for fledge run; nothing is trained or written.

    Examples:

        fledge doctor

        fledge doctor recipes/demo.toml --pretrain.depth 8
    """
    from fledge.stages.doctor import doctor_text
    from fledge.stages.recipe import user_modules

    if not words:
        for line in doctor_text({}):
            print(line)
        return
    path, recipe = named_recipe(words, "doctor")
    with user_modules(path):
        for line in doctor_text(recipe.settings_of):
            print(line)


def register(app: App) -> None:
    app.command(doctor, sort_key=5, usage="Usage: fledge doctor [RECIPE] [--STAGE.SETTING VALUE …]")
