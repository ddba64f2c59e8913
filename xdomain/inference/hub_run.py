"""A run on the Hugging Face hub, as `xdomain.push` uploaded it: downloaded once, and laid out as a run folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from xdomain.core.disk import writing
from xdomain.core.errors import BackboneError, MissingError
from xdomain.core.run_dir import RECIPE, RESULT
from xdomain.core.safe_loading import limit_silence
from xdomain.core.shared_run import HUB, place_in_run
from xdomain.data.sources import data_home

FOLDER = "hub"
"""Below the folder of data sets, where runs from the hub are laid out."""


def local_run(source: str | Path) -> Path:
    """The folder of a run.

    Parameters
    ----------
    source
        A run folder, which is returned as it is; or ``hub:USER/NAME``, perhaps with ``@COMMIT``. Such a run is
        downloaded if the cache of the hub has not got it, and laid out below ``data_home() / "hub"``. Only files of a
        run are taken; code in a repository is not.

    Raises
    ------
    BackboneError
        The repository holds no run.
    MissingError
        It cannot be downloaded.
    """
    if not str(source).startswith(HUB):
        return Path(source)
    name, _, revision = str(source).removeprefix(HUB).partition("@")
    snapshot = _downloaded(name, revision or None)
    found = {inner: path for path in sorted(snapshot.rglob("*")) if path.is_file()
             and (inner := place_in_run(path.relative_to(snapshot).as_posix()))}  # fmt: skip
    if not {RECIPE, RESULT} <= found.keys():
        raise BackboneError(
            f"{source} holds no run of xdomain",
            expected="a repository that `xdomain push` filled",
            fix=f"to fine-tune a model of the hub: xdomain run … --backbone {name}",
        )
    folder = data_home() / FOLDER / name / snapshot.name
    with writing(folder, expected="a folder for runs of the hub that you may write to"):
        if not (folder / RESULT).is_file():
            _lay_out(found, folder)
    return folder


def _downloaded(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    limit_silence()
    try:
        return Path(snapshot_download(name, revision=revision))
    except Exception as error:  # whatever the hub or the network make
        said = " ".join(str(error).split()).partition(" For more details")[0][:300]
        raise MissingError(
            f"{HUB}{name} cannot be downloaded ({said or type(error).__name__})",
            expected="a repository that you may read, as hub:USER/NAME",
            fix="for a private one `hf auth login`; without a network, one that was downloaded before",
        ) from None


def _lay_out(found: dict[str, Path], folder: Path) -> None:
    """Fill `folder` with the files `found`, by their places there, as links where that is possible; ready at once."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    for place, path in found.items():
        target = part / place
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path.resolve(), target)
        except OSError:  # on another disk, or a file system without links
            shutil.copyfile(path, target)
    try:
        part.rename(folder)
    except OSError:
        shutil.rmtree(part)
        if not (folder / RESULT).is_file():  # else another process was faster
            raise
