"""Zip and tar: their members, each read as if it were a file of its own."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Self

from fledge.text.sources.config import SourceSettings
from fledge.text.sources.formats import ARCHIVES, SUPPORTED, classify
from fledge.text.sources.records import RawRecord
from fledge.text.sources.streams import SMALL_ENOUGH, ByteStream, bad_bytes
from fledge.types import Reject

# name, format, codec, stream with read(n), bytes of the stream
ReadFile = Callable[[str, str, str, Any, int], Iterator[RawRecord | Reject]]


def is_hidden(path: str) -> bool:
    """Whether a file or a folder on its way is hidden, or is what macOS puts beside files in archives."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in path.split("/"))


def unknown_format(name: str, n_bytes: int = 0) -> Reject:
    """The Reject for a file whose name says nothing of how to read it."""
    return Reject(name, name, "unknown-format", f"{name}: unknown format; read are {SUPPORTED}", n_bytes=n_bytes)


class _Names:
    """Names for members; one that comes again in the same archive gets a number."""

    def __init__(self, archive: str) -> None:
        self._archive, self._seen = archive, dict[str, int]()

    def name(self, member: str) -> str:
        count = self._seen[member] = self._seen.get(member, 0) + 1
        return f"{self._archive}!{member}" + (f"~{count}" if count > 1 else "")


def _member(path: str, name: str, stream: Any, n_bytes: int, read_file: ReadFile) -> Iterator[RawRecord | Reject]:
    kind, codec = classify(path)
    if kind in ARCHIVES.values():
        yield Reject(name, name, "nested-archive", f"{name}: an archive inside an archive", n_bytes=n_bytes)
    elif not kind:
        yield unknown_format(name, n_bytes)
    else:
        yield from read_file(name, kind, codec, stream, n_bytes)


def read_zip(
    name: str, file: IO[bytes], n_bytes: int, settings: SourceSettings, read_file: ReadFile
) -> Iterator[RawRecord | Reject]:
    """The members of a zip in its order. A bomb is known by the sizes that it declares, before anything is read."""
    try:
        archive = zipfile.ZipFile(file)
    except bad_bytes() as error:
        reason = f"{name}: cannot be opened as a zip ({error}); it may be cut off"
        yield Reject(name, name, "damaged-archive", reason, n_bytes=n_bytes)
        return
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        unpacked, packed = sum(info.file_size for info in members), sum(info.compress_size for info in members)
        ratio = unpacked / max(1, n_bytes)
        overlap = packed > n_bytes  # members that share their bytes
        too_dense = unpacked > SMALL_ENOUGH and (ratio > settings.max_archive_ratio or overlap)
        if too_dense or unpacked > settings.max_archive_bytes:
            reason = f"{name}: unpacks to {unpacked} bytes, {ratio:.0f} times its size"
            reason += " (settings max_archive_ratio, max_archive_bytes)"
            yield Reject(name, name, "archive-bomb", reason, n_bytes=n_bytes)
            return
        names = _Names(name)
        for info in members:
            if is_hidden(info.filename):
                continue
            member = names.name(info.filename)
            try:
                stream = archive.open(info)
            except bad_bytes() as error:  # among them: the member needs a password
                reason = f"{member}: cannot be read ({error})"
                yield Reject(member, member, "damaged-archive", reason, n_bytes=info.file_size)
                continue
            with stream:
                yield from _member(info.filename, member, stream, info.file_size, read_file)


BROKEN_HEADERS = (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError)  # type: ignore[attr-defined]


class _Header(tarfile.TarInfo):
    """A header that is cut or broken raises, where tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except BROKEN_HEADERS as error:
            raise tarfile.ReadError(str(error)) from error


def read_tar(name: str, stream: ByteStream, read_file: ReadFile) -> Iterator[RawRecord | Reject]:
    """The regular files of a tar, read forward in its order; links and devices are passed over."""
    names = _Names(name)
    archive: tarfile.TarFile | None = None
    while True:
        try:
            if archive is None:
                archive = tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)
            info = archive.next()
            if info is None:
                return
            wanted = info.isfile() and not is_hidden(info.name)
            file = archive.extractfile(info) if wanted and not info.issparse() else None
        except bad_bytes() as error:
            if stream.fault is None:
                is_cut = "end of data" in str(error) or "truncated" in str(error)
                rule = "truncated-archive" if is_cut else "damaged-archive"
                reason = f"{name}: the tar is damaged at byte {stream.n_out} ({error})"
                yield Reject(name, name, rule, reason, n_bytes=stream.n_out)
            return
        if wanted:
            member = names.name(info.name.removeprefix("./"))
            if file is not None:
                yield from _member(info.name, member, file, info.size, read_file)
            else:
                yield Reject(member, member, "damaged-archive", f"{member}: a sparse file", n_bytes=info.size)
        archive.members.clear()  # type: ignore[attr-defined]  # else the list grows with the archive
