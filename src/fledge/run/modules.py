"""Modules of the user's own as files, found without running any of them."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def module_file(name: str) -> tuple[str, Path] | None:
    """What ``import name`` would read: a name that is the same wherever the code lies (``pkg/rules.py``), and the file.

    None for a module that is not there or has no file. The packages that it lies in are not imported either.
    """
    parts = name.split(".")
    try:
        spec: ModuleSpec | None = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError):
        return None
    for part in parts[1:]:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # by its last name alone: a dotted one has the finder look for its parents among what was imported
        spec = PathFinder.find_spec(part, spec.submodule_search_locations)
    if spec is None or not spec.has_location or not spec.origin:
        return None
    path = Path(spec.origin)
    depth = len(parts) + (spec.submodule_search_locations is not None)
    return "/".join(path.parts[-depth:]), path
