"""Infer from a sample of rows what the columns of a user's table hold; every guess is reported."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

import pyarrow as pa

from xdomain.core.choices import PAIRS, PER_SYMBOL, PERHAPS_PAIRS, Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.recipe_sections import Columns
from xdomain.data.answer_cells import are_objects
from xdomain.data.cell_text import (
    numbers_of,
)
from xdomain.data.column_names import (
    ANSWER,
    END,
    GROUP,
    ID,
    LABEL,
    LIKE_SPLITS,
    PERHAPS_ID,
    PROFILE,
    SEQUENCE,
    SEQUENCE_B,
    SPLIT,
    START,
    TAGS,
    plain,
)
from xdomain.data.column_roles import FEW, OVERRULE, SHOWN, ColumnRoles
from xdomain.data.formats.intervals import interval_columns
from xdomain.data.rows import missing_column, short
from xdomain.data.sample import alike, split_tags
from xdomain.data.validate import SPLIT_NAMES


@dataclass(frozen=True)
class Guess:
    """What the columns of a table hold.

    Parameters
    ----------
    columns
        The columns that were given or guessed; None for a role that no column has.
    problem
        None only if there are no labels from which to guess it.
    said
        One sentence per guess, with the option that overrules it; none for what was given.
    separator
        Only where a column holds several labels a row: what parts them.
    """

    columns: Columns
    problem: Problem | None
    said: tuple[str, ...] = ()
    separator: str | None = None


def guess_columns(
    table: pa.Table,
    columns: Columns,
    problem: Problem | None = None,
    *,
    known: Columns | None = None,
    where: str = "the data",
    labelled: bool = True,
    suffixes: tuple[str, ...] = (),
    all_ids: bool = False,
) -> Guess:
    """Fill in what `columns` and `problem` leave open.

    Parameters
    ----------
    table
        String columns under the file's own names.
    columns
        The columns that the user gave; None is guessed, and "" says that there is no such column.
    problem
        The problem that the user gave; None is guessed.
    known
        The columns of the table that a model was trained on: taken where this table has them and `columns` is None.
    where
        Name of the file in error messages.
    labelled
        Whether labels are needed. If False, none are looked for.
    suffixes
        Of files that may be records, in lower case with dots: a column of their names holds the sequences.
    all_ids
        Whether ids may also stand in a column of `xdomain.data.column_names.PERHAPS_ID`, and what the ids are is said.
        Not for a recipe that is read again: ids must stay what they were.

    Raises
    ------
    DataError
        A given column does not exist, or a column that is needed cannot be identified.
    """
    seen = ColumnRoles(table, columns, where)
    if known:
        seen.take_from(known)
    _fill_marks(seen, labelled)
    _fill_sequences(seen, problem, suffixes)
    posed, separator = _fill_targets(seen, problem, labelled=labelled)
    if all_ids and seen.roles["id"] is None:
        _fill_ids(seen)
    if not labelled:
        seen.roles |= dict.fromkeys(("label", "tags", "start", "end"))
        seen.labels = ()
    elif columns.sequence is None and posed not in PER_SYMBOL and posed != "span":
        _say_unused(seen)
    return Guess(seen.columns(), posed, tuple(seen.said), separator)


def _fill_targets(seen: ColumnRoles, problem: Problem | None, *, labelled: bool) -> tuple[Problem | None, str | None]:
    """Fill in what is learnt; the problem, given or guessed, and what parts labels in a cell."""
    if not labelled:
        return problem or ("pair" if seen.roles["sequence_b"] else None), None
    if problem in ("span", None) and seen.roles["sequence_b"] and _fill_answers(seen, asked=problem is not None):
        return "span", None
    asked = problem in PER_SYMBOL or (problem is None and bool(seen.roles["tags"]))
    if (asked or problem is None) and not seen.roles["sequence_b"] and _fill_tags(seen, problem, asked=asked):
        return problem or _posed_by_tags(seen), None
    if not seen.labels:
        _fill_label(seen, problem)
    return seen.posed_by_labels(problem)


def _fill_ids(seen: ColumnRoles) -> None:
    """Take a column of names for ids, each of which must be there once; or say that there is none, if one could be."""
    if name := next((name for name in seen.all_named(PERHAPS_ID) if seen.tell_apart(name)), None):
        seen.note("id", name, "by its name, and as all its cells differ")
    elif not any(said.startswith("ids:") for said in seen.said) and any(
        seen.sample.numbers(name) is None and seen.tell_apart(name) for name in seen.free()
    ):
        seen.said.append("ids: row numbers (--column id=NAME names a column)")


def _say_unused(seen: ColumnRoles) -> None:
    """Name columns that look like a second sequence and are not used."""
    if seen.roles["sequence_b"] or seen.roles["sequence_b"] == "":
        return
    text = "".join(seen.sample.cells[str(seen.roles["sequence"])])
    for name in seen.free():
        cells = "".join(seen.sample.cells[name])
        if seen.sample.mean_length(name) >= 4 and seen.sample.numbers(name) is None and alike(cells, text):
            seen.said.append(f"not used: column {name!r}, which looks like sequences (--column sequence_b={name})")


def _fill_marks(seen: ColumnRoles, labelled: bool) -> None:
    for role, names in (("id", ID), ("group", GROUP)):
        name = seen.named(names)
        if seen.roles[role] is None and name:
            seen.note(role, name, "by its name")
    name = seen.named(SPLIT)
    if seen.roles["split"] is None and name and labelled:
        _fill_split(seen, name)
    for name in seen.all_named(LIKE_SPLITS) if labelled and not seen.roles["split"] and not seen.roles["fold"] else ():
        seen.said.append(f"split: column {name!r} is not used (to use it: --column fold={name} or split={name})")


def _fill_split(seen: ColumnRoles, name: str) -> None:
    """A column called split is one, or is refused: a random split in its place would go unnoticed."""
    cells = seen.sample.all_cells(name)
    strange = next((cell for cell in cells if cell.lower() not in SPLIT_NAMES), None)
    if strange is None:
        seen.note("split", name, "by its name")
        return
    values = list(dict.fromkeys(cells))
    if any(SPLIT_NAMES.get(value.lower()) for value in values):
        raise DataError(
            f"{seen.where}: row {cells.index(strange) + 1}: unknown split {short(strange)!r} in column {name!r}",
            expected="train, valid or test, or nothing to leave the record out",
            nearest=nearest(strange.lower(), SPLIT_NAMES),
            fix="rename it; or --column split= to draw a random split instead",
        )
    shown = ", ".join(short(value, 20) for value in values[:5]) + (" …" if values[5:] else "")
    if name.lower() == "split":
        raise DataError(
            f"{seen.where}: column {name!r} holds {shown}",
            expected="train, valid or test, or nothing to leave the record out",
            fix=f"rename them; or --column fold={name} to take them for folds; or --column split= for a random split",
        )
    numbers = numbers_of(values)
    use = f"--column fold={name}" if numbers and len(values) <= FEW else f"--column group={name} or split={name}"
    seen.said.append(f"split: column {name!r} is not used, as it holds {shown} (to use it: {use})")


def _fill_sequences(seen: ColumnRoles, problem: Problem | None, suffixes: tuple[str, ...]) -> None:
    if seen.roles["sequence"] is None:
        if interval_columns(seen.names) and not seen.named(SEQUENCE):
            raise DataError(
                f"{seen.where} holds intervals of a genome and no sequences: {', '.join(seen.names)[:100]}",
                expected="a column of sequences",
                fix="--genome GENOME.fasta cuts them out",
            )
        of_files = seen.of_files(suffixes)
        if len(of_files) == 1:
            seen.note("sequence", of_files[0], "as it names files")
        elif name := next((name for name in seen.all_named(SEQUENCE) if not seen.are_ids(name)), None):
            seen.note("sequence", name, "by its name")
        elif of_files:
            raise DataError(
                f"{seen.where}: {len(of_files)} columns name files: {', '.join(of_files)}",
                expected="one column of the files to read",
                fix="say which: " + " or ".join(f"--column sequence={shlex.quote(name)}" for name in of_files[:SHOWN]),
            )
        else:
            seen.note("sequence", seen.most_like_sequence(), "as it looks most like sequences")
        _refuse_json(seen, str(seen.roles["sequence"]))
    may_be_two = problem is None or problem in (*PAIRS, *PERHAPS_PAIRS)
    if seen.roles["sequence_b"] is None and may_be_two and (name := seen.named(SEQUENCE_B)):
        seen.note("sequence_b", name, "by its name")
    if problem in ("pair", "span") and seen.roles["sequence_b"] is None:
        raise missing_column("sequence_b", seen.names, seen.where)


def _refuse_json(seen: ColumnRoles, name: str) -> None:
    cells = [cell for cell in seen.sample.cells[name] if cell]
    if cells and sum(bool(re.match(r"\{\s*['\"]", cell)) for cell in cells) > len(cells) / 2:
        raise DataError(
            f"{seen.where}: column {short(name)!r} holds objects of JSON, such as {short(cells[0])!r}",
            expected="a column of sequences, and one of labels",
            fix="write the objects alone, one a line, as JSON lines (data.jsonl); or a column for each key: "
            "pandas.json_normalize",
        )


def _fill_answers(seen: ColumnRoles, *, asked: bool) -> bool:
    """Whether there are answers in a passage. Unless the user `asked` for them, start and end need known names."""
    named = {role: seen.roles[role] or seen.named(names) for role, names in (("start", START), ("end", END))}
    answer = seen.roles["answer"] or seen.named(ANSWER)
    objects = answer and named["start"] is None and are_objects(seen.sample.cells[answer])
    if objects or (answer and not any(named.values()) and (asked or _are_texts(seen, answer))):
        named = {"answer": answer}
    elif named["end"] is None and answer:
        named["answer"] = answer
        del named["end"]
    if None in named.values():
        if asked:
            raise missing_column(next(role for role, name in named.items() if name is None), seen.names, seen.where)
        return False
    for role, name in named.items():
        if seen.roles[role] is None and name is not None:
            seen.note(role, name, "by its name")
    if not asked:
        why = "has a start and an end" if named.keys() & {"start", "end"} else "is given by its text"
        seen.said.append(f"problem: span, as an answer in the second sequence {why} {OVERRULE}")
    return True


def _are_texts(seen: ColumnRoles, answer: str) -> bool:
    """Whether the column `answer` holds texts of answers: the user says so, or all names do and most stand there."""
    if seen.roles["answer"]:
        return True
    called = plain(str(seen.roles["sequence"])), plain(str(seen.roles["sequence_b"]))
    if called not in (("question", "context"), ("question", "passage")) or seen.roles["label"] or seen.labels:
        return False
    if seen.named(LABEL):
        return False
    pairs = zip(seen.sample.cells[answer], seen.sample.cells[str(seen.roles["sequence_b"])], strict=True)
    parts = [re.split(r"\s*[;|]\s*", text)[0] in passage for text, passage in pairs if text]
    return sum(parts) > len(parts) / 2


def _posed_by_tags(seen: ColumnRoles) -> Problem:
    """Guess from the column of tags whether they are classes or numbers, and note why."""
    name = str(seen.roles["tags"])
    if _are_measured(seen, name):
        seen.said.append(f"problem: profile, as {name!r} holds a number for each symbol {OVERRULE}")
        return "profile"
    seen.said.append(f"problem: tagging, as there is a column of tags {OVERRULE}")
    return "tagging"


def _fill_tags(seen: ColumnRoles, problem: Problem | None, *, asked: bool) -> bool:
    """Whether there are tags. Unless the user `asked` for them, the column must be unmistakable."""
    if asked and seen.roles["tags"] is None and seen.roles["label"]:
        seen.roles |= {"tags": seen.roles["label"], "label": None}
    if seen.roles["tags"]:
        return True
    if seen.roles["label"] or seen.labels:
        return False
    names = [*PROFILE, *TAGS] if problem in ("profile", None) else TAGS
    named = [name for name in seen.all_named(names) if asked or seen.are_tags(name, share=1 if name in LABEL else 0.5)]
    if asked and named:  # later checks decide whether they fit
        seen.note("tags", named[0], "by its name")
        return True
    able = named or [name for name in seen.free() if seen.are_tags(name)]
    if able and (asked or named or not seen.named(LABEL)):
        seen.note("tags", able[0], "as it has one entry a symbol of the sequence")
        return True
    if asked:
        raise missing_column("tags", seen.names, seen.where)
    return False


def _are_measured(seen: ColumnRoles, name: str) -> bool:
    """Whether the entries of column `name` are measured numbers, not all whole and of many values; some may lack."""
    entries = [entry for cell in seen.sample.cells[name] for entry in split_tags(cell, parted=True)]
    numbers = numbers_of(entries)
    return numbers is not None and any(not number.is_integer() for number in numbers) and len(set(numbers)) > FEW


def _fill_label(seen: ColumnRoles, problem: Problem | None) -> None:
    if seen.roles["label"] is not None:
        return
    named = seen.all_named(LABEL)
    if problem == "regression":
        named = [name for name in named if seen.sample.numbers(name) is not None] or named
    if named:
        seen.note("label", named[0], "by its name")
    elif problem in ("multilabel", None) and len(several := seen.like_labels()) > 1:
        seen.note_labels(several)
    else:
        seen.note("label", seen.most_like_label(problem), "as no other could be the label")
