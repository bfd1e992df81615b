"""The recipe that a command names among its words, with the settings given as flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from fledge.cli.paths import place
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.stages.recipe import Recipe

Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def named_recipe(words: Sequence[str], command: str, own: Sequence[str] = ()) -> tuple[Path, Recipe]:
    """Where the one recipe lies that ``words`` name, and the recipe; ``own`` are the command's own flags."""
    from fledge.stages.recipe import read_recipe, recipe_flags

    plain, flags = recipe_flags(words, own=own)
    if len(plain) != 1:
        raise FledgeError(
            f"expected one recipe, got {len(plain)}: {' '.join(plain)}" if plain else "no recipe is given",
            where=f"fledge {command}",
            fix=f"give it first: fledge {command} recipes/demo.toml",
        )
    path = place(plain[0])
    return path, read_recipe(path, flags)
