"""The files of a folder, as reading them and looking for changes in them both see it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fledge.text.sources.archives import is_hidden
from fledge.types import FledgeError


def files_below(root: Path) -> Iterator[tuple[Path, str]]:
    """Files below ``root`` with their paths from there, sorted; hidden ones and loops of links left out.

    Links to files and folders are followed. Raises FledgeError for a folder that cannot be read.
    """
    visited: set[str] = set()

    def refuse(error: OSError) -> None:
        raise FledgeError(
            f"the folder cannot be read ({(error.strerror or 'unknown').lower()})",
            where=str(error.filename or root),
            fix="change its permissions, or name other sources",
        ) from error

    found: list[tuple[str, Path]] = []
    for folder, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in files:
            if not is_hidden(name):
                path = Path(folder, name)
                found.append((path.relative_to(root).as_posix(), path))
    for relative, path in sorted(found):
        yield path, relative
