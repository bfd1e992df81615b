"""Directories on any store that fsspec reaches (``s3://``, ``gs://``, ``memory://``, ``file://``), whole or not there.

A store of objects cannot rename, so a directory is committed: its files are uploaded, then a marker with the size and
sha256 of each is written last. Without a marker whose sizes agree a directory does not count, whatever lies in it.
Files on the disk of a run go through :mod:`fledge.run.files` instead, which renames.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fledge.run.files import atomic_directory, atomic_file, sha256
from fledge.types import FledgeError

MARKER = "_committed.json"
MARKER_VERSION = 1
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_NO_STORES = ("http", "https", "ftp")
_INSTALL = "pip install 'fledge[cloud]'"


def is_url(name: str) -> bool:
    """Whether ``name`` is an address on a store rather than a path; those of the web and ``hf:`` are neither."""
    found = _SCHEME.match(name)
    return bool(found) and found.group(1).lower() not in _NO_STORES  # type: ignore[union-attr]


@dataclass(frozen=True)
class StoredFile:
    """What the marker says of one file."""

    n_bytes: int
    sha256: str


class Store:
    """The directories below one URL, by names with forward slashes. Raises FledgeError for whatever the store refuses.

    The package for its protocol (s3fs, gcsfs) and the credentials are looked for as fsspec does.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            import fsspec
        except ModuleNotFoundError as error:
            raise FledgeError("needs the package fsspec", where=url, fix=_INSTALL) from error
        options = {"auto_mkdir": True} if self.url.startswith("file:") else {}
        try:
            self._files, self._root = fsspec.url_to_fs(url, **options)
        except ImportError as error:
            raise FledgeError(f"needs a further package ({_first_line(error)})", where=url, fix=_INSTALL) from error
        except ValueError as error:
            fix = "known are file, memory, s3, gs, az and whatever fsspec knows"
            raise FledgeError(_first_line(error).lower(), where=url, fix=fix) from error
        except Exception as error:
            raise _refusal(error, url) from error
        self._root = self._root.rstrip("/")

    def commit(self, name: str, files: Mapping[str, Path | bytes]) -> None:
        """Make the directory ``name`` hold just ``files`` (name → a file on the disk, or its bytes).

        One that holds the same already is left as it is. While this is under way no reader believes in it.
        """
        wanted = {file: _entry(content) for file, content in files.items()}
        if self.committed(name) == wanted:
            return
        self.unmark(name)
        with self._told(name):
            for file, content in files.items():
                path = self._path(name, file)
                if isinstance(content, bytes):
                    self._files.pipe_file(path, content)
                else:
                    self._files.put_file(str(content), path)
            for path in self._listed(name):
                if self._relative(name, path) not in wanted:
                    self._files.rm_file(path)
            body = {"version": MARKER_VERSION, "files": {file: asdict(entry) for file, entry in wanted.items()}}
            self._files.pipe_file(self._path(name, MARKER), json.dumps(body, indent=1).encode())
        if self.committed(name) != wanted:
            raise FledgeError(
                "does not hold what was written there just now",
                where=self._shown(name),
                fix="run the same command again",
            )

    def committed(self, name: str) -> dict[str, StoredFile] | None:
        """The files of a directory whose marker is there and whose sizes agree with it, else None."""
        with self._told(name):
            self._files.invalidate_cache()
            try:
                body = json.loads(self._files.cat_file(self._path(name, MARKER)))
                if body["version"] != MARKER_VERSION:
                    return None
                files = {file: StoredFile(**entry) for file, entry in body["files"].items()}
                whole = all(self._size(self._path(name, file)) == each.n_bytes for file, each in files.items())
            except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
                return None
        return files if whole else None

    def names(self, below: str = "") -> list[str]:
        """Names of the directories right below ``below`` that have a marker, sorted."""
        with self._told(below):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._path(below), detail=False)
            except FileNotFoundError:
                return []
            found = {path.rstrip("/").rpartition("/")[2] for path in found}
            return sorted(each for each in found if self._size(self._path(below, each, MARKER)) >= 0)

    def fetch(self, name: str, target: Path, *, below: str = "") -> None:
        """Download a committed directory (or what it has under ``below``) to ``target``, whole or not at all.

        Every byte is checked. Raises FledgeError where it is not committed or a file is not what was written.
        """
        files = self.committed(name)
        if files is None:
            raise FledgeError("holds nothing that was wholly written", where=self._shown(name), fix="check the address")
        prefix = f"{below}/" if below else ""
        chosen = {file: entry for file, entry in files.items() if file.startswith(prefix)}
        with atomic_directory(target) as temporary:
            for file, entry in chosen.items():
                path = temporary / file.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                with self._told(name, file):
                    self._files.get_file(self._path(name, file), str(path))
                if sha256(path) != entry.sha256:
                    raise FledgeError(
                        "does not match its checksum", where=self._shown(name, file), fix="remove that directory"
                    )

    def fetch_file(self, name: str, target: Path) -> None:
        """Download one file that nobody marked, as a user's own; whole or not at all."""
        with atomic_file(target) as temporary, self._told(name):
            self._files.get_file(self._path(name), str(temporary))
            if temporary.stat().st_size != (size := self._size(self._path(name))):
                raise FledgeError(f"broke off before its {size} bytes", where=self._shown(name), fix="run again")

    def sizes(self, name: str = "") -> dict[str, int]:
        """Every file below ``name`` and its bytes; ``{"": n}`` where ``name`` is a file. Empty where nothing is."""
        with self._told(name):
            self._files.invalidate_cache()
            found = self._listed(name)
            return {self._relative(name, path): self._size(path) for path in found}

    def remove(self, name: str) -> None:
        """Remove a directory: its marker first, so that nobody believes in a half of it."""
        self.unmark(name)
        with self._told(name):
            for path in self._listed(name):
                self._files.rm_file(path)

    def unmark(self, name: str) -> None:
        """Take the marker away, from which moment on the directory does not count."""
        with self._told(name):
            try:
                self._files.rm_file(self._path(name, MARKER))
            except FileNotFoundError:
                return

    def _listed(self, name: str) -> list[str]:
        try:
            return sorted(self._files.find(self._path(name)))
        except FileNotFoundError:
            return []

    def _size(self, path: str) -> int:
        """Bytes of a file; -1 where there is none."""
        try:
            return int(self._files.info(path).get("size") or 0)
        except FileNotFoundError:
            return -1

    def _path(self, *parts: str) -> str:
        return "/".join([self._root, *(part for part in parts if part)])

    def _relative(self, name: str, path: str) -> str:
        root = self._files._strip_protocol(self._path(name))
        return path.removeprefix(root).removeprefix("/")

    def _shown(self, *parts: str) -> str:
        return "/".join([self.url, *(part for part in parts if part)])

    @contextmanager
    def _told(self, *parts: str) -> Iterator[None]:
        """Whatever a store's own library raises as one line; these libraries share no class of errors."""
        try:
            yield
        except FledgeError:
            raise
        except Exception as error:
            raise _refusal(error, self._shown(*parts)) from error


@dataclass(frozen=True)
class Marked:
    """A folder ``below`` (or all, if empty) of the committed directory ``name``."""

    store: Store
    name: str
    below: str


def marked(url: str) -> Marked | None:
    """The committed directory that ``url`` is or lies in; None where there is none."""
    inside: list[str] = []
    parent, _, name = url.rstrip("/").rpartition("/")
    while name and not parent.endswith(("/", ":")):
        store = Store(parent)
        if store.committed(name) is not None:
            return Marked(store, name, "/".join(reversed(inside)))
        inside.append(name)
        parent, _, name = parent.rpartition("/")
    return None


def localised(url: str) -> Path:
    """A directory on this disk with what a committed directory, or a folder inside one, holds at ``url``.

    It is kept in ``$FLEDGE_CACHE`` (by default ``~/.cache/fledge``) and downloaded again only where the marker changed.
    """
    found = marked(url)
    if found is None:
        raise FledgeError("holds nothing that was wholly written", where=url, fix="check the address")
    files = found.store.committed(found.name) or {}
    told = json.dumps([url.rstrip("/"), sorted((file, entry.sha256) for file, entry in files.items())])
    target = _cache() / hashlib.sha256(told.encode()).hexdigest()[:32]
    if not target.is_dir():
        found.store.fetch(found.name, target, below=found.below)
    return target


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FLEDGE_CACHE") or Path(home, "fledge"))


def _entry(content: Path | bytes) -> StoredFile:
    if isinstance(content, bytes):
        return StoredFile(len(content), hashlib.sha256(content).hexdigest())
    return StoredFile(content.stat().st_size, sha256(content))


def _refusal(error: Exception, where: str) -> FledgeError:
    what = f"the store refuses ({type(error).__name__}: {_first_line(error)})"
    return FledgeError(what, where=where, fix="check the address, the network and the credentials")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
