"""Paths as they are given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from fledge.run.files import encodable
from fledge.run.storage import is_url
from fledge.types import FledgeError


def place(word: str) -> Path:
    """``word`` as a path. "~" is the home also where no shell made it so, as in --out=~/runs.

    Raises FledgeError for a name that is not UTF-8, since reports and settings could not hold it, and for an address on
    a store.
    """
    if not encodable(word):
        raise FledgeError(f"the path {word!a} is not UTF-8", fix="rename what is there, or choose another place")
    if is_url(word):
        raise FledgeError(
            "is an address on a store, where no run can work", where=word, fix=f"give a directory, and --mirror {word}"
        )
    try:
        return Path(word).expanduser()
    except RuntimeError:  # no user of that name
        return Path(word)


def _place(kind: Any, tokens: Sequence[Token]) -> Path:
    return place(tokens[0].value)


Place = Annotated[Path, Parameter(converter=_place)]
MaybePlace = Annotated[Path | None, Parameter(converter=_place)]
