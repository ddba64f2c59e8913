"""Read a text file as bytes that are valid UTF-8, or explain why that is impossible."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from xdomain.core.errors import DataError
from xdomain.data.sources import neighbour

TEXT = "plain text in UTF-8 (CSV, TSV or FASTA), gzipped or not"
KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
}
BOM = b"\xef\xbb\xbf"


def read_text(path: Path) -> bytes:
    """The content of the text file `path`, decompressed if it is gzipped, without a byte-order mark.

    Raises
    ------
    DataError
        The file is missing, empty, binary, or not UTF-8.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist", nearest=neighbour(path), fix="check the path; it is read as given"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder", expected=TEXT, fix="name a file in it") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error})", fix="copy or download it again") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", expected=TEXT) from None
    content = content.removeprefix(BOM)
    if not content.strip():
        raise DataError(f"{path} is empty", expected="a header and at least one record")
    _check_is_text(content, path)
    return content


def line_of(content: bytes, position: int) -> int:
    """The number of the line, from 1, that holds the byte at `position` of `content`."""
    return content.count(b"\n", 0, position) + 1


def _check_is_text(content: bytes, path: Path) -> None:
    for magic, kind in KINDS.items():
        if content.startswith(magic):
            raise DataError(f"{path} is {kind}", expected=TEXT, fix="export it as CSV in UTF-8")
    if (nul := content.find(b"\0")) >= 0:
        raise DataError(
            f"{path} is a binary file: byte {nul} (line {line_of(content, nul)}) is zero",
            expected=TEXT,
            fix="export the data as CSV in UTF-8",
        )
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} (line {line_of(content, error.start)}) is not UTF-8",
            expected=TEXT,
            fix=f"iconv -f latin1 -t utf-8 {path} > {path.stem}.utf8{path.suffix}",
        ) from None
