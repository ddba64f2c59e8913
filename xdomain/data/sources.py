"""Locate the raw files of a task, and download missing ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from xdomain.core.errors import DataError, MissingError, RecipeError, nearest
from xdomain.core.paths import exists, expanded, is_file
from xdomain.core.recipe_sections import Download, Source
from xdomain.data.download import download_reason, fetch


def data_home() -> Path:
    """The folder to which file paths in recipes are relative: XDOMAIN_DATA, or ~/.cache/xdomain-data."""
    folder = os.environ.get("XDOMAIN_DATA")
    return expanded(folder) if folder else Path.home() / ".cache" / "xdomain-data"


def paths_of(source: Source) -> dict[str, Path]:
    """The paths of the files of `source`, by their names in the recipe, whether they exist or not."""
    return {name: data_home() / expanded(file) for name, file in source.files.items()}


def locate(source: Source) -> dict[str, Path]:
    """Locate the files of a source, and download missing ones if possible.

    Parameters
    ----------
    source
        Relative paths in its ``files`` start at `data_home`.

    Returns
    -------
    dict
        Existing paths by their names in the recipe, in the order of ``source.files``; empty if the reader generates
        its data.

    Raises
    ------
    RecipeError
        ``source.downloads`` names a file that ``source.files`` does not, or one to be written outside of `data_home`.
    MissingError
        Files do not exist and have no download, or a download failed.
    """
    stray = [name for name in source.downloads if name not in source.files]
    if stray:
        raise RecipeError(
            f"source.downloads names {stray[0]!r}, which source.files does not",
            expected=f"one of {', '.join(source.files) or 'no names at all'}",
            nearest=nearest(stray[0], source.files),
        )
    paths = paths_of(source)
    absent = {name: path for name, path in paths.items() if not is_file(path)}
    lost = {name: path for name, path in absent.items() if name not in source.downloads}
    if lost:
        raise _missing(lost, source)
    for name, path in absent.items():
        _within_home(name, path)
    for name, path in absent.items():
        _fetch(source.downloads[name], path, source)
    return paths


def digest(files: Mapping[str, Path]) -> str:
    """The sha256 of the names and contents of `files`, in hexadecimal; their paths do not matter."""
    whole = hashlib.sha256()
    for name, path in sorted(files.items()):
        try:
            content = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror})", expected="a file") from None
        whole.update(f"{name}\0{content}\n".encode())
    return whole.hexdigest()


def neighbour(path: Path) -> str | None:
    """The file name in the folder of `path`, a missing file, that is most similar to its name; None if none is."""
    try:
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return None


def is_path(name: str) -> bool:
    """Whether `name` can only be a local path; ``a/b`` could also be a hub id."""
    return expanded(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1


def is_data(name: str) -> bool:
    """Whether `name` is that of a data file or folder that exists, and not of a task or a recipe file.

    Raises
    ------
    RecipeError
        It can only be a data file, and does not exist.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return False
    if path.suffix and not exists(path):
        raise RecipeError(f"{path} does not exist", expected="a data file, a recipe or a task", nearest=neighbour(path))
    return exists(path)


def file_sha256(path: Path) -> str:
    """The sha256 of the bytes of the file `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(lost: Mapping[str, Path], source: Source) -> MissingError:
    lines = "".join(f"\n  {name}: {path}" for name, path in lost.items())
    near = [similar for path in lost.values() if (similar := neighbour(path))]
    place = "XDOMAIN_DATA" if os.environ.get("XDOMAIN_DATA") else "the default, as XDOMAIN_DATA is not set"
    relative = [name for name in lost if not expanded(source.files[name]).is_absolute()]
    if relative:
        fix = f"unpack it below that folder, or set XDOMAIN_DATA to the folder that holds {source.files[relative[0]]}"
    else:
        fix = "put it there, or write the right path into source.files"
    if source.homepage:
        fix += f", or get the data set from {source.homepage}"
    return MissingError(
        f"{len(lost)} data file{'s are' if len(lost) > 1 else ' is'} not on this machine:{lines}",
        expected=f"below {data_home()} ({place})" if relative else None,
        nearest=", ".join(dict.fromkeys(near)) or None,
        fix=fix,
    )


def _within_home(name: str, path: Path) -> None:
    """Refuse to download to a `path` that is not below the data folder, by links or by its name.

    Raises
    ------
    RecipeError
        It is elsewhere: a recipe of somebody else could otherwise write any file.
    """
    home = data_home().resolve()
    try:
        whole = path.resolve()
        circle = any(part.is_symlink() for part in (whole, *whole.parents))  # of links, which Python 3.13 leaves in it
        inside = whole.is_relative_to(home) and not circle
    except (OSError, RuntimeError):  # a circle of links, before Python 3.13
        inside = False
    if not inside:
        raise RecipeError(
            f"source.files.{name} is {path}, which does not exist and would be downloaded there",
            expected=f"a path below {home}: nothing is downloaded to other places, nor through a link out of it",
            fix=f"a relative path in source.files.{name}, or fetch the file by hand",
        )


def _fetch(download: Download, path: Path, source: Source) -> None:
    """Download a file to `path`; it is written only if the checksum is right."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fetch(download, path)
    except (OSError, ValueError) as error:
        untried = "; whoever wrote the recipe could not try this URL" if not download.tried else ""
        homepage = f", or look at {source.homepage}" if source.homepage else ""
        raise MissingError(
            f"{path} is not on this machine and could not be downloaded ({download_reason(error, download.url)})",
            expected=f"{download.url} with sha256 {download.sha256}{untried}",
            fix=f"fetch it by hand and put it at {path}{homepage}, or set XDOMAIN_DATA to a folder that holds it",
        ) from None
