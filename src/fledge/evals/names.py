"""What the results of files are called: no two of an evaluation share a name, or a file to be kept in."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path


def file_name(name: str) -> str:
    """``name`` without the signs that a file name should not hold."""
    return re.sub(r"[^\w.-]+", "_", name)


def names_of_files(paths: Sequence[str], *, ending: bool, taken: Collection[str] = ()) -> dict[str, str]:
    """A name for each of ``paths``: its last part, or as many more as tell it from the others and from ``taken``.

    A last part that does is named without its ending where ``ending`` is False. A file named twice comes once.
    """
    distinct: dict[str, str] = {}
    for path in paths:
        distinct.setdefault(os.path.normpath(Path(path).absolute()), path)
    forms = {path: list(_forms(Path(file), ending)) for file, path in distinct.items()}
    while longer := _too_short(forms, taken):
        for path in longer:
            del forms[path][0]
    named: dict[str, str] = {}
    for path, names in forms.items():
        used = {_key(name) for name in (*taken, *named.values())}
        # whole paths may still share a file (``a b`` and ``a_b``)
        numbered = (f"{names[0]}-{n}" for n in itertools.count(2))
        named[path] = next(name for name in itertools.chain(names[:1], numbered) if _key(name) not in used)
    return named


def _forms(file: Path, ending: bool) -> Iterator[str]:
    """The names that a file may have, shortest first."""
    if not ending:
        yield file.stem
    parts = [part.strip("/\\") for part in file.parts]
    yield from ("/".join(parts[-n:]) for n in range(1, len(parts)))


def _too_short(forms: dict[str, list[str]], taken: Collection[str]) -> list[str]:
    """The paths whose first form is not theirs alone, and not their last one."""
    count = Counter(map(_key, (*taken, *(names[0] for names in forms.values()))))
    return [path for path, names in forms.items() if len(names) > 1 and count[_key(names[0])] > 1]


def _key(name: str) -> str:
    """The same for names that would share a file, also where capitals do not count."""
    return file_name(name).casefold()
