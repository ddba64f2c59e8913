"""What somebody chose in the form: as a recipe, and as the arguments of a command that does the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from xdomain.app.messages import FURTHER, ROLES
from xdomain.app.workplace import Workplace
from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.overrides import overridden
from xdomain.core.plugins import make_adapter, path_options, task_names, uses_tokenizer
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.recipe_sections import Columns, columns_of
from xdomain.core.run_dir import RECIPE
from xdomain.data.formats.intervals import INTERVAL_OPTIONS, names_with_sequence
from xdomain.data.formats.registry import format_of, raw_file, raw_options_of
from xdomain.data.media_files import endings
from xdomain.data.own_data import task_of

UPLOAD, HERE, EXAMPLE = "upload", "here", "example"
GUESS, NONE, NAMED = "guess", "none", "is:"
"""Values of the field of a column: guessed, no such column, or this prefix and its name."""
CHANGES = ("train.", "split.", "metrics=", "positive=", "calibration=", "thresholds=", "class_balance=",
           "adapter.options.", "reader_options.")  # fmt: skip
"""What other options may change; what remains names files, or is a field of its own."""
SENDS = "train.report_to"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to learn from.

    Parameters
    ----------
    source
        Where the data is: an upload, a file in the folder, or an example.
    upload, here, example
        The uploaded file, the name of a data file, or the name of a task; that of `source` counts.
    domain
        The name of the adapter.
    problem, split
        The problem and the rule of the split; `GUESS`: guessed.
    valid, test
        Uploaded files of records to choose and to judge by; the data file then holds those to train on.
    labels
        An uploaded table of ids and labels.
    genome
        An uploaded FASTA file: the data file then holds intervals of it.
    drop_incomplete
        Leave out rows without a sequence or a label.
    negatives
        Make the other class by shuffling.
    further
        Changes to the recipe, ``key.sub=value``, one a line.
    roles
        By what a column may hold: `GUESS`, `NONE`, or `NAMED` and its name; for the label one or more of these,
        and none is a guess.
    """

    source: Literal["upload", "here", "example"] = UPLOAD
    upload: str | None = None
    here: str | None = None
    example: str | None = None
    domain: str | None = None
    problem: str = GUESS
    split: str = GUESS
    valid: str | None = None
    test: str | None = None
    labels: str | None = None
    genome: str | None = None
    drop_incomplete: bool = False
    negatives: bool = False
    further: str = ""
    roles: Mapping[str, str | list[str]] = field(default_factory=dict[str, str | list[str]])

    @classmethod
    def of(cls, values: Sequence[Any]) -> Request:
        """The request with these `values`: those of all fields but the last, then those of `ROLES`."""
        names = [one.name for one in fields(cls)][:-1]
        roles = dict(zip(ROLES, values[len(names) :], strict=True))
        return cls(**dict(zip(names, values, strict=False)), roles=roles)

    def chosen(self) -> bool:
        """Whether there is a file or an example."""
        return bool(getattr(self, self.source))

    def file(self, place: Workplace) -> Path:
        """The data file, which an upload becomes in `place`.

        Raises
        ------
        RecipeError
            None is chosen, or there is no such file.
        """
        if not self.chosen():
            raise RecipeError("no data yet", expected="a file, or an example")
        return place.keep(self.upload or "") if self.source == UPLOAD else place.data_file(self.here or "")

    def recipe(self, place: Workplace) -> Recipe:
        """Make the recipe, and log what was guessed.

        Parameters
        ----------
        place
            Where the files are.

        Raises
        ------
        UserError
            As `xdomain.data.own_data.task_of`; or the request names files outside of `place`.
        """
        if self.source == EXAMPLE:
            return task_of(self._task(), overrides=self._changes())
        files, domain = self._files(place), self._domain()
        for file in files.values():
            refuse_other_files(file, domain, place)
        named = {split: place.named(file) for split, file in files.items()}
        return task_of(
            None,
            named if len(named) > 1 else named["train"],
            domain,
            columns=self._columns(),
            problem=self._problem(),
            labels=self._kept(self.labels, place),
            genome=self._kept(self.genome, place),
            drop_incomplete=self.drop_incomplete,
            negatives=self._negatives(),
            overrides=self._changes(),
        )

    def arguments(self, place: Workplace) -> list[str]:
        """The arguments of ``compare`` or ``run`` that make the same recipe in the folder of `place`."""
        changes = [part for change in self._changes() for part in ("--set", change)]
        if self.source == EXAMPLE:
            return [self._task(), *changes]
        files = self._files(place)
        columns = self._columns().model_dump(exclude_none=True)
        more = {"labels": self._kept(self.labels, place), "genome": self._kept(self.genome, place)}
        return [
            *(f"--{split if len(files) > 1 else 'data'}={place.shown(file)}" for split, file in files.items()),
            *("--domain", self._domain()),
            *(part for role, name in columns.items() for part in _option_of_column(role, name)),
            *(("--problem", self.problem) if self._problem() else ()),
            *(f"--{option}={file}" for option, file in more.items() if file),
            *(("--drop-incomplete",) if self.drop_incomplete else ()),
            *(("--negatives", "shuffled") if self.negatives else ()),
            *changes,
        ]

    def column_names(self, place: Workplace) -> list[str]:
        """The names of the columns of the file in `place`; none for an example, or where they cannot be read.

        Raises
        ------
        UserError
            As `file`; or an option is unknown.
        """
        if self.source == EXAMPLE:
            return []
        file, options = self.file(place), overridden(Recipe, {}, self._changes()).get("reader_options") or {}
        try:
            if self.genome:
                own = {name: options[name] for name in INTERVAL_OPTIONS if name in options and name != "one_based"}
                return names_with_sequence(file, **own)
            reader = format_of(file)
            own = raw_options_of(reader, options)
            return raw_file(reader, file, columns=Columns(), labelled=False, **own).column_names
        except DataError:  # which making a recipe says, too
            return []

    def _task(self) -> str:
        if self.example not in task_names():
            raise RecipeError("no example yet", expected="one of the list")
        return self.example

    def _domain(self) -> str:
        if not self.domain:
            raise RecipeError("what does the file hold?", expected="an answer in the field “Domain”")
        return self.domain

    def _problem(self) -> Problem | None:
        return None if self.problem == GUESS else self.problem  # pyright: ignore[reportReturnType]

    def _negatives(self) -> str | None:
        return "shuffled" if self.negatives else None

    def _files(self, place: Workplace) -> dict[str, Path]:
        """The data files by split; one alone, which holds all records, is ``train``."""
        others = {"valid": self.valid, "test": self.test}
        return {"train": self.file(place), **{split: place.keep(one) for split, one in others.items() if one}}

    def _kept(self, upload: str | None, place: Workplace) -> Path | None:
        return place.named(place.keep(upload)) if upload else None

    def _columns(self) -> Columns:
        told = {role: chosen_names(one) for role, one in self.roles.items()}
        return columns_of({role: _one_or_all(names) for role, names in told.items() if names is not None})

    def _changes(self) -> list[str]:
        changes = typed_changes(self.further, self.domain or "")
        return [*changes, *([] if self.split == GUESS or self.source == EXAMPLE else [f"split.rule={self.split}"])]


def chosen_names(value: str | Sequence[str]) -> list[str] | None:
    """The names in the `value` of a field of columns; empty: no such column; None: guessed.

    A name goes before the guess and before "none", which may stand beside it in a field of several.
    """
    chosen = [value] if isinstance(value, str) else value
    names = [one.removeprefix(NAMED) for one in chosen if one.startswith(NAMED)]
    return names if names or NONE in chosen else None


def _one_or_all(names: list[str]) -> str | list[str]:
    return names if len(names) > 1 else "".join(names)


def _option_of_column(role: str, names: str | list[str]) -> tuple[str, str]:
    """The option of a command that says which column, or which several, have a `role`."""
    if isinstance(names, str):
        return "--column", f"{role}={names}"
    if any("," in name for name in names):
        return "--set", f"columns.{role}={json.dumps(names, ensure_ascii=False)}"
    return "--column", f"{role}={','.join(names)}"


def refuse_other_files(file: Path, domain: str, place: Workplace) -> None:
    """Refuse a table whose cells name sound or music files outside of `place`.

    Parameters
    ----------
    file
        The table, or any other data.
    domain
        The name of the adapter, which may read such files.
    place
        Cells may name files in it, relative to `file`.

    Raises
    ------
    DataError
        A cell does.
    """
    suffixes = () if uses_tokenizer(domain) else endings(make_adapter(domain, {}))
    if not suffixes or file.suffix.lower() in suffixes:
        return
    table = raw_file(format_of(file), file, columns=Columns(), labelled=False)
    for name in table.column_names:
        for cell in table.column(name).to_pylist():
            if cell and str(cell).lower().endswith(suffixes) and not place.inside(file.parent / str(cell)):
                raise DataError(f"{file.name}: column {name!r} names {cell!r}, which lies elsewhere",
                                expected=f"files in {place.folder}")  # fmt: skip


def typed_changes(text: str, domain: str, allowed: tuple[str, ...] = CHANGES) -> list[str]:
    """The options in the field of further ones, ``key.sub=value`` each.

    Parameters
    ----------
    text
        What was typed, an option a line.
    domain
        Of the data: its options that name files are refused.
    allowed
        How the options that may be changed begin.

    Raises
    ------
    RecipeError
        An option may not be changed here.
    """
    changes = [line.strip() for line in (text or "").splitlines() if line.strip()]
    files = [f"adapter.options.{name}" for name in path_options(domain)]
    for change in changes:
        key = change.partition("=")[0].strip()
        if not change.startswith(allowed) or key == "adapter.options" or key in files or key.startswith(SENDS):
            raise RecipeError(f"{change!r} in the field “{FURTHER}”",
                              expected=f"{', '.join(one.rstrip('.=') for one in allowed)}, and no files",
                              fix="options that name files are for the command line")  # fmt: skip
    return changes


def to_predict(place: Workplace, run: Path, typed: str, upload: str | None) -> Path:
    """The file to predict: an upload, or what was typed.

    Parameters
    ----------
    place
        Where the file is kept.
    run
        The folder of the run whose model predicts.
    typed
        Sequences, one a line, two with a tab between them, or FASTA; empty where there is an upload.
    upload
        The uploaded file, if any.

    Raises
    ------
    UserError
        There is nothing, or both, or lines of different numbers of sequences; or the upload names files elsewhere.
    """
    if upload and typed.strip():
        raise RecipeError("sequences and a file", expected="one of the two", fix="empty the text, or remove the file")
    if upload:
        file = place.keep(upload)
        refuse_other_files(file, load_recipe(run / RECIPE).adapter.name, place)
        return file
    if not typed.strip():
        raise RecipeError("nothing to predict", expected="sequences, one a line, or a file")
    if typed.lstrip().startswith(">"):
        return place.typed(typed, ".fasta")
    rows = [line.strip("\r\n").split("\t") for line in typed.splitlines() if line.strip()]
    width = max(map(len, rows))
    if width > 2 or any(len(row) != width for row in rows):
        raise RecipeError("lines of different numbers of sequences", expected="one a line, or two with a tab between")
    table = io.StringIO()
    csv.writer(table).writerows([["sequence", "sequence_b"][:width], *([cell.strip() for cell in row] for row in rows)])
    return place.typed(table.getvalue(), ".csv")
