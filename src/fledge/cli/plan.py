"""``fledge plan``: what a recipe's training costs, before it is begun."""

from __future__ import annotations

from cyclopts import App

from fledge.cli.recipes import Words, named_recipe


def plan(*words: Words, devices: str = "cpu", utilisation: float | None = None, price: float | None = None) -> None:
    """Tell what training a recipe takes: parameters, FLOPs, memory, hours, price, disk.

    Any setting can be given as a flag, --STAGE.SETTING VALUE, as for fledge run.
    On cpu the speed is measured, as before a training; elsewhere it is the devices' peak times a stated utilisation.

    Examples:

        fledge plan recipes/demo.toml

        fledge plan recipes/demo.toml --devices 8xH100 --pretrain.depth 20 --price 2.2

    Parameters
    ----------
    devices
        cpu, or how many of which: H100, 8xH100, 4xA100 …; an unknown name lists those known.
    utilisation
        Share of the devices' peak that the training reaches; 0.4 if not given.
    price
        Dollars an hour for one device, in place of the round figure in the table.
    """
    from fledge.stages.estimate import plan_text
    from fledge.stages.recipe import user_modules

    path, recipe = named_recipe(words, "plan", own=("devices", "utilisation", "price"))
    with user_modules(path):
        for line in plan_text(recipe.settings_of, devices, utilisation=utilisation, price=price):
            print(line)


def register(app: App) -> None:
    app.command(plan, sort_key=5, usage="Usage: fledge plan RECIPE [OPTIONS] [--STAGE.SETTING VALUE …]")
