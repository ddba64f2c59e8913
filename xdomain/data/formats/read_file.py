"""The content of one file: decompressed, and where it is to be text, as UTF-8 or the reason why it is none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.data.sources import neighbour

TEXT = "plain text in UTF-8 (CSV, TSV, JSON lines or FASTA), compressed or not"
BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind (.xls)",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a numpy array",
    b"\x1f\x8b": "gzipped twice",
    b"7z\xbc\xaf": "a 7z archive",
}
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_content(path: Path) -> bytes:
    """The bytes of the file `path`; of what is compressed by gzip, bzip2, xz, zstd or zip, the bytes within.

    A zip archive must hold a single file; an Excel workbook, which is one too, is returned as it is.

    Raises
    ------
    DataError
        A file that is missing, a folder, not readable, cut off, or an archive of several files.
    """
    with opened(path) as file:
        content = file.read()
    for magic, (name, decompress) in COMPRESSED.items():
        if content.startswith(magic):
            with _told(path, name):
                return decompress(content)
    return content


def read_head(path: Path, size: int) -> bytes:
    """The first `size` bytes of what `read_content` returns for the file `path`; little more of it is read.

    Raises
    ------
    DataError
        As `read_content`; a file that is cut off further on is not noticed.
    """
    with opened(path) as file, decompressed(path, file) as (stream, _):
        return stream.read(size)


@contextmanager
def opened(path: Path) -> Generator[BinaryIO]:
    """Open the file `path` as it lies on the disk; one that cannot be read is a `DataError`."""
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist", nearest=neighbour(path), fix="check the path; it is read as given"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder", expected=TEXT, fix="name a file in it") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected=TEXT) from None


@contextmanager
def _told(path: Path, name: str) -> Generator[None]:
    """Turn the errors of decompressing the file `path`, of the kind `name`, into one that names it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path} {error.what}", expected=error.expected, fix=error.fix) from None
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a whole {name} file ({str(error)[:120]})", fix="copy or download it again"
        ) from None


@contextmanager
def decompressed(path: Path, file: BinaryIO) -> Generator[tuple[Any, str | None]]:
    """The content of the opened `file` at `path` as a stream of bytes; and the name of its compression, or None."""
    magic = file.read(8)
    file.seek(0)
    for start, (name, decompress) in COMPRESSED.items():
        if magic.startswith(start):
            with _told(path, name):
                opener = STREAMS.get(name)
                yield (opener(file) if opener else io.BytesIO(decompress(file.read()))), name
            return
    yield file, None


def read_text(path: Path) -> bytes:
    """The content of the text file `path` as UTF-8, decompressed, without a byte-order mark.

    Raises
    ------
    DataError
        As `read_content`; and a file that is empty, binary, or neither UTF-8 nor UTF-16 with its mark.
    """
    content = read_content(path).removeprefix(BOM)
    if content.startswith(UTF16):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not whole UTF-16: byte {error.start}", fix="save it again as UTF-8") from None
    if not content.strip():
        raise DataError(f"{path} is empty", expected="a header and at least one record")
    check_is_text(content, path)
    return content


def line_of(content: bytes, position: int) -> int:
    """The number of the line, from 1, that holds byte `position` of `content`."""
    return content.count(b"\n", 0, position) + 1


def check_is_text(content: bytes, path: Path, line: int = 0, byte: int = 0) -> None:
    """Refuse `content` that is no text; `line` lines and `byte` bytes of the file `path` are before it."""
    for magic, kind in BINARY.items():
        if not byte and content.startswith(magic):
            raise DataError(f"{path} is {kind}", expected=TEXT, fix="export it as CSV in UTF-8")
    if (nul := content.find(b"\0")) >= 0:
        raise DataError(
            f"{path} is a binary file: byte {byte + nul} (line {line + line_of(content, nul)}) is zero",
            expected=TEXT,
            fix="export the data as CSV in UTF-8",
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        encoding = _likely_encoding(content)
        raise DataError(
            f"{path}: byte {byte + error.start} (line {line + line_of(content, error.start)}) is not UTF-8"
            + (f"; it looks like {encoding}" if encoding else ""),
            expected=TEXT,
            fix=f"iconv -f {encoding or 'ENCODING'} -t utf-8 {path} > {path.stem}.utf8{path.suffix}",
        ) from None


def _likely_encoding(content: bytes) -> str | None:
    """The encoding that makes most sense of the start of `content`, or None where none does."""
    from charset_normalizer import from_bytes

    best = from_bytes(content[: 1 << 16]).best()
    return best.encoding if best is not None else None


def _zstd(content: bytes) -> bytes:
    return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()


def _unzip(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        names = [name for name in names if not name.startswith("__MACOSX/")]
        if "[Content_Types].xml" in names:
            return content
        if len(names) != 1:
            raise DataError(
                f"is a zip archive of {len(names)} files: {', '.join(names[:5])}",
                expected="a single file in it",
                fix="unpack it, and name the file or the folder",
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise DataError("is a zip archive with a password", fix="unpack it first")
        return archive.read(names[0])


COMPRESSED: Mapping[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"PK\x03\x04": ("zip", _unzip),
}
"""By the bytes that a compressed file begins with: its name and what undoes it."""
STREAMS: Mapping[str, Callable[[BinaryIO], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": lambda file: pa.CompressedInputStream(file, "zstd"),
}
"""By the name of a compression, what reads it as a stream."""
