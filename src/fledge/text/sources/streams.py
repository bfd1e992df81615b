"""Decompression with bounds: a stream that ends at a cut, at damage or at a bomb, and says so afterwards."""

from __future__ import annotations

import bz2
import functools
import io
import lzma
import sys
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from fledge.text.sources.config import SourceSettings

CHUNK = 65_536
SMALL_ENOUGH = 16 * 1024 * 1024  # what unpacks to less is never called a bomb
MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ", "zst": b""}
XZ_MEMORY = 256 * 1024 * 1024
ZSTD_WINDOW = 128 * 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """Why a stream ended early; ``offset`` counts bytes of the packed file."""

    rule: str
    reason: str
    offset: int


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the surface of bz2's: what was not consumed is kept inside."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._tail = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._tail + data, max_length)
        self._tail = self._inner.unconsumed_tail
        return out

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    """zstandard's decompressor, whose output has no bound: fed in pieces, and in tiny ones while they grow much."""

    PIECE, TINY, MUCH = 512, 16, 131_072

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj(write_size=32_768)
        self._tail = b""
        self._piece = self.PIECE

    def decompress(self, data: bytes, max_length: int) -> bytes:
        data = self._tail + data
        outs, n_out, position = [], 0, 0
        while position < len(data) and n_out < max_length and not self._inner.eof:
            outs.append(self._inner.decompress(data[position : position + self._piece]))
            position += self._piece
            n_out += len(outs[-1])
            self._piece = self.TINY if len(outs[-1]) > self.MUCH else self.PIECE
        self._tail = data[position:]
        return b"".join(outs)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data) + self._tail


def _new_decoder(codec: str) -> _Decoder:
    if codec == "gz":
        return _Gzip()
    if codec == "bz2":
        return bz2.BZ2Decompressor()
    if codec == "xz":
        return lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})
    return _Zstd()


@functools.cache
def bad_bytes() -> tuple[type[BaseException], ...]:
    """What decompressors and archive readers raise on bad bytes."""
    import tarfile
    import zipfile

    errors: list[type[BaseException]] = [zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError]
    errors += [zipfile.BadZipFile, tarfile.TarError, NotImplementedError]
    if sys.version_info >= (3, 14):
        from compression import zstd

        errors.append(zstd.ZstdError)
    else:
        import zstandard

        errors.append(zstandard.ZstdError)
    return tuple(errors)


class ByteStream(io.RawIOBase):
    """The bytes of ``source`` after ``codec`` ("" passes them on), read forward only, memory bounded.

    Where the source is cut, damaged or a bomb, the stream ends and ``fault`` is set: whatever was whole before
    that point can still be used. ``source`` needs ``read(n)`` alone; a fault of its own is passed on.
    """

    def __init__(self, source: Any, codec: str, settings: SourceSettings) -> None:
        self.fault: Fault | None = None
        self.n_read = 0
        self.n_out = 0
        self._source, self._codec, self._settings = source, codec, settings
        self._decoder: _Decoder | None = None
        self._carry, self._given = b"", 0  # unpacked, and how much of it was given out
        self._rest = b""  # packed, not yet unpacked
        self._pending = False
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if not self._carry and not self._ended:
            self._carry = self._unpack(len(view))
            self._ended = not self._carry
        data = self._carry[self._given : self._given + len(view)]
        view[: len(data)] = data
        self._given += len(data)
        if self._given == len(self._carry):
            self._carry, self._given = b"", 0
        return len(data)

    def _unpack(self, n: int) -> bytes:
        """About ``n`` more bytes, none at the end."""
        try:
            data = self._decode(n) if self._codec else self._take(n)
        except bad_bytes() as error:
            if isinstance(error, EOFError) or "end of data" in str(error):
                return self._fail("truncated-archive", "the data is cut off")
            return self._fail("damaged-archive", f"the data is damaged ({error})")
        self.n_out += len(data)
        if self._codec and self.n_out > SMALL_ENOUGH:
            ratio = self.n_out / max(1, self.n_read)
            if ratio > self._settings.max_archive_ratio:
                return self._fail("archive-bomb", f"unpacks to {ratio:.0f} times its size (setting max_archive_ratio)")
        if self._codec and self.n_out > self._settings.max_archive_bytes:
            most = self._settings.max_archive_bytes
            return self._fail("archive-bomb", f"unpacks to over {most} bytes (setting max_archive_bytes)")
        return data

    def _fail(self, rule: str, reason: str) -> bytes:
        inner = getattr(self._source, "fault", None)
        self.fault = inner or Fault(rule, reason, self.n_read)
        return b""

    def _take(self, n: int) -> bytes:
        data: bytes = self._source.read(n) or b""
        self.n_read += len(data)
        if not data and getattr(self._source, "fault", None):
            self._fail("", "")
        return data

    def _decode(self, n: int) -> bytes:
        while True:
            if self._decoder is None or self._decoder.eof:
                if not self._next_member():
                    return b""
                assert self._decoder is not None
                data, self._rest = self._rest, b""
            else:
                data = b"" if self._pending else self._take(CHUNK)
            out = self._decoder.decompress(data, n)
            if out:
                self._pending = True  # perhaps; an empty answer to no input tells
                return out
            if not data and not self._pending and not self._decoder.eof:
                return self._fail("truncated-archive", "the compressed data is cut off")
            self._pending = False

    def _next_member(self) -> bool:
        """Begin the next compressed member: files may hold several, and zero bytes after the last."""
        rest = self._decoder.unused_data if self._decoder is not None else b""
        first = self._decoder is None
        rest = rest.lstrip(b"\0")
        while len(rest) < 6 and (more := self._take(CHUNK)):
            rest = (rest + more).lstrip(b"\0")
        if self.fault is not None:
            return False
        if not rest:
            if first:
                self._fail("truncated-archive", "the compressed file is empty")
            return False
        if not rest.startswith(MAGIC[self._codec]):
            what = f"is not .{self._codec} data" if first else "has other data after its end"
            self._fail("damaged-archive", f"the file {what}")
            return False
        self._decoder, self._rest, self._pending = _new_decoder(self._codec), rest, False
        return True
