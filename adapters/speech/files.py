"""Find the sound files that a user means, their names, and tables about them."""

from __future__ import annotations

import csv
import glob
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xdomain.core.disk import writing
from xdomain.core.errors import DataError
from xdomain.core.paths import exists, expanded, is_folder
from xdomain.core.run_dir import whole_or_nothing
from xdomain.data.formats.tables import raw_table
from xdomain.data.media_files import file_columns
from xdomain.data.sources import neighbour

from .audio import READS

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf")


def find_audio(named: Iterable[str | Path]) -> list[Path]:
    """Find sound files, each once, in the order given.

    Parameters
    ----------
    named
        Files, whatever their suffix; folders, from which all sound files at any depth are taken, sorted; or patterns
        such as ``recordings/7_*.wav`` that the shell did not expand, with ``**`` for any depth.

    Raises
    ------
    DataError
        A file is missing, a folder holds no sound file, or a pattern matches no file.
    """
    files: list[Path] = []
    for name in named:
        path = expanded(name)
        if is_folder(path):
            files += _in_folder(path)
        elif exists(path):
            files.append(path)
        elif glob.has_magic(str(path)):
            files += _matching(path)
        else:
            raise DataError(f"{name} does not exist", expected=f"a file: {READS}", nearest=neighbour(path))
    return list(dict.fromkeys(files))


def ids_of(paths: Sequence[Path]) -> list[str]:
    """A name for each of `paths`: its stem, or as much of the end of the path as makes it unique."""
    stems = Counter(path.stem for path in paths)
    return [path.stem if stems[path.stem] == 1 else _tail(path, paths) for path in paths]


def _tail(path: Path, paths: Sequence[Path]) -> str:
    namesakes = [other for other in paths if other.stem == path.stem]
    deepest = max(len(other.parts) for other in namesakes)
    for strip in (True, False):  # keep the suffix where only that distinguishes a.wav from a.flac
        for depth in range(1, deepest + 1):
            tails = Counter(_end(other, depth, strip) for other in namesakes)
            if tails[_end(path, depth, strip)] == 1:
                return _end(path, depth, strip)
    return str(path)


def _end(path: Path, depth: int, strip: bool) -> str:
    return "/".join((*path.parts[-depth:-1], path.stem if strip else path.name))


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if _is_audio(path))
    if not files:
        raise DataError(f"{folder} holds no sound file", expected=f"files that end in {', '.join(SUFFIXES)}")
    return files


def _matching(pattern: Path) -> list[Path]:
    try:
        files = sorted(
            path for path in Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))) if path.is_file()
        )
    except (OSError, ValueError):  # a name that is too long, or ** within one
        files = []
    if not files:
        raise DataError(f"no file matches {pattern}", expected=f"sound files: {READS}", nearest=neighbour(pattern))
    return files


@dataclass(frozen=True)
class SoundTable:
    """A CSV or TSV file in which some columns name sound files, by paths relative to it.

    Parameters
    ----------
    columns
        The cells of every column, by its name.
    sound
        The files of every column that names sound files, by its name.
    """

    columns: dict[str, list[str]]
    sound: dict[str, list[Path]]

    @property
    def paths(self) -> list[Path]:
        """All files, each once."""
        return list(dict.fromkeys(path for paths in self.sound.values() for path in paths))

    def rows(self, units: Mapping[Path, str]) -> Iterator[dict[str, str]]:
        """Yield the rows with `units` in place of their files; rows with a file that has no units are left out."""
        for row, cells in enumerate(zip(*self.columns.values(), strict=True)):
            named = {name: paths[row] for name, paths in self.sound.items()}
            if all(path in units for path in named.values()):
                yield dict(zip(self.columns, cells, strict=True)) | {name: units[path] for name, path in named.items()}


def is_table(path: Path) -> bool:
    """Whether `path` is taken for a table of sound files: by its ending, .csv or .tsv."""
    return path.suffix.lower() in (".csv", ".tsv")


def read_sound_table(path: Path) -> SoundTable:
    """Read the CSV or TSV file `path`, in which some columns name sound files.

    Raises
    ------
    DataError
        The file cannot be read, no column names sound files, or a cell in such a column names a file that is missing.
    """
    table = raw_table(path)
    columns: dict[str, list[str]] = {name: table[name].to_pylist() for name in table.column_names}
    sound = file_columns(columns, SUFFIXES, path.parent, lambda row: f"{path}, record {row + 1}")
    if not sound:
        raise DataError(f"{path}: no column names sound files", expected=f"names that end in {', '.join(SUFFIXES)}")
    return SoundTable(columns, sound)


@contextmanager
def rows_to(path: Path, columns: Sequence[str]) -> Generator[Callable[[Mapping[str, object]], object]]:
    """Write a CSV file with `columns` row by row; it appears at `path` only when the block ends without an error.

    Yields
    ------
    Callable
        Writes a row, given its cells by column.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            yield writer.writerow
            file.flush()
            os.fsync(file.fileno())
