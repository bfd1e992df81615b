"""``fledge doctor``: what this machine can do, and how training would use it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from fledge.cli.paths import place
from fledge.types import FledgeError

Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def doctor(*words: Words) -> None:
    """Tell what this machine has, what training would choose here by short measurements, and why.

    Any setting can be given as a flag, --STAGE.SETTING VALUE, as for fledge run; nothing is trained or written.

    Examples:

        fledge doctor

        fledge doctor recipes/demo.toml --pretrain.depth 8
    """
    from fledge.stages.doctor import doctor_text
    from fledge.stages.recipe import read_recipe, recipe_flags, user_modules

    plain, flags = recipe_flags(words, own=())
    if len(plain) > 1:
        raise FledgeError(f"expected at most one recipe, got {len(plain)}: {' '.join(plain)}", where="fledge doctor")
    if flags and not plain:
        raise FledgeError(
            "settings belong to a recipe, and none is given",
            where="fledge doctor",
            fix="give it first: fledge doctor recipes/demo.toml --pretrain.depth 8",
        )
    if not plain:
        for line in doctor_text({}):
            print(line)
        return
    path = place(plain[0])
    recipe = read_recipe(path, flags)
    with user_modules(path):
        for line in doctor_text(recipe.settings_of):
            print(line)


def register(app: App) -> None:
    app.command(doctor, sort_key=5, usage="Usage: fledge doctor [RECIPE] [--STAGE.SETTING VALUE …]")
