"""Modules of the user's own: as files, found without running any of them; and their faults, told in one line."""

from __future__ import annotations

import ast
import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from fledge.types import FledgeError

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


@contextmanager
def loading(name: str, *, where: str) -> Iterator[None]:
    """Around the import of the user's ``module:function`` and what else runs of it before any document is read.

    Whatever their code raises there becomes a FledgeError that names the innermost line of their files.
    """
    try:
        yield
    except FledgeError:
        raise
    except (Exception, SystemExit) as error:
        place = _place(error, name.partition(":")[0])
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        told = f"{type(error).__name__}: {told}" if told else type(error).__name__
        fix = "module:function is looked for beside the recipe and in the current directory"
        what = f"cannot load {name!r} ({told})" + (f", at {place}" if place else "")
        raise FledgeError(what, where=where, fix="mend it there" if place else fix) from error


def _place(error: BaseException, module: str) -> str:
    """File and line of the user's code where ``error`` was raised, "" where none of theirs was run."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    own = {path.resolve() for path in code_files(module).values()}
    lines = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    return next((f"{file}, line {number}" for file, number in reversed(lines) if Path(file).resolve() in own), "")
