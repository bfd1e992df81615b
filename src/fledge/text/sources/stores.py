"""Files on a store (``s3://bucket/folder``), copied beside the run before they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fledge.run.storage import Store, marked
from fledge.text.sources.archives import is_hidden
from fledge.types import FledgeError


def copy_from_store(source: str, cache: Path) -> tuple[Path, list[str]]:
    """(folder on this disk, names of the files in it, sorted) of a file or a folder at the address ``source``.

    Of what Fledge wrote only directories that are whole count. A file of the user's is not copied again while its size
    stays, so that a resumed run reads the same bytes. A single file is named "". Raises FledgeError where nothing is.
    """
    folder = cache / "stores" / hashlib.sha256(source.encode()).hexdigest()[:32]
    if (found := marked(source)) is not None:
        if not folder.is_dir():
            found.store.fetch(found.name, folder, below=found.below)
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        return folder, _readable(source, names)
    store = Store(source)
    sizes = store.sizes()
    for name in _readable(source, list(sizes)):
        here = folder / (name or Path(source).name)
        if not here.is_file() or here.stat().st_size != sizes[name]:
            store.fetch_file(name, here)
    return folder, _readable(source, list(sizes))


def _readable(source: str, names: list[str]) -> list[str]:
    kept = sorted(name for name in names if not any(is_hidden(part) for part in name.split("/") if part))
    if not kept:
        raise FledgeError("holds no files", where=source, fix="check the address")
    return kept
