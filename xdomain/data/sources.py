"""Where the raw files of a task lie, and how the missing ones come."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from xdomain.core.errors import DataError, MissingError, RecipeError, nearest
from xdomain.core.recipe import Download, Source


def data_home() -> Path:
    """The folder below which recipes name their files: XDOMAIN_DATA, or ~/.cache/xdomain-data."""
    told = os.environ.get("XDOMAIN_DATA")
    return Path(told).expanduser() if told else Path.home() / ".cache" / "xdomain-data"


def paths_of(source: Source) -> dict[str, Path]:
    """Where the files of a source belong, by the recipe's names for them, whether they are there or not."""
    return {name: data_home() / Path(file).expanduser() for name, file in source.files.items()}


def locate(source: Source) -> dict[str, Path]:
    """The files of a source, by the recipe's names for them; what is missing is downloaded where that is possible.

    Parameters
    ----------
    source
        Paths in ``files`` lie below `data_home`, unless they are absolute.

    Returns
    -------
    Existing paths, in the order of ``source.files``; empty where the reader makes its data up.

    Raises
    ------
    MissingError
        Files that are neither there nor to be had, all at once: where they were looked for, and what fixes it.
    """
    stray = [name for name in source.downloads if name not in source.files]
    if stray:
        raise RecipeError(
            f"source.downloads names {stray[0]!r}, which source.files does not",
            expected=f"one of {', '.join(source.files) or 'no names at all'}",
            nearest=nearest(stray[0], source.files),
        )
    paths = paths_of(source)
    absent = {name: path for name, path in paths.items() if not path.is_file()}
    lost = {name: path for name, path in absent.items() if name not in source.downloads}
    if lost:
        raise _missing(lost, source)
    for name, path in absent.items():
        _fetch(source.downloads[name], path, source)
    return paths


def digest(files: Mapping[str, Path]) -> str:
    """The sha256 over the names and contents of files, in hexadecimal; where they lie does not matter."""
    whole = hashlib.sha256()
    for name, path in sorted(files.items()):
        try:
            content = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror})", expected="a file") from None
        whole.update(f"{name}\0{content}\n".encode())
    return whole.hexdigest()


def neighbour(path: Path) -> str | None:
    """The name nearest to that of a missing file among what its folder holds."""
    try:
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return None


def is_path(name: str) -> bool:
    """Whether a name can only be a place on this machine; ``a/b`` may be a hub id as well."""
    return Path(name).expanduser().is_absolute() or name.startswith((".", "~")) or name.count("/") > 1


def is_data_file(name: str) -> bool:
    """Whether a name is that of a data file that is there, and not of a task or a recipe file.

    Raises
    ------
    RecipeError
        It can only be a data file, and does not exist.
    """
    file = Path(name)
    if file.suffix in (".yaml", ".yml"):
        return False
    if file.suffix and not file.is_file():
        raise RecipeError(f"{file} does not exist", expected="a data file, a recipe or a task", nearest=neighbour(file))
    return file.is_file()


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(lost: Mapping[str, Path], source: Source) -> MissingError:
    told = "".join(f"\n  {name}: {path}" for name, path in lost.items())
    near = [found for path in lost.values() if (found := neighbour(path))]
    place = "XDOMAIN_DATA" if os.environ.get("XDOMAIN_DATA") else "the default, as XDOMAIN_DATA is not set"
    relative = [name for name in lost if not Path(source.files[name]).expanduser().is_absolute()]
    if relative:
        fix = f"unpack it below that folder, or set XDOMAIN_DATA to the folder that holds {source.files[relative[0]]}"
    else:
        fix = "put it there, or write the right path into source.files"
    if source.homepage:
        fix += f", or get the data set from {source.homepage}"
    return MissingError(
        f"{len(lost)} data file{'s are' if len(lost) > 1 else ' is'} not on this machine:{told}",
        expected=f"below {data_home()} ({place})" if relative else None,
        nearest=", ".join(dict.fromkeys(near)) or None,
        fix=fix,
    )


def _reason(error: Exception, url: str) -> str:
    import requests

    if isinstance(error, requests.ConnectionError):  # its own text is a chain of four errors
        return f"no connection to {urlsplit(url).hostname}"
    return str(error).split("\n", 1)[0][:300] or type(error).__name__


def _fetch(download: Download, path: Path, source: Source) -> None:
    """Bring one file, whole and with the right checksum or not at all."""
    import pooch  # takes a while to load, and most data are here already

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # pooch writes beside the target and moves the file there only after the checksum is right
        pooch.retrieve(download.url, f"sha256:{download.sha256}", fname=path.name, path=path.parent, progressbar=False)
    except (OSError, ValueError) as error:
        untried = "; whoever wrote the recipe could not try this URL" if not download.tried else ""
        homepage = f", or look at {source.homepage}" if source.homepage else ""
        raise MissingError(
            f"{path} is not on this machine and could not be downloaded ({_reason(error, download.url)})",
            expected=f"{download.url} with sha256 {download.sha256}{untried}",
            fix=f"fetch it by hand and put it at {path}{homepage}, or set XDOMAIN_DATA to a folder that holds it",
        ) from None
