"""A directory in which another may have made anything: measured and removed without trust in its depth or names."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def used(directory: Path, most: int) -> tuple[int, int]:
    """(bytes on disk, number of entries). Counting stops beyond ``most``; what is too deep to see counts as more."""
    size = count = 0
    waiting = [str(directory)]
    while waiting and count <= most:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            size += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue
        except OSError:  # among them a path that is too long
            return size, most + 1
    return size, count


def emptied(directory: Path) -> None:
    """Remove ``directory`` and all in it. Folders are brought up to the first level, so that depth costs nothing."""
    moved = f".{secrets.token_hex(16)}"  # a name that is not there yet
    for number, folder in enumerate(_folders(directory)):
        folder.chmod(0o700)
        for position, path in enumerate(list(folder.iterdir())):
            if path.is_dir() and not path.is_symlink():
                path.rename(directory / f"{moved}.{number}.{position}")
            else:
                path.unlink()
        folder.rmdir()
    for path in list(directory.iterdir()):
        path.unlink()
    directory.rmdir()


def _folders(directory: Path) -> Iterator[Path]:
    """Folders directly in ``directory``, until there is none."""
    while found := [path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]:
        yield from found
