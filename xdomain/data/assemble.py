"""One raw table from the files of a source; cells that are the same in every row of a file become its metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xdomain.core.choices import OF_COLUMNS, PAIRS, PERHAPS_PAIRS, Problem
from xdomain.core.errors import RecipeError
from xdomain.core.paths import nearby
from xdomain.core.recipe import SPLITS
from xdomain.core.recipe_sections import Columns
from xdomain.data.answer_cells import answers_by_text, hold_objects, located_answers, without_impossible
from xdomain.data.in_memory import display_name
from xdomain.data.infer_columns import guess_columns
from xdomain.data.label_sets import label_sets_of
from xdomain.data.rows import missing_column
from xdomain.data.sample import are_parted, split_tags
from xdomain.data.target_columns import targets_in_columns
from xdomain.data.tidy import tidy, with_ids
from xdomain.data.validate import MAX_CHARACTERS, row_checked, target_columns, validated

Raw = Callable[[Path], pa.Table]
"""Reads one file into string columns under the file's own names."""
KEY = b"constants"
LIST = re.compile(r"\[[^\[\]]*\]")
IN_TWO = re.compile(r"""(['"])(\w+(?: \w+)+)\1""")
"""An item of a list that has blanks in it."""
LOCATED = "answers: each is the only occurrence of its text in its passage, as no column says where it starts"
MAX_CONSTANT_LENGTH = 200  # characters of a constant; a longer cell is part of a record


def assemble(
    files: Mapping[str, Path],
    raw: Raw,
    *,
    columns: Columns | None = None,
    known: Columns | None = None,
    problem: Problem | None = None,
    labelled: bool = True,
    max_characters: int = MAX_CHARACTERS,
    unscored: str = "",
    label_separator: str = "",
    empty_is_no: bool = False,
    item_blanks: str = " ",
    drop_incomplete: bool = False,
    number_repeated_ids: bool = False,
    part_from: int | None = None,
) -> pa.Table:
    """Read the files, guess what was not given, rename the columns, check the rows and join the tables.

    Parameters
    ----------
    files
        By name. The names train, valid and test assign the records to these splits; other names do not.
    raw
        Reads a file into a table of text.
    columns
        Which column holds what; None is guessed.
    known
        The same of the table that a model was trained on; what this one lacks is guessed.
    problem
        What the labels are; None is guessed.
    labelled
        Whether labels are required; if False, they are dropped.
    max_characters
        A longer sequence is an error.
    unscored
        The tag that marks a position as not scored, besides the empty tag.
    label_separator
        Only for multilabel: what parts several labels in a cell; "" is guessed.
    empty_is_no
        Only for multilabel with a column for each label: whether an empty cell says no; otherwise it is unknown.
    item_blanks
        What blanks within an item of a list of symbols become: items are joined by blanks.
    drop_incomplete, number_repeated_ids
        See `xdomain.data.tidy.tidy`.
    part_from
        The rows before those that `raw` reads, where these are part of a file: they are numbered from there on, and
        ids may occur twice. None: the whole file.

    Returns
    -------
    pa.Table
        The raw table of `xdomain.data.validate.validated`. `said` returns its guesses, `posed` its problem and
        `constants_of` the cells that are the same in all records of a file. Where several files use the same ids,
        each id is prefixed with the name of its file, as in ``test:7``.

    Raises
    ------
    RecipeError
        No files, or names that mix splits with others or lack train.
    DataError
        A table that cannot be read, guessed or checked.
    """
    if not files:
        raise RecipeError("the source names no files", expected="source.files, or a reader that makes its data up")
    by_split = _decides_split(files)
    lead = "train" if by_split else next(iter(files))
    leading = raw(files[lead])
    names = {name: nearby(display_name(path)) for name, path in files.items()}
    guess = guess_columns(
        leading, columns or Columns(), problem, known=known, where=names[lead], labelled=labelled,
        all_ids=known is not None,
    )  # fmt: skip
    task: Problem = guess.problem or "classification"  # without labels the difference does not matter
    tables: dict[str, pa.Table] = {}
    alike: list[dict[str, str]] = []
    notes = list(guess.said)
    separator = label_separator or guess.separator or ""
    for name, path in files.items():
        table = leading if name == lead else raw(path)
        alike.append(constants(table))
        notes += said(table)
        tables[name] = _renamed(
            table, guess.columns, task, names[name], labelled, unscored, separator, notes, empty_is_no=empty_is_no,
            item_blanks=item_blanks,
        )  # fmt: skip
        if part_from is not None:
            tables[name] = with_ids(tables[name], part_from)
    tables, changes = tidy(
        tables, names, task, labelled=labelled, drop_incomplete=drop_incomplete, number_repeated_ids=number_repeated_ids
    )
    for name, where in names.items():
        table = row_checked(tables[name], task, where=where, labelled=labelled, max_characters=max_characters)
        if by_split:
            place = pa.array([name] * table.num_rows, pa.string())
            table = table.drop_columns([c for c in ("split",) if c in table.column_names]).append_column("split", place)
        tables[name] = table
    whole = pa.concat_tables(_with_own_ids(tables))
    where = ", ".join(names.values())
    check = validated if part_from is None else row_checked
    whole = check(whole, task, where=where, labelled=labelled, max_characters=max_characters)
    whole = whole.replace_schema_metadata({"said": json.dumps([*notes, *changes]), "problem": guess.problem or ""})
    return noted(whole, alike)


def said(table: pa.Table) -> list[str]:
    """What a core reader guessed about `table`, one sentence per guess."""
    return json.loads((table.schema.metadata or {}).get(b"said", b"[]"))


def posed(table: pa.Table) -> str | None:
    """The problem of `table` as a core reader was given or guessed it; None where it is unknown."""
    problem = (table.schema.metadata or {}).get(b"problem")
    return problem.decode() or None if problem else None


def _decides_split(files: Mapping[str, Path]) -> bool:
    given = [name for name in files if name in SPLITS]
    if given and len(given) < len(files):
        other = next(name for name in files if name not in SPLITS)
        raise RecipeError(
            f"source.files names {given[0]!r} beside {other!r}",
            expected="train, valid and test alone, or none of them",
            fix=f"rename {other!r}, or choose a reader that knows it",
        )
    if given and "train" not in given:
        raise RecipeError(f"source.files names {', '.join(given)} but no train", expected="train among them")
    return bool(given)


def _renamed(
    table: pa.Table,
    columns: Columns,
    problem: Problem,
    where: str,
    labelled: bool,
    unscored: str,
    separator: str,
    notes: list[str],
    *,
    empty_is_no: bool,
    item_blanks: str,
) -> pa.Table:
    table = without_impossible(table, columns) if problem == "span" and labelled else table
    wanted = ["id", "sequence", "split", "group", "fold"]
    wanted += ["sequence_b"] if problem in (*PAIRS, *PERHAPS_PAIRS) else []
    wanted += [*target_columns(problem), "weight"] if labelled else []
    renamed: dict[str, pa.ChunkedArray | pa.Array] = {}
    for role, name in columns.model_dump().items():
        if role in wanted and name and not (role == "label" and problem in OF_COLUMNS):
            if name not in table.column_names:
                raise missing_column(name, table.column_names, where, role=role)
            renamed[role] = table.column(name)
    for role in ("sequence", "sequence_b"):
        if role in renamed:
            renamed[role] = _without_brackets(renamed[role], notes, item_blanks)
    if "split" in renamed:
        renamed["split"] = _with_validation(table, renamed["split"])
    if columns.answer and "end" in wanted and "end" not in renamed:
        starts = renamed.pop("start").to_pylist() if "start" in renamed else None
        texts, passages = table.column(columns.answer).to_pylist(), renamed["sequence_b"].to_pylist()
        if starts is None and not hold_objects(texts):
            renamed["answers"] = located_answers(texts, passages, where)
            if LOCATED not in notes:
                notes.append(LOCATED)
        else:
            renamed["answers"] = answers_by_text(texts, starts, passages, where)
    if "tags" in renamed:
        cells: list[str] = [cell or "" for cell in renamed["tags"].to_pylist()]
        parted = problem == "profile" or are_parted(cells)
        tags = [[None if tag in ("", unscored) else tag for tag in split_tags(cell, parted=parted)] for cell in cells]
        renamed["tags"] = pa.array(tags, pa.list_(pa.string()))
    if "label" in wanted and problem == "multilabel":
        renamed |= label_sets_of(table, columns.label, separator, where, notes, empty_is_no=empty_is_no)
    if "label" in wanted and problem == "multioutput":
        names = [columns.label] if isinstance(columns.label, str) else columns.label or []
        renamed["label"] = targets_in_columns(table, names, where, notes)
    return pa.table(renamed)


def _without_brackets(column: pa.ChunkedArray | pa.Array, notes: list[str], blank: str) -> pa.ChunkedArray | pa.Array:
    """A column of lists of symbols as text: ``[71, 12]`` is ``71 12``."""
    cells: list[str | None] = column.to_pylist()
    if not all(cell is None or LIST.fullmatch(cell.strip()) for cell in cells):
        return column
    if blank != " " and (whole := next((found[2] for cell in cells if (found := IN_TWO.search(cell or ""))), None)):
        notes.append(f"lists: each item is one symbol, so that {whole!r} is written {whole.replace(' ', blank)!r}")
        cells = [cell and IN_TWO.sub(lambda item: item[0].replace(" ", blank), cell) for cell in cells]
    return pa.array([None if cell is None else " ".join(split_tags(cell, parted=True)) for cell in cells], pa.string())


def _with_validation(table: pa.Table, split: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """`split`, with the records whose column ``validation`` is true in valid, as in FLIP (Dallago et al. 2021)."""
    name = next((name for name in table.column_names if name.lower() in ("validation", "is_validation")), None)
    held_out = [(cell or "").strip().lower() for cell in table.column(name).to_pylist()] if name else []
    if not set(held_out) & {"true", "1"} or set(held_out) - {"true", "false", "1", "0", "nan", ""}:
        return split
    names: list[str | None] = split.to_pylist()
    moved = ["valid" if held in ("true", "1") else own for held, own in zip(held_out, names, strict=True)]
    return pa.array(moved, pa.string())


def _with_own_ids(tables: Mapping[str, pa.Table]) -> list[pa.Table]:
    ids: dict[str, list[str]] = {name: table.column("id").to_pylist() for name, table in tables.items()}
    if len(set[str]().union(*ids.values())) == sum(len(set(own)) for own in ids.values()):
        return list(tables.values())
    return [
        table.set_column(table.column_names.index("id"), "id", pa.array([f"{name}:{own}" for own in ids[name]]))
        for name, table in tables.items()
    ]


def constants(file: pa.Table) -> dict[str, str]:
    """By column, the cell that is the same in every row of `file`, a table of strings; not if it is long or empty."""
    cells: dict[str, str] = {}
    for name in file.column_names if file.num_rows else ():
        column: Any = file.column(name)
        cell = column[0].as_py()
        if cell and len(cell) <= MAX_CONSTANT_LENGTH and pc.all(pc.equal(column, cell)).as_py():  # pyright: ignore
            cells[name] = cell
    return cells


def noted(table: pa.Table, files: Sequence[Mapping[str, str]]) -> pa.Table:
    """The raw `table` with the `constants` of each of its `files` in its metadata, where `constants_of` reads them."""
    names = dict.fromkeys(name for file in files for name in file)
    values = {name: list(dict.fromkeys(file[name] for file in files if name in file)) for name in names}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: json.dumps(values)})


def constants_of(table: pa.Table) -> dict[str, list[str]]:
    """By column, the distinct constants of the files that the raw `table` was read from; empty where unknown."""
    return json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
