"""Tables that name sound files, and the same tables with units in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xdomain.data.sources import neighbour
from xdomain.data.tables import raw_table
from xdomain.errors import DataError

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
    found = [name for name, cells in columns.items() if any(cell.strip().lower().endswith(SUFFIXES) for cell in cells)]
    if not found:
        raise DataError(f"{path}: no column names sound files", expected=f"names that end in {', '.join(SUFFIXES)}")
    sound = {name: [path.parent / cell.strip() for cell in columns[name]] for name in found}
    for name, paths in sound.items():
        for row, one in enumerate(paths, 1):
            if not one.is_file():
                raise DataError(
                    f"{path}, record {row}, column {name}: {columns[name][row - 1]!r} is not there",
                    expected="a sound file, its path relative to the table",
                    nearest=neighbour(one),
                )
    return SoundTable(columns, sound)
