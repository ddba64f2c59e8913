"""Domains and tasks, found through entry points, the built-in ones included."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from xdomain.core.entry_points import entry_points
from xdomain.core.errors import RecipeError, UserError, unknown
from xdomain.core.paths import is_file

if TYPE_CHECKING:  # listing the names of tasks, as the tab key does, should load neither pyarrow nor pydantic
    import pyarrow as pa

    from xdomain.core.overrides import Overrides
    from xdomain.core.recipe import Recipe
    from xdomain.core.sequences import Adapter

Reader = Callable[..., "pa.Table"]
"""``reader(files: Mapping[str, Path], **options) -> pyarrow.Table``, with the columns that
`xdomain.data.validate.validated` requires."""
RENAMED_METHODS = {
    "keep": "export_assets",
    "spaced": "to_tokenizer_text",
    "transcribe": "encode_files",
    "vet": "check_compatible",
}
"""Optional methods of adapters, by their names in version 0.1. Under an old name a method would be ignored."""


def adapter_names() -> list[str]:
    """The names of the installed domains, sorted."""
    return sorted(entry_points("xdomain.adapters"))


def make_adapter(name: str, options: Mapping[str, Any] | None = None, *, tokenizer: str | None = None) -> Adapter:
    """Make the adapter of a domain.

    Parameters
    ----------
    name
        The domain, as in `adapter_names`.
    options
        Fields of the adapter; those left out keep their defaults.
    tokenizer
        The folder or hub id of the backbone. An adapter with an option `tokenizer` gets it unless `options` has one.

    Raises
    ------
    RecipeError
        There is no such domain or option, or the adapter refuses a value.
    """
    entries = entry_points("xdomain.adapters")
    if name not in entries:
        raise unknown(
            "domain", name, entries, fix="if it is one of your own, install its package: pip install -e FOLDER"
        )
    kind = entries[name].load()
    fields = [f.name for f in dataclasses.fields(kind)]
    given = dict(options or {})
    for option in given:
        if option not in fields:
            raise unknown(f"option of the {name} adapter", option, fields)
    if tokenizer and "tokenizer" in fields:
        given.setdefault("tokenizer", tokenizer)
    for former, present in RENAMED_METHODS.items():
        if hasattr(kind, former) and not hasattr(kind, present):
            raise RecipeError(f"the {name} adapter has a method {former}", expected=f"{present}, as it is called now")
    try:
        return kind(**given)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise RecipeError(f"adapter {name}: {error}") from None


def _adapter_class(name: str) -> Any:
    """The class of the adapter `name`; None for an unknown adapter."""
    entry = entry_points("xdomain.adapters").get(name)
    return entry.load() if entry else None


def path_options(name: str) -> tuple[str, ...]:
    """The options of the adapter `name` that are paths of files or folders; none for an unknown adapter."""
    from xdomain.core.sequences import PATH  # which loads pyarrow

    kind = _adapter_class(name)
    return tuple(f.name for f in dataclasses.fields(kind) if f.metadata.get(PATH)) if kind else ()


def uses_tokenizer(name: str) -> bool:
    """Whether the symbols of the adapter `name` depend on the backbone's tokenizer; false for an unknown adapter."""
    kind = _adapter_class(name)
    return kind is not None and "tokenizer" in (f.name for f in dataclasses.fields(kind))


def reads_lines(name: str) -> bool:
    """Whether the adapter `name` is a `xdomain.core.adapter_protocols.ReadsLines`; false for an unknown adapter."""
    return getattr(_adapter_class(name), "reads_lines", False) is True


def has_whole_items(name: str) -> bool:
    """Whether any word is a symbol of the adapter `name`, and so an item of a list; false for an unknown adapter."""
    return hasattr(_adapter_class(name), "fitted")


@cache
def _task_modules() -> tuple[ModuleType, ...]:
    return tuple(entry.load() for entry in entry_points("xdomain.tasks").values())


@cache
def _recipe_files() -> Mapping[str, Any]:
    files: dict[str, Any] = {}
    for module in _task_modules():
        for folder in resources.files(module).iterdir():
            if folder.is_dir():
                for file in folder.iterdir():
                    if file.name.endswith(".yaml"):
                        name = f"{folder.name}/{file.name.removesuffix('.yaml')}"
                        if name in files:
                            raise RecipeError(f"two task packages offer {name!r}", fix="uninstall one of them")
                        files[name] = file
    return files


def task_names() -> list[str]:
    """The names of all tasks that have a recipe, as ``domain/task``, sorted."""
    return sorted(_recipe_files())


def task_text(name: str) -> str:
    """The recipe of the task `name` as YAML, with its ``name`` filled in."""
    files = _recipe_files()
    if name not in files:
        raise unknown("task", name, files)
    text = files[name].read_text("utf-8")
    return text if "name" in (yaml.safe_load(text) or {}) else f"name: {name}\n{text}"


def readers() -> Mapping[str, Reader]:
    """The readers that task packages offer, by name: the ``READERS`` of each module."""
    by_name: dict[str, Reader] = {}
    for module in _task_modules():
        for name, reader in getattr(module, "READERS", {}).items():
            if name in by_name:
                raise RecipeError(f"two task packages offer a reader {name!r}", fix="uninstall one of them")
            by_name[name] = reader
    return by_name


def find_recipe(task: str | Path | Recipe, overrides: Overrides = ()) -> Recipe:
    """Load the recipe of a task.

    Parameters
    ----------
    task
        The name of a shipped task, a recipe file, or a `Recipe`.
    overrides
        Changes to the recipe, each ``key.sub=value``.

    Raises
    ------
    RecipeError
        There is no such task or file, or its recipe or a change is invalid.
    """
    from xdomain.core.recipe import Recipe, load_recipe, parse_recipe, recipe_from

    if isinstance(task, Recipe):
        return recipe_from(task.model_dump(mode="json"), where=task.name, overrides=overrides) if overrides else task
    if str(task).endswith((".yaml", ".yml")) or is_file(task):
        return load_recipe(Path(task), overrides=overrides)
    return parse_recipe(task_text(str(task)), where=str(task), overrides=overrides)
