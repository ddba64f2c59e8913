"""Digests of everything that a run reads besides its recipe: data files, files of adapters, the backbone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdomain.core.errors import UserError
from xdomain.core.paths import expanded
from xdomain.core.plugins import make_adapter, path_options, uses_tokenizer
from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import AdapterChoice, Source
from xdomain.data.loading import load_table
from xdomain.data.media_files import endings, named_files
from xdomain.data.sources import data_home, digest, file_sha256, paths_of
from xdomain.model.checkpoints import shipped_folder

OPTIONS = {"adapter": "option ", "target": "target option "}
"""In the digests of a recipe, the prefixes of options that name a file or a folder, by the part they are in."""


def _named_options(choice: AdapterChoice | None) -> Mapping[str, Path]:
    """The options of an adapter that name an existing file or folder, such as a codebook."""
    if choice is None:
        return {}
    given = {name: str(choice.options[name]) for name in path_options(choice.name) if choice.options.get(name)}
    paths = {name: expanded(shipped_folder(value)) for name, value in given.items()}
    return {name: path for name, path in paths.items() if path.exists()}


class Digests:
    """Digests of files, folders and backbones, each computed once."""

    def __init__(self) -> None:
        self._files: dict[Path, str] = {}
        self._backbones: dict[str | None, str] = {}
        self._named: dict[str, str] = {}

    def of(self, recipe: Recipe) -> dict[str, str]:
        """Digest everything that `recipe` names but does not contain.

        Parameters
        ----------
        recipe
            Of one run.

        Returns
        -------
        dict
            Digests by what they are of: ``file ROLE`` for each data file, ``option NAME`` for each option that names a
            file or folder, ``named files`` for the files that a table lists, and ``backbone``. A file or backbone that
            does not exist has a text that begins with "absent", or the digest that its download must have.
        """
        digests = {f"file {role}": self._file(recipe.source, role) for role in recipe.source.files}
        for part, prefix in OPTIONS.items():
            named = _named_options(getattr(recipe, part))
            digests |= {f"{prefix}{name}": _content(path) for name, path in named.items()}
        digests |= self._media(recipe)
        if not recipe.run.baseline or uses_tokenizer(recipe.adapter.name):
            digests["backbone"] = self._backbone(recipe.run.backbone)
        return digests

    def _file(self, source: Source, role: str) -> str:
        path = paths_of(source)[role]
        if not path.is_file():  # its cells fetch it when they are run, or report that it is missing
            return source.downloads[role].sha256 if role in source.downloads else "absent"
        if path not in self._files:
            self._files[path] = file_sha256(path)
        return self._files[path]

    def _media(self, recipe: Recipe) -> dict[str, str]:
        """One digest over all files that the rows of a table name; none where the table itself does not exist yet."""
        there = all(path.is_file() for path in paths_of(recipe.source).values())
        if uses_tokenizer(recipe.adapter.name) or not there:
            return {}
        try:
            adapter = make_adapter(recipe.adapter.name, recipe.adapter.options)
            if not endings(adapter):
                return {}
            source = recipe.model_dump_json(include={"source", "reader", "reader_options", "columns", "problem"})
            if source not in self._named:
                with muted():
                    table = load_table(recipe)
                files = named_files(table, adapter, _folder(recipe.source))
                self._named[source] = digest({str(i): path for i, path in enumerate(files)}) if files else ""
        except UserError:  # its cells report the reason when they are run
            return {"named files": "absent"}
        return {"named files": self._named[source]} if self._named[source] else {}

    def _backbone(self, name: str | None) -> str:
        from xdomain.model.backbone import load_backbone, quiet_loading  # which loads torch
        from xdomain.model.vocabulary import Vocabulary

        if name not in self._backbones:
            try:
                with quiet_loading():
                    backbone = load_backbone(name)
                self._backbones[name] = backbone.sha256 + Vocabulary.of(backbone.tokenizer).sha256
            except UserError:  # its cells report the reason when they are run
                self._backbones[name] = f"absent {name}"
        return self._backbones[name]


def _content(path: Path) -> str:
    if path.is_file():
        return file_sha256(path)
    return digest({str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()})


def _folder(source: Source) -> Path:
    return next(iter(paths_of(source).values()), data_home()).parent
