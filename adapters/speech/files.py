"""Which sound files a person means, and what each is called."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from xdomain.core.errors import DataError
from xdomain.data.sources import neighbour

from .audio import READS

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf")


def find_audio(named: Iterable[str | Path]) -> list[Path]:
    """Sound files, each once, in the order given.

    Parameters
    ----------
    named
        Files, whatever their suffix; folders, of which all sound files at any depth are taken, sorted; or patterns
        such as ``recordings/7_*.wav`` that the shell has left as they are, ``**`` for any depth.

    Raises
    ------
    DataError
        A file is missing, or a folder or pattern holds none.
    """
    found: list[Path] = []
    for name in named:
        path = Path(name).expanduser()
        if path.is_dir():
            found += _in_folder(path)
        elif path.exists():
            found.append(path)
        elif glob.has_magic(str(path)):
            found += _matching(path)
        else:
            raise DataError(f"{name} is not there", expected=f"a file: {READS}", nearest=neighbour(path))
    return list(dict.fromkeys(found))


def ids_of(paths: Sequence[Path]) -> list[str]:
    """A name for each of several files: its stem, or as much of the end of its path as tells it from its namesakes."""
    stems = Counter(path.stem for path in paths)
    return [path.stem if stems[path.stem] == 1 else _tail(path, paths) for path in paths]


def _tail(path: Path, paths: Sequence[Path]) -> str:
    namesakes = [other for other in paths if other.stem == path.stem]
    deepest = max(len(other.parts) for other in namesakes)
    for strip in (True, False):  # with the suffix where nothing else tells a.wav from a.flac
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
    found = sorted(path for path in folder.rglob("*") if _is_audio(path))
    if not found:
        raise DataError(f"{folder} holds no sound file", expected=f"files that end in {', '.join(SUFFIXES)}")
    return found


def _matching(pattern: Path) -> list[Path]:
    found = sorted(
        path for path in Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))) if path.is_file()
    )
    if not found:
        raise DataError(f"no file matches {pattern}", expected=f"sound files: {READS}", nearest=neighbour(pattern))
    return found
