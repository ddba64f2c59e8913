"""A text file in blocks of whole records, so that files of any size can be read in little memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xdomain.core.errors import DataError
from xdomain.data.formats.decompress import decompressed
from xdomain.data.formats.read_file import BOM, UTF16, check_is_text, opened, read_text

BLOCK = 1 << 20
"""Bytes of a block. A longer record is a block of its own."""
CELL = re.compile(rb'(?<![^,;|\t\r\n])"[^"]*(?:""[^"]*)*("|\Z)')
"""A quoted cell of a table, or the beginning of one that does not end."""


@dataclass(frozen=True)
class Block:
    """Whole records of a text file that is read in blocks.

    Parameters
    ----------
    content
        UTF-8.
    line, byte
        How many lines and bytes of the decompressed file are before it.
    done
        How much of the file as it lies on the disk has been read, from 0 to 1.
    """

    content: bytes
    line: int
    byte: int
    done: float


def text_blocks(path: Path, cut: Callable[[bytes], int], *, lead: int = 0, size: int = BLOCK) -> Iterator[Block]:
    """Read the text file `path` in blocks of whole records, without ever holding all of it.

    Parameters
    ----------
    path
        Compressed or not. UTF-16 is read whole.
    cut
        Given the bytes from the start of a record on, where the last record that is whole for certain ends; 0 where
        none is, and more is then read before it is asked again.
    lead
        Bytes before the first record: a first block has more.
    size
        Bytes of a block, or more where a record is longer.

    Raises
    ------
    DataError
        As `read_text`; what is further on is reported when it is reached.
    """
    whole = path.stat().st_size if path.is_file() else 0
    with opened(path) as file, decompressed(path, file) as (stream, _):
        line, byte, wanted = 0, 0, size
        rest = stream.read(size).removeprefix(BOM)
        if rest.startswith(UTF16):
            yield Block(read_text(path), 0, 0, 1.0)
            return
        if not rest.strip() and not stream.read(1):
            raise DataError(f"{path} is empty", expected="a header and at least one record")
        while rest:
            more = stream.read(wanted)
            if not more:
                end = len(rest)
            elif (end := cut(rest)) <= (0 if byte else lead):  # a long record: read twice as much before looking again
                rest, wanted = rest + more, 2 * wanted
                continue
            content, rest, wanted = rest[:end], rest[end:] + more, size
            if content.strip():
                check_is_text(content, path, line, byte)
                used = (byte + end) / (byte + end + len(rest))  # of what has been read
                yield Block(content, line, byte, used * file.tell() / max(1, whole))
            line, byte = line + content.count(b"\n"), byte + len(content)


def after_rows(content: bytes, *, quoted: bool = True) -> int:
    """Where the last whole row of a table ends in `content`, which begins with a row; 0 if there is none.

    Line breaks within cells in quotes do not count, unless `quoted` is False.
    """
    newline = b"\n" if b"\n" in content else b"\r"
    if not quoted or b'"' not in content:
        return content.rfind(newline) + 1
    end = begin = 0
    for cell in CELL.finditer(content):
        end = content.rfind(newline, begin, cell.start()) + 1 or end
        begin = cell.end()
    return content.rfind(newline, begin) + 1 or end


def after_fasta(content: bytes) -> int:
    """Where the last record of FASTA begins in `content`: all before it are whole; 0 if there is one only."""
    return max(content.rfind(b"\n>"), content.rfind(b"\r>")) + 1


def after_fastq(content: bytes) -> int:
    """Where the last whole record of FASTQ ends in `content`; 0 unless each has four lines."""
    lines = content.split(b"\n")[:-1]
    whole = len(lines) // 4 * 4
    four = all(line.startswith(b"@") for line in lines[:whole:4]) and all(
        line.startswith(b"+") for line in lines[2:whole:4]
    )
    return sum(len(line) + 1 for line in lines[:whole]) if four else 0
