"""Compressed files as streams of what they hold; those that hold far more than data does are refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.formats.refused import READABLE, refused_archive

PIECE = 1 << 20
MAX_UNPACKED = 128 << 20
"""Bytes that any file may unpack to."""
MAX_TIMES = 50
"""Larger ones may unpack to so many times their size. Sequences and tables shrink to a third or a tenth of it."""


BROKEN = (EOFError, OSError, ValueError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What the libraries raise that decompress."""


@contextmanager
def decompressed(path: Path, file: BinaryIO) -> Generator[tuple[BinaryIO, str | None]]:
    """The content of the opened `file` at `path` as a stream of bytes, and the name of its compression, if any.

    Of a zip archive that is the single file in it; an Excel workbook, which is one too, is left as it is.

    Raises
    ------
    DataError
        While it is read: the file is cut off, an archive of several files, or unpacks to more than any data does.
    """
    magic = file.read(8)
    file.seek(0)
    for start, (name, opener) in COMPRESSED.items():
        if magic.startswith(start):
            with _told(path, name):
                stream = opener(path, file)
                yield stream if stream is file else _bounded(stream, path, file), name
            return
    yield file, None


def check_unpacked(path: Path, size: int, packed: int) -> None:
    """Refuse the file `path` of `packed` bytes if it unpacks to `size` bytes or more, as no data does.

    Raises
    ------
    DataError
        With the bound.
    """
    bound = max(MAX_UNPACKED, MAX_TIMES * packed)
    if size > bound:
        raise DataError(
            f"{path} unpacks to more than {bound >> 20:,} MB, but is packed into {packed:,} bytes, as no data is",
            expected=f"at most {MAX_TIMES} times as much as the packed file, or {MAX_UNPACKED >> 20} MB",
            fix="if it is what you want, unpack it first, and name the unpacked file",
        )


class _Counted(io.RawIOBase):
    """A stream that counts what is read of it."""

    def __init__(self, stream: Any, path: Path, packed: int) -> None:
        self.stream, self.path, self.packed, self.count = stream, path, packed, 0

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        piece: bytes = self.stream.read(min(len(buffer), PIECE))
        self.count += len(piece)
        check_unpacked(self.path, self.count, self.packed)
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        """See `io.RawIOBase`."""
        whole = bytearray()
        while piece := self.read(PIECE):
            whole += piece
        return bytes(whole)


def _bounded(stream: Any, path: Path, file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Counted(stream, path, os.fstat(file.fileno()).st_size), PIECE)


@contextmanager
def _told(path: Path, name: str) -> Generator[None]:
    """Turn the errors of decompressing the file `path`, of the kind `name`, into one that names it."""
    try:
        yield
    except DataError as error:
        if error.what.startswith(str(path)):
            raise
        raise DataError(f"{path} {error.what}", expected=error.expected, fix=error.fix) from None
    except BROKEN as error:
        raise DataError(
            f"{path} is not a whole {name} file ({str(error)[:120]})", fix="copy or download it again"
        ) from None


def _unzip(path: Path, file: BinaryIO) -> Any:
    archive = zipfile.ZipFile(file)
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    names = [entry.filename for entry in entries if not entry.filename.startswith("__MACOSX/")]
    if (refused := refused_archive(names)) is not None:
        raise DataError(f"is {refused[0]}", expected=READABLE, fix=refused[1])
    if "[Content_Types].xml" in names:
        check_unpacked(path, sum(entry.file_size for entry in entries), os.fstat(file.fileno()).st_size)
        file.seek(0)
        return file
    if len(names) != 1:
        raise DataError(
            f"is a zip archive of {len(names)} files: {', '.join(name[:60] for name in names[:5])}",
            expected="a single file in it",
            fix="unpack it, and name the file or the folder",
        )
    if archive.getinfo(names[0]).flag_bits & 1:
        raise DataError("is a zip archive with a password", fix="unpack it first")
    return archive.open(names[0])


COMPRESSED: Mapping[bytes, tuple[str, Callable[[Path, BinaryIO], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda _, file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", lambda _, file: bz2.BZ2File(file)),
    b"\xfd7zXZ\x00": ("xz", lambda _, file: lzma.LZMAFile(file)),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": ("zstd", lambda _, file: pa.CompressedInputStream(file, "zstd")),
    b"PK\x03\x04": ("zip", _unzip),
}
"""By the bytes that a compressed file begins with: its name, and what reads it as a stream."""
