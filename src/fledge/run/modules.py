"""Modules of the user's own as files, found without running any of them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

INSTALLED = ("site-packages", "dist-packages")


def code_files(module: str) -> dict[str, Path]:
    """The file of ``module`` and of everything that it imports from the folder where it lies itself, by name.

    Of an installed package only the module and the packages around it.
    """
    found: dict[str, Path] = {}
    root, waiting = None, [module]
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[:n]) for n in range(1, len(parts) + 1)):
            file = module_file(name)
            if file is None or file[0] in found:
                continue
            relative, path = file
            home = path.parents[relative.count("/")]
            root = root or home
            if home == root:
                found[relative] = path
                waiting += [] if home.name in INSTALLED else _imports(path, name)
    return found


def _imports(path: Path, module: str) -> Iterator[str]:
    """The dotted names that a file imports; some may be of what a module holds."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # among them compiled modules
        return
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


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
