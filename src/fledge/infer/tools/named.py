"""Tools by name: the built-in ones, ``module:function`` and ``path/file.py:function``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from fledge.infer.tools.tool import FILE_MODULE, Tool, tool
from fledge.run.modules import loading
from fledge.types import FledgeError

BUILT_IN = ("calculator", "python", "python-jail")


def named(name: str) -> Tool:
    """The tool that is called ``name``; FledgeError where there is none, or it cannot be loaded or used here."""
    if name == "calculator":
        from fledge.infer.tools.calculator import calculator

        return calculator
    if name in ("python", "python-jail"):
        from fledge.infer.tools.python import python_tool

        return python_tool(jail=name == "python-jail")
    if ":" not in name:
        known = ", ".join(BUILT_IN)
        raise FledgeError(
            f"there is no tool {name!r}", fix=f"known are {known}, module:function and path/file.py:function"
        )
    return loaded(name)


def loaded(reference: str) -> Tool:
    """The tool ``module:function`` or ``path/file.py:function``; a plain function becomes one."""
    module_name, _, attribute = reference.rpartition(":")
    with loading(reference, where="tool"):
        module = _from_file(Path(module_name)) if module_name.endswith(".py") else importlib.import_module(module_name)
        found = getattr(module, attribute)
        if isinstance(found, Tool):
            return found
        if not callable(found):
            raise FledgeError(f"{reference} is no function", where="tool")
        return tool(found)


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    name = f"{FILE_MODULE}{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FledgeError("is not there", where=str(path), fix="check the path")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
