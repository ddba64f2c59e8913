"""The content of one file: decompressed, and where it is to be text, as UTF-8 or the reason why it is none."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from xdomain.core.errors import DataError
from xdomain.data.formats.decompress import decompressed
from xdomain.data.formats.refused import refuse_binary
from xdomain.data.sources import neighbour

TEXT = "plain text in UTF-8 (CSV, TSV, JSON lines or FASTA), compressed or not"
TABLES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
}
"""What is read elsewhere, and is no text."""
BOM = b"\xef\xbb\xbf"
WESTERN, CLOSE = "cp1252", 0.05
"""The usual encoding of files that are not UTF-8, and how much worse than the best its text may look."""
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_content(path: Path) -> bytes:
    """The bytes of the file `path`; of what is compressed by gzip, bzip2, xz, zstd or zip, the bytes within.

    A zip archive must hold a single file; an Excel workbook, which is one too, is returned as it is.

    Raises
    ------
    DataError
        A file that is missing, a folder, not readable, cut off, an archive of several files, or one that unpacks to far
        more than data does.
    """
    with opened(path) as file, decompressed(path, file) as (stream, _):
        return stream.read()


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
    for magic, kind in TABLES.items():
        if not byte and content.startswith(magic):
            raise DataError(f"{path} is {kind}", expected=TEXT, fix="export it as CSV in UTF-8")
    if not byte:
        refuse_binary(path, content)
    if (nul := content.find(b"\0")) >= 0:
        raise DataError(
            f"{path} is a binary file{', and no gzip' if path.suffix == '.gz' else ''}: "
            f"byte {byte + nul} (line {line + line_of(content, nul)}) is zero",
            expected=TEXT,
            fix="export the data as CSV in UTF-8",
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        encoding = likely_encoding(content)
        raise DataError(
            f"{path}: byte {byte + error.start} (line {line + line_of(content, error.start)}) is not UTF-8"
            + (f"; it looks like {encoding}" if encoding else ""),
            expected=TEXT,
            fix=f"in Excel, save it as “CSV UTF-8”; or {recode(path, encoding)}",
        ) from None


def recode(path: Path, encoding: str | None) -> str:
    """The command that makes UTF-8 of the text file `path` in some `encoding`; None: it is not known which."""
    made = shlex.quote(f"{path.stem}.utf8{path.suffix}")
    return f"iconv -f {encoding or 'ENCODING'} -t utf-8 {shlex.quote(str(path))} > {made}"


def likely_encoding(content: bytes) -> str | None:
    """The encoding that makes most sense of the start of `content`, or None where none does."""
    from charset_normalizer import from_bytes

    found = from_bytes(content[: 1 << 16])
    best = found.best()
    if best is None:
        return None
    western = next((one for one in found if WESTERN in one.could_be_from_charset), None)
    if western and western.chaos <= best.chaos + CLOSE and western.coherence >= best.coherence - CLOSE:
        return WESTERN  # of several that do as well by far the most frequent, and Excel's own in most of Europe
    return best.encoding
