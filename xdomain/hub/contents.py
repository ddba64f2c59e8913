"""What is shared of a run: the files to use and repeat it with, without records and places of this machine."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from xdomain.core.errors import OutputError
from xdomain.core.paths import expanded
from xdomain.core.plugins import path_options
from xdomain.core.recipe import Recipe, dump_recipe, load_recipe
from xdomain.core.recipe_sections import AdapterChoice
from xdomain.core.restore import reading
from xdomain.core.run_dir import MODEL, RECIPE, RESULT, finite, read_result
from xdomain.core.shared_run import CARD, place_on_hub
from xdomain.data.sources import data_home
from xdomain.inference.saved_model import refuse_folds
from xdomain.runs.model_card import model_card
from xdomain.study.comparison import COMPARISON, read_comparison

SEEDS = re.compile(r"-m\d+-s\d+$")
"""At the end of the name of a run folder in a comparison."""
HOMES = r"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[\w.-]+"
"""The home folder of anybody."""
NAMES = ("class", "classes", "positive_class")
"""Parts of a result that hold names of classes, which must stay as they are."""
TEXTS = (".json", ".jinja", ".md", ".txt", ".yaml")
"""How files end that are text; in others only the places of this machine are looked for."""


@dataclass(frozen=True)
class SharedFile:
    """A file that is shared of a run.

    Parameters
    ----------
    name
        In the repository.
    content
        Its bytes, or the file that holds them.
    """

    name: str
    content: bytes | Path

    @property
    def size(self) -> int:
        """In bytes."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def read(self) -> bytes:
        """The bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class Contents:
    """What is shared of a run.

    Parameters
    ----------
    files
        The card first, then by name.
    left_out
        Files in ``model/`` that no run wrote, by their names there.
    own_card
        Whether the card is the one in ``model/``, which somebody has edited.
    """

    files: tuple[SharedFile, ...]
    left_out: tuple[str, ...]
    own_card: bool


def contents_of(run_dir: str | Path, *, repo: str | None = None, licence: str | None = None) -> Contents:
    """Collect what is shared of a finished run; nothing is written.

    Parameters
    ----------
    run_dir
        A finished run.
    repo, licence
        As for `xdomain.runs.model_card.model_card`.

    Raises
    ------
    UserError
        `run_dir` holds no finished run with one model, or is damaged; or a file names a folder of this machine.
    """
    folder = Path(run_dir)
    result = read_result(folder)
    refuse_folds(folder)
    recipe = load_recipe(folder / RECIPE)
    places = _places(folder, recipe)
    card, own = _card(folder, repo, licence)
    made: dict[str, bytes] = {
        CARD: card.encode(),
        RECIPE: _without_places(dump_recipe(shared_recipe(recipe)), places).encode(),
        RESULT: (json.dumps(_shared(finite(result.values), places), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    files, left_out = [SharedFile(name, content) for name, content in made.items()], list[str]()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        inner = path.relative_to(folder).as_posix()
        name = place_on_hub(inner)
        if name is not None and name not in made:
            files.append(SharedFile(name, _cleaned(path, places)))
        elif name is None and inner.startswith(f"{MODEL}/"):
            left_out.append(inner)
    with reading(folder):
        _check_places(files, folder, places)
    return Contents(tuple(files), tuple(left_out), own)


def full_card(run_dir: str | Path, *, repo: str | None = None, licence: str | None = None) -> str:
    """The model card of a finished run, with the comparison that it is part of and no folder of this machine.

    Parameters
    ----------
    run_dir
        A finished run.
    repo
        The name under which it is on the hub, for the examples of the card; None: they load it from its folder.
    licence
        The licence of the model, as the hub writes it, such as ``apache-2.0``; None: it is not stated.

    Returns
    -------
    str
        Markdown, with metadata in front as the Hugging Face hub reads it.

    Raises
    ------
    UserError
        `run_dir` holds no finished run, or is damaged.
    """
    folder = Path(run_dir)
    page = model_card(folder, repo=repo, comparison=_comparison(folder), licence=licence)
    return _without_places(page, _places(folder, load_recipe(folder / RECIPE)))


def shared_recipe(recipe: Recipe) -> Recipe:
    """A copy of `recipe` in which no path leads to a place on this machine: file names stay, folders do not."""
    source = recipe.source.model_copy(
        update={"files": {role: _without_folders(file) for role, file in recipe.source.files.items()}}
    )
    run = recipe.run.model_copy(update={"backbone": recipe.run.backbone and _without_folders(recipe.run.backbone)})
    changed: dict[str, Any] = {"source": source, "run": run}
    for part in ("adapter", "target"):
        choice: AdapterChoice | None = getattr(recipe, part)
        if choice is not None:
            named = path_options(choice.name)
            options = {k: Path(str(v)).name if k in named and v else _tree(v) for k, v in choice.options.items()}
            changed[part] = choice.model_copy(update={"options": options})
    changed["reader_options"] = _tree(recipe.reader_options)
    return recipe.model_copy(update=changed)


def _card(folder: Path, repo: str | None, licence: str | None) -> tuple[str, bool]:
    """The card to be shared, and whether it is one that somebody has edited."""
    there = folder / MODEL / CARD
    if there.is_file() and (text := there.read_text("utf-8")) not in (model_card(folder), full_card(folder)):
        return text, True
    return full_card(folder, repo=repo, licence=licence), False


def _comparison(folder: Path) -> dict[str, Any] | None:
    """The comparison that lies beside the run in `folder`, if the run is part of it, with its arm as ``own``."""
    beside = folder.resolve().parent
    if not (beside / COMPARISON).is_file():
        return None
    told = finite(read_comparison(beside).as_dict())
    name = SEEDS.sub("", folder.resolve().name)
    own = next((row["arm"] for row in told["rows"] if SEEDS.sub("", row["run"]) == name), None)
    if own is None or told["task"] != read_result(folder).values["task"]:
        return None
    return {**told, "own": own}


def _shared(values: Mapping[str, Any], places: Sequence[str]) -> dict[str, Any]:
    """The `values` of a result without ids of records, and without folders of this machine."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: one if name in NAMES else cleaned(one) for name, one in value.items() if name != "examples"}
        if isinstance(value, list):
            return [cleaned(one) for one in value]
        return _without_places(_without_folders(value), places) if isinstance(value, str) else value

    return cleaned(values)


def _tree(value: Any) -> Any:
    """The nested `value` of an option, with the folders of paths left out."""
    if isinstance(value, Mapping):
        return {name: _tree(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_tree(one) for one in value]
    return _without_folders(value) if isinstance(value, str) else value


def _without_folders(text: str) -> str:
    """The last part of `text` if it is a path that leads to a place on this machine, else `text`."""
    if PureWindowsPath(text).drive and PureWindowsPath(text).is_absolute():
        return PureWindowsPath(text).name
    leads = PurePosixPath(text).is_absolute() or text.startswith(("~", "./", "../", ".\\", "..\\"))
    return PurePosixPath(text.replace("\\", "/")).name if leads else text


def _places(folder: Path, recipe: Recipe) -> list[str]:
    """Folders of this machine that no shared file of the run in `folder` should name, the longest first."""
    near = {folder.absolute(), folder.resolve(), Path.cwd(), Path.home(), data_home().absolute(),
            Path(tempfile.gettempdir()), Path(__file__).parents[2], *_named_by(recipe)}  # fmt: skip
    wanted = {str(place) for place in (*near, *(one.parent for one in near)) if len(place.parts) > 2}
    wanted |= {str(Path.home()), tempfile.gettempdir()} - {"/", "."}
    return sorted(wanted, key=lambda place: (-len(place), place))


def _named_by(recipe: Recipe) -> list[Path]:
    """The absolute paths in `recipe`: of data, the backbone, a codebook."""
    chosen = [choice.options.values() for choice in (recipe.adapter, recipe.target) if choice]
    named = [*recipe.source.files.values(), recipe.run.backbone or "", *(one for some in chosen for one in some)]
    paths = [expanded(one) for one in named if isinstance(one, str)]
    return [path for path in paths if path.is_absolute()]


def _cleaned(path: Path, places: Sequence[str]) -> bytes | Path:
    """The file `path`, or its text without `places`, which a configuration may name, where that is another."""
    if path.suffix not in TEXTS:
        return path
    text = path.read_text("utf-8")
    cleaned = _without_places(text, places)
    return path if cleaned == text else cleaned.encode()


def _without_places(text: str, places: Iterable[str]) -> str:
    """The `text` with paths below `places`, and in home folders, cut to their last part."""
    for place in (*map(re.escape, places), HOMES):
        text = re.sub(rf"(?<![\w.:/\\-]){place}(?:[/\\][^\s'\"`<>|,;()\[\]]*)?(?![\w-])", _last_part, text)
    return text


def _last_part(found: re.Match[str]) -> str:
    return re.split(r"[/\\]", found[0].rstrip("/\\"))[-1]


def _check_places(files: Iterable[SharedFile], folder: Path, places: Sequence[str]) -> None:
    """Refuse a file that names one of `places`, or the home folder of anybody."""
    own = "|".join(map(re.escape, places))
    anyone, weights = (_named(pattern) for pattern in (f"{own}|{HOMES}", own))
    for file in files:
        found = (anyone if file.name.endswith(TEXTS) else weights).search(content := file.read())
        if found:
            line = content.count(b"\n", 0, found.start()) + 1
            raise OutputError(
                f"{file.name}, line {line}, names {os.fsdecode(found[0])}, a folder of a machine; nothing was uploaded",
                expected="files without places that are nobody's business",
                fix=f"edit {folder / MODEL / CARD}" if file.name == CARD else "edit it in the run folder",
            )


def _named(places: str) -> re.Pattern[bytes]:
    """Finds `places`, a pattern, in bytes, where they are not part of a longer name or of an address."""
    return re.compile(os.fsencode(rf"(?<![\w.:/\\-])(?:{places})(?![\w-])"))
