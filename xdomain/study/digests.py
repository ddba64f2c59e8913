"""What decides a run beside its recipe: the content of all that the recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdomain.core.errors import UserError
from xdomain.core.plugins import make_adapter, path_options, uses_tokenizer
from xdomain.core.recipe import Recipe, Source
from xdomain.data.loading import load_table
from xdomain.data.media_files import endings, named_files
from xdomain.data.sources import data_home, digest, file_sha256, paths_of
from xdomain.model.checkpoints import shipped_folder

OPTION = "option "
"""Before the name of an option that names a file or a folder, in the digests of a recipe."""


def _named_options(recipe: Recipe) -> Mapping[str, Path]:
    """The options of the adapter that name a file or a folder that is there, as a codebook is."""
    options = recipe.adapter.options
    given = {name: str(options[name]) for name in path_options(recipe.adapter.name) if options.get(name)}
    paths = {name: Path(shipped_folder(value)).expanduser() for name, value in given.items()}
    return {name: path for name, path in paths.items() if path.exists()}


class Digests:
    """Digests of files, folders and backbones, each computed once."""

    def __init__(self) -> None:
        self._files: dict[Path, str] = {}
        self._backbones: dict[str | None, str] = {}
        self._named: dict[str, str] = {}

    def of(self, recipe: Recipe) -> dict[str, str]:
        """By what it is: files by their roles, what options name, the files that a table names, the backbone."""
        found = {f"file {role}": self._file(recipe.source, role) for role in recipe.source.files}
        found |= {f"{OPTION}{name}": _content(path) for name, path in _named_options(recipe).items()}
        found |= self._media(recipe)
        if not recipe.run.baseline or uses_tokenizer(recipe.adapter.name):
            found["backbone"] = self._backbone(recipe.run.backbone)
        return found

    def _file(self, source: Source, role: str) -> str:
        path = paths_of(source)[role]
        if not path.is_file():  # its cells say so when they are run, or fetch it
            return source.downloads[role].sha256 if role in source.downloads else "absent"
        if path not in self._files:
            self._files[path] = file_sha256(path)
        return self._files[path]

    def _media(self, recipe: Recipe) -> dict[str, str]:
        """One digest over all files that the rows of a table are; none where the table itself is not there yet."""
        there = all(path.is_file() for path in paths_of(recipe.source).values())
        if uses_tokenizer(recipe.adapter.name) or not there:
            return {}
        try:
            adapter = make_adapter(recipe.adapter.name, recipe.adapter.options)
            if not endings(adapter):
                return {}
            source = recipe.model_dump_json(include={"source", "reader", "reader_options", "columns", "problem"})
            if source not in self._named:
                files = named_files(load_table(recipe, say=lambda _: None), adapter, _folder(recipe.source))
                self._named[source] = digest({str(i): path for i, path in enumerate(files)}) if files else ""
        except UserError:  # its cells say why when they are run
            return {"named files": "absent"}
        return {"named files": self._named[source]} if self._named[source] else {}

    def _backbone(self, name: str | None) -> str:
        from xdomain.model.backbone import load_backbone, quiet_loading  # which loads torch
        from xdomain.model.vocabulary import Vocabulary

        if name not in self._backbones:
            try:
                with quiet_loading():
                    found = load_backbone(name)
                self._backbones[name] = found.sha256 + Vocabulary.of(found.tokenizer).sha256
            except UserError:  # its cells say why when they are run
                self._backbones[name] = f"absent {name}"
        return self._backbones[name]


def _content(path: Path) -> str:
    if path.is_file():
        return file_sha256(path)
    return digest({str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()})


def _folder(source: Source) -> Path:
    return next(iter(paths_of(source).values()), data_home()).parent
