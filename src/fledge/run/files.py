"""Files that appear whole or not at all: a temporary name beside the target, flush, rename."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fledge.types import FledgeError

TEMPORARY = ".partial-"


def _sync(path: Path) -> None:
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR
    try:
        handle = os.open(path, flags)
    except (OSError, AttributeError):  # directories cannot be opened on Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
    finally:
        os.close(handle)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the file system refuses about ``path`` into one line for the person."""
    try:
        yield
    except OSError as error:
        fixes = {
            errno.ENOSPC: "free some space, or choose another disk with --out",
            errno.EFBIG: "raise the limit on the size of files, or choose another disk with --out",
            errno.EDQUOT: "raise the quota, or choose another disk with --out",
            errno.EACCES: "choose a directory that you may write with --out",
            errno.EPERM: "choose a directory that you may write with --out",
            errno.EROFS: "choose a directory that you may write with --out",
            errno.ENAMETOOLONG: "choose a shorter name",
        }
        if error.errno not in fixes:
            raise
        raise of_system(error, str(error.filename or path), fixes[error.errno]) from error


SHOWN_PATH = 200


def of_system(error: OSError, path: str = "", fix: str = "check the path") -> FledgeError:
    """What the operating system refuses, as one line: the file, its reason, what to do."""
    where = path or (os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "")
    if len(where) > SHOWN_PATH:
        where = f"{where[:SHOWN_PATH]}…"
    return FledgeError((error.strerror or str(error) or "cannot be used").lower(), where=where, fix=fix)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; on a clean exit it is flushed and renamed to ``path``, else removed."""
    target = Path(path)
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    with told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
            _sync(target.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary directory that becomes ``path`` on a clean exit.

    Parents that are not there are made, and taken away again where nothing came of it. An older ``path`` is moved aside
    first and removed last, so that one whole version is always there.
    """
    target = Path(path)
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{target.name}")
    made = [parent for parent in target.parents if not parent.exists()]
    with told(target):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for file in sorted(temporary.rglob("*")):
                _sync(file)
            _sync(temporary)
            old = target.with_name(f"{TEMPORARY}{os.getpid()}-old-{target.name}")
            if target.exists():
                os.replace(target, old)
            os.replace(temporary, target)
            _sync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            with suppress(OSError):  # another process may have put something there
                for parent in made:
                    parent.rmdir()
            raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 ``text`` with ``\\n`` line ends, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data``, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON, keys as given, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # names of files may hold bytes that are no UTF-8; as escapes they come back the same
    text = text if encodable(text) else json.dumps(value, indent=2, allow_nan=False)
    write_text(path, text + "\n")


def encodable(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        return text.isascii() or bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON; a missing or damaged file is told in one line."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise FledgeError("is not there", where=str(path), fix="check the path") from error
    except (ValueError, RecursionError) as error:
        raise FledgeError(f"is not valid JSON ({error})", where=str(path), fix="remove it and run again") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_leftovers(directory: str | os.PathLike[str]) -> int:
    """Remove what a killed process left under temporary names; call only under the run's lock."""
    root, count = Path(directory), 0
    for path in sorted(root.rglob(f"{TEMPORARY}*")) if root.is_dir() else []:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        count += 1
    return count
