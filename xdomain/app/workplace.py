"""The folder that the form works in: data files, uploads, finished runs. Nothing outside of it is read or written."""

from __future__ import annotations

import filecmp
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, unknown
from xdomain.core.run_dir import RESULT, is_done
from xdomain.data.formats.refused import READABLE
from xdomain.model.checkpoints import bundled_backbones
from xdomain.study.comparison import COMPARISON, read_comparison
from xdomain.study.plan import PLAN

UPLOADS, RUNS, STUDIES, PREDICTIONS = "uploads", "runs", "studies", "predictions"
DATA = (
    ".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".parquet", ".arrow", ".feather", ".xlsx", ".fa", ".fasta",
    ".fna", ".faa", ".fastq", ".fq", ".gb", ".gbk", ".genbank", ".embl", ".pir", ".km", ".bed", ".gtf", ".gff",
    ".gff3", ".gz", ".bz2", ".xz", ".zip", ".zst",
)  # fmt: skip
"""Endings of the files that are offered; what a file is, is judged by its content."""
RECIPES = (".yaml", ".yml")
MOST = 200
"""Entries of a list to choose from."""


@dataclass(frozen=True)
class Workplace:
    """The folder that the form was started in.

    Parameters
    ----------
    folder
        Absolute, without symbolic links.
    """

    folder: Path

    def inside(self, path: Path) -> bool:
        """Whether `path` lies in the folder when its symbolic links are followed."""
        return path.resolve().is_relative_to(self.folder)

    def shown(self, path: Path) -> str:
        """The `path` relative to the folder, with slashes."""
        return path.relative_to(self.folder).as_posix()

    def named(self, path: Path) -> Path:
        """The `path` as messages should name it: relative, where the folder is that of the process."""
        return path.relative_to(self.folder) if Path.cwd() == self.folder else path

    def data_files(self) -> list[str]:
        """The names of the data files here and among the uploads, the newest first."""
        folders = [folder for folder in (self.folder, self.folder / UPLOADS) if folder.is_dir()]
        files = [path for folder in folders for path in folder.iterdir()]
        found = [p for p in files if p.suffix.lower() in DATA and p.name[0] != "." and p.is_file() and self.inside(p)]
        return [self.shown(path) for path in _newest_first(found)]

    def data_file(self, name: str) -> Path:
        """The data file with this `name`, one of `data_files`.

        Raises
        ------
        RecipeError
            There is none.
        """
        if name not in self.data_files():
            raise unknown("data file", name, self.data_files())
        return self.folder / name

    def keep(self, upload: str | Path) -> Path:
        """Copy the `upload`, a file that the browser sent, to where runs can find it later.

        A copy with the same name and content is used again; another file of the same name gets a number.

        Returns
        -------
        Path
            The copy, in the folder ``uploads``.

        Raises
        ------
        DataError
            It is a recipe, which could name any file.
        """
        upload = Path(upload)
        if upload.suffix.lower() in RECIPES:
            raise DataError(f"{upload.name} is a recipe or a study, not data", expected=READABLE,
                            fix=f"start it as a command: xdomain compare {upload.name}")  # fmt: skip
        folder = self.folder / UPLOADS
        with writing(folder, expected="a folder you may write to, with room for the upload"):
            folder.mkdir(exist_ok=True)
            name, dot, ending = upload.name.lstrip(".").partition(".")
            number = 1
            while True:
                place = folder / (f"{name or 'data'}{f'-{number}' if number > 1 else ''}{dot}{ending}")
                if not place.exists():
                    part = folder / f".{uuid.uuid4().hex}"
                    shutil.copyfile(upload, part)
                    part.replace(place)
                    return place
                if filecmp.cmp(upload, place, shallow=False):
                    return place
                number += 1

    def typed(self, text: str, ending: str) -> Path:
        """Keep `text`, which somebody pasted, as a file with this `ending`."""
        folder = self.folder / UPLOADS
        with writing(folder, expected="a folder you may write to"):
            folder.mkdir(exist_ok=True)
            place = new_path(folder / f"pasted{ending}")
            place.write_text(text, "utf-8", newline="\n")
            return place

    def finished(self) -> list[str]:
        """The folders of finished comparisons, runs and studies, the newest first."""
        found = [
            path.parent
            for top, name in ((RUNS, COMPARISON), (RUNS, RESULT), (STUDIES, PLAN))
            for path in _found(self.folder / top, name)
        ]
        return [self.shown(one) for one in _newest_first([p for p in found if self.inside(p)])][:MOST]

    def models(self) -> list[str]:
        """The folders of finished runs with a model, the newest first."""
        return [name for name in self.finished() if is_done(self.folder / name) and not _has_folds(self.folder / name)]

    def default_model(self) -> str | None:
        """The first arm of the newest comparison, else the newest run; None if there is none."""
        models = self.models()
        for name in self.finished():
            if (self.folder / name / COMPARISON).is_file():
                first = self.shown(read_comparison(self.folder / name).rows[0].folder)
                return first if first in models else next(iter(models), None)
        return next(iter(models), None)

    def backbones(self) -> list[str]:
        """The names of the checkpoints that are shipped, and of the folders here that hold one."""
        here = [path.parent for path in self.folder.glob("*/config.json") if self.inside(path)]
        return [path.name for path in bundled_backbones()] + sorted(f"./{path.name}" for path in here)

    def one_of(self, name: str | None, names: list[str], kind: str) -> Path:
        """The folder `name`, which must be one of `names`; `kind` says what they are: ``model``.

        Raises
        ------
        RecipeError
            It is none of them.
        """
        if name not in names:
            raise unknown(kind, name or "", names)
        return self.folder / name


def new_path(path: Path) -> Path:
    """`path`, or the first with a number behind its stem that does not exist: ``compare-2``."""
    number, place = 1, path
    while place.exists():
        number += 1
        place = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return place


def _has_folds(folder: Path) -> bool:
    return (folder / "fold-0").is_dir()


def _newest_first(paths: list[Path]) -> list[Path]:
    return sorted(set(paths), key=lambda path: (-path.stat().st_mtime, str(path)))


def _found(top: Path, name: str, depth: int = 5) -> Iterator[Path]:
    """The files called `name` below `top`; symbolic links to folders are not followed."""
    if not top.is_dir() or not depth:
        return
    for path in top.iterdir():
        if path.name == name:
            yield path
        elif path.is_dir() and not path.is_symlink() and path.name != "model":
            yield from _found(path, name, depth - 1)
