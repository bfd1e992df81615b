"""From what a user names to units: files on disk, URLs, data sets of a hub; always in the same order."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from fledge.run.storage import is_url
from fledge.text.sources.archives import unknown_format
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.formats import CONTENT_TYPES, SUPPORTED, classify
from fledge.text.sources.hub import PREFIX, list_hub
from fledge.text.sources.records import Unit
from fledge.text.sources.stores import copy_from_store
from fledge.text.sources.walk import files_below
from fledge.text.sources.web import FetchFailed, Web
from fledge.types import FledgeError, Reject


def list_units(
    sources: Sequence[str], settings: SourceSettings, *, cache: Path | None = None, web: Web | None = None
) -> list[Unit]:
    """What there is to read, in the order of ``sources`` and sorted by path within each; a file comes once.

    URLs and what lies on stores are downloaded into ``cache`` here, one after another; files of a hub when they are
    read. ``cache`` is needed for these only, and makes a resumed run read the same bytes. Raises FledgeError for a
    source that is missing, of unknown format, or a folder without a readable file, and where nothing can be read.
    """
    if not sources:
        raise FledgeError("no sources are named", where="sources", fix="name files, folders, archives or URLs")
    local = [source for source in sources if not _is_remote(source)]
    labels = _labels(local)
    seen: set[str] = set()
    units: list[Unit] = []
    for source in sources:
        if _is_remote(source):
            if cache is None:
                raise FledgeError("there is no directory to keep downloads in", where=source, fix="name local files")
            if source.startswith(PREFIX):
                found = list_hub(source, cache)
            elif is_url(source):
                found = _store_units(source, cache)
            else:
                web = web or Web(settings, cache)
                found = [_url_unit(source, web)]
        else:
            found = _local_units(source, labels[source], seen)
        for unit in found:
            if unit.id in seen and _is_remote(source):
                continue
            name = unit.id
            while name in seen:
                name += "~2"
            seen.add(name)
            units.append(replace(unit, id=name))
    problems = [unit.problem for unit in units if unit.problem is not None]
    if len(problems) == len(units):
        first = problems[0].reason.removeprefix(f"{problems[0].id}: ")
        more = f" (and {len(problems) - 1} more that cannot be read)" if len(problems) > 1 else ""
        raise FledgeError(f"{first}{more}", where=problems[0].id, fix="name a source that can be read")
    return units


def _is_remote(source: str) -> bool:
    return source.startswith((PREFIX, "http://", "https://")) or is_url(source)


def _labels(sources: Sequence[str]) -> dict[str, str]:
    """For each path the fewest of its last parts that tell it from the others."""
    parts = {source: Path(os.path.normpath(Path(source).absolute())).parts for source in sources}
    distinct = len(set(parts.values()))
    n = 1
    while len({path[-n:] for path in parts.values()}) < distinct:
        n += 1
    return {source: "/".join(part.strip("/\\") for part in path[-n:]) or "root" for source, path in parts.items()}


def _local_units(source: str, label: str, seen: set[str]) -> list[Unit]:
    root = Path(source)
    try:
        mode = root.stat().st_mode
    except OSError as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else (error.strerror or "unreadable").lower()
        raise FledgeError(reason, where=source, fix="check the path") from error
    if stat.S_ISREG(mode):
        if not classify(root.name)[0]:
            raise FledgeError("unknown format", where=source, fix=f"give it one of these extensions: {SUPPORTED}")
        return _file_unit(root, label, source, seen)
    if not stat.S_ISDIR(mode):
        raise FledgeError("is neither a file nor a folder", where=source, fix="check the path")
    files = list(files_below(root))
    if not any(classify(path.name)[0] for path, _ in files):
        found = f"holds no file that can be read ({len(files)} of unknown format)" if files else "holds no files"
        raise FledgeError(found, where=source, fix=f"put files of these kinds there: {SUPPORTED}")
    return [unit for path, relative in files for unit in _file_unit(path, f"{label}/{relative}", source, seen)]


def _file_unit(path: Path, name: str, source: str, seen: set[str]) -> list[Unit]:
    """The unit of one file; none where the same file was named before."""
    real = f"real:{os.path.realpath(path)}"
    if real in seen:
        return []
    seen.add(real)
    kind, codec = classify(path.name)
    # names that are not UTF-8 (of old archives and disks) still open their files; what is told of them is text
    name, source = (each.encode("utf-8", "replace").decode() for each in (name, source))
    unit = Unit(name, source, str(path), kind, codec, 0)
    try:
        status = path.stat()
    except OSError as error:
        reason = f"{name}: cannot be read ({(error.strerror or 'unknown').lower()})"
        return [replace(unit, problem=Reject(name, name, "unreadable", reason))]
    unit = replace(unit, n_bytes=status.st_size)
    if not stat.S_ISREG(status.st_mode):
        problem = Reject(name, name, "unknown-format", f"{name}: is not a regular file")
        return [replace(unit, n_bytes=0, problem=problem)]
    return [unit if kind else replace(unit, problem=unknown_format(name, status.st_size))]


def _store_units(source: str, cache: Path) -> list[Unit]:
    folder, names = copy_from_store(source, cache)
    if names == [""]:  # a single file, which the user named
        name = Path(source).name
        return [replace(unit, url=source) for unit in _file_unit(folder / name, source, source, set())]
    if not any(classify(name)[0] for name in names):
        raise FledgeError(f"holds no file that can be read ({len(names)} of unknown format)", where=source)
    address = source.rstrip("/")
    return [unit for name in names for unit in _file_unit(folder / name, f"{address}/{name}", source, set())]


def _url_unit(url: str, web: Web) -> Unit:
    try:
        fetched = web.fetch(url)
    except FetchFailed as error:
        return Unit(url, url, "", "", "", 0, url=url, problem=Reject(url, url, error.rule, error.reason))
    named = [classify(urlsplit(item).path) for item in (fetched.url, url)]
    told = classify(f"x{CONTENT_TYPES.get(fetched.content_type, '')}")
    # a page is a page whatever its address ends in; else the name knows more than the server's "text/plain"
    kind, codec = told if told[0] == "html" else next((item for item in [*named, told] if item[0]), ("", ""))
    unit = Unit(
        url,
        url,
        str(fetched.path),
        kind,
        codec,
        fetched.n_bytes,
        url=fetched.url,
        encoding=fetched.charset,
        sha256=fetched.sha256,
    )
    return unit if kind else replace(unit, problem=unknown_format(url, fetched.n_bytes))
