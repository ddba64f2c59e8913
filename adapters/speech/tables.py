"""Tables that name sound files, the same tables with units in their place, and how tables are written."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xdomain.core.errors import DataError, OutputError
from xdomain.data.media_files import file_columns
from xdomain.data.tables import raw_table

from .files import SUFFIXES


@dataclass(frozen=True)
class SoundTable:
    """A CSV or TSV file of which some columns name sound files, by paths relative to it.

    Parameters
    ----------
    columns
        By name, the cells of each.
    sound
        By name, the files that the cells of each column of sound name.
    """

    columns: dict[str, list[str]]
    sound: dict[str, list[Path]]

    @property
    def paths(self) -> list[Path]:
        """The files, each once."""
        return list(dict.fromkeys(path for paths in self.sound.values() for path in paths))

    def rows(self, units: Mapping[Path, str]) -> Iterator[dict[str, str]]:
        """The rows with units for sound files; those of a file that has none are left out."""
        for row, cells in enumerate(zip(*self.columns.values(), strict=True)):
            named = {name: paths[row] for name, paths in self.sound.items()}
            if all(path in units for path in named.values()):
                yield dict(zip(self.columns, cells, strict=True)) | {name: units[path] for name, path in named.items()}


def is_table(path: Path) -> bool:
    """Whether a file is taken for a table of sound files."""
    return path.suffix.lower() in (".csv", ".tsv")


def read_sound_table(path: Path) -> SoundTable:
    """The table of a CSV or TSV file.

    Raises
    ------
    DataError
        The file cannot be read, no column names sound files, or a cell of one that does names none that is there.
    """
    table = raw_table(path)
    columns: dict[str, list[str]] = {name: table[name].to_pylist() for name in table.column_names}
    sound = file_columns(columns, SUFFIXES, path.parent, lambda row: f"{path}, record {row + 1}")
    if not sound:
        raise DataError(f"{path}: no column names sound files", expected=f"names that end in {', '.join(SUFFIXES)}")
    return SoundTable(columns, sound)


@contextmanager
def writing(path: Path, columns: Sequence[str]) -> Generator[Callable[[Mapping[str, object]], object]]:
    """A function that writes a row of a CSV file, which is there once all rows are.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            yield writer.writerow
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror})", mend="another --out") from None
    finally:
        part.unlink(missing_ok=True)
