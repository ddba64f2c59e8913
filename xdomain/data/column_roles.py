"""What the columns of a user's table hold, as far as it is known, and how each of them looks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import pyarrow as pa

from xdomain.core.choices import OF_COLUMNS, Problem
from xdomain.core.errors import DataError
from xdomain.core.recipe_sections import Columns
from xdomain.data.cell_text import (
    is_ambiguous,
    is_missing,
    is_quantity,
    numbers_of,
    parse_number,
    several_labels,
    whole_numbers,
)
from xdomain.data.column_names import NO_LABELS, PERHAPS_ID, SEQUENCE_B, plain
from xdomain.data.label_sets import are_yes_or_no, separator_of
from xdomain.data.rows import missing_column, short
from xdomain.data.run_length import UNIT_COLUMNS
from xdomain.data.sample import Sample, tell_apart
from xdomain.data.targets import BARE
from xdomain.data.validate import ONE_CLASS

OVERRULE = f"(overrule with --problem {'|'.join(get_args(Problem))})"
FEW = 20  # a column with more distinct numbers than this, not all whole, is a measured quantity
MANY = 50  # so is a column with more distinct whole numbers than this, if they exceed half the rows: classes repeat
SHOWN = 5  # columns that a message names
ALPHABET = 40  # sequences of symbols use at most this many characters; prose uses more


class ColumnRoles:
    """The roles of the columns of a table, as far as they are known, and the sentences about the guesses.

    Parameters
    ----------
    table
        String columns.
    given
        The columns that the user named. A label ``a,b`` that is no column's name stands for the columns a and b.
    where
        Name of the file in messages.

    Attributes
    ----------
    roles
        By what they hold, the names of columns; None where it is not known, "" where there is no such column.
    labels
        The columns of several labels, one each; ``roles["label"]`` is then None.
    said
        A sentence for each guess.

    Raises
    ------
    DataError
        A column does not exist.
    """

    def __init__(self, table: pa.Table, given: Columns, where: str) -> None:
        self.where = where
        self.names: list[str] = table.column_names
        self.sample = Sample(table)
        self.roles: dict[str, str | None] = given.model_dump(exclude={"label"}) | {"label": None}
        self.labels: tuple[str, ...] = ()
        self.said: list[str] = []
        label = given.label
        if isinstance(label, str) and label not in self.names and "," in label:
            label = [name.strip() for name in label.split(",")]
        if isinstance(label, list):
            self.labels = tuple(label)
        else:
            self.roles["label"] = label
        for role, name in [*self.roles.items(), *(("label", name) for name in self.labels)]:
            if name and name not in self.names:
                raise missing_column(name, self.names, where, role=role)

    def columns(self) -> Columns:
        """The columns as far as they are known."""
        return Columns.model_validate({**self.roles, "label": list(self.labels) or self.roles["label"]})

    def take_from(self, known: Columns) -> None:
        """Fill in what `known`, the columns of another table, names and this table has, too."""
        for role, name in known.model_dump(exclude={"label"}).items():
            if role == "id" and name in self.names and plain(name) in PERHAPS_ID and not self.tell_apart(name):
                self.said.append(f"ids: row numbers, as two cells of column {name!r} are the same, or one is empty")
                continue
            needed = name and role == "sequence_b" and not self.named(SEQUENCE_B)  # and its lack is told by this name
            if self.roles[role] is None and (name in self.names or needed):
                self.roles[role] = name
        if self.labels or self.roles["label"] is not None:
            return
        if isinstance(known.label, list) and set(known.label) <= set(self.names):
            self.labels = tuple(known.label)
        elif isinstance(known.label, str) and known.label in self.names:
            self.roles["label"] = known.label

    def note_labels(self, names: Sequence[str]) -> None:
        """Take the columns `names` for labels."""
        self.labels = tuple(names)
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
        self.said.append(
            f"label: columns {shown}, as each says yes or no (overrule with --column label=NAME, or NAME,NAME,…)"
        )

    def note(self, role: str, name: str, why: str) -> None:
        """Take the column `name` for the `role`, and say `why`."""
        self.roles[role] = name
        self.said.append(f"{role}: column {name!r}, {why} (overrule with --column {role}=NAME)")

    def free(self) -> list[str]:
        """The columns that have no role."""
        return [name for name in self.names if name not in self.roles.values() and name not in self.labels]

    def all_named(self, names: Sequence[str]) -> list[str]:
        """The free columns called one of `names`, in the order of `names`."""
        called = {plain(name): name for name in reversed(self.free())}
        return [called[name] for name in names if name in called]

    def named(self, names: Sequence[str]) -> str | None:
        """The first of `all_named` for `names`, or None."""
        return next(iter(self.all_named(names)), None)

    def are_ids(self, name: str) -> bool:
        """Whether the column `name`, if called protein or the like, holds names of them: most cells have digits."""
        cells = [cell for cell in self.sample.cells[name] if cell]
        molecule = plain(name).split("_")[0] in ("protein", "peptide", "dna", "rna")
        return molecule and sum(bool(re.search(r"\d", cell)) for cell in cells) > len(cells) / 2

    def tell_apart(self, name: str) -> bool:
        """Whether the cells of column `name` tell its rows apart: no two are the same, and none is empty."""
        return tell_apart(self.sample.cells[name]) and tell_apart(self.sample.all_cells(name))

    def of_files(self, suffixes: tuple[str, ...]) -> list[str]:
        """The free columns in which all cells end in one of `suffixes`."""
        cells = {name: [cell.lower() for cell in self.sample.cells[name]] for name in self.free()} if suffixes else {}
        return [name for name, own in cells.items() if own and all(cell.endswith(suffixes) for cell in own)]

    def most_like_sequence(self) -> str:
        """The free column with the longest cells, preferably of few distinct characters."""
        sample = self.sample
        texts = [name for name in self.free() if sample.numbers(name) is None and sample.mean_length(name) >= 4]
        if not texts:
            raise missing_column("sequence", self.names, self.where)
        characters = {name: _characters(sample.cells[name]) for name in texts}
        few = [name for name in texts if len(characters[name]) <= ALPHABET]
        best = max(few or texts, key=lambda name: (sample.mean_length(name), len(characters[name])))
        if tagged := [name for name in few if name != best and sample.are_tags(best, name)]:  # the longest are its tags
            best = max(tagged, key=lambda name: (sample.mean_length(name), len(characters[name])))
        if any(parse_number(name) is not None for name in self.names) or _is_like(best, sample.cells[best]):
            raise DataError(
                f"{self.where}: the first line looks like a record, not like names of columns: {best[:40]!r}",
                expected="a header in the first line, e.g. sequence,label",
                fix=f"add a header, or name the columns: --set reader_options.names={self._names()}"
                + (" --set reader_options.delimiter=space" if len(self.names) == 1 and " " in best else ""),
            )
        return best

    def _names(self) -> str:
        """Names for the columns of a file without a header, as far as they can be told."""
        if len(self.names) == 1:
            return "sequence,label" if " " in self.names[0] else "sequence"
        longest = max(self.names, key=self.sample.mean_length)
        others = [name for name in self.names if name != longest]
        label = min(others, key=lambda name: (self.sample.distinct(name) or self.sample.rows, others.index(name)))
        called = {longest: "sequence", label: "label"}
        return ",".join(called.get(name, f"column{place}") for place, name in enumerate(self.names, 1))

    def most_like_label(self, problem: Problem | None) -> str:
        """The only free column that has few distinct values, or numbers, as labels of `problem`; None: of any."""
        could = [name for name in self.free() if self._could_be_label(name, problem)]
        if len(could) == 1:
            return could[0]
        if not could:
            error = missing_column("label", self.names, self.where)
            one_class = ONE_CLASS if problem in ("classification", None) and not self.roles["sequence_b"] else ""
            raise DataError(error.what, expected=error.expected, nearest=error.nearest,
                            fix=f"{error.fix}{one_class}")  # fmt: skip
        raise DataError(
            f"{self.where}: {len(could)} columns could be the label: {', '.join(could)}",
            expected="one column named label, class or the like, or one only that could be it",
            fix="say which: "
            + " or ".join(f"--column label={shlex.quote(name)}" for name in could[:SHOWN])
            + ("; or several numbers at once: " + self._all_of(could) if self._are_numbers(could) else ""),
        )

    def _are_numbers(self, names: Sequence[str]) -> bool:
        return all(self.sample.numbers(name) is not None and "," not in name for name in names)

    def _all_of(self, names: Sequence[str]) -> str:
        return f"--column label={shlex.quote(','.join(names[:SHOWN]))}" + (",…" if names[SHOWN:] else "")

    def like_labels(self) -> list[str]:
        """The free columns that could be the label, if each says yes or no for a label of its own; else none."""
        could = [name for name in self.free() if self._could_be_label(name, None)]
        return could if all(are_yes_or_no(self.sample.all_cells(name)) for name in could) else []

    def _could_be_label(self, name: str, problem: Problem | None) -> bool:
        if name.strip().lower() in NO_LABELS:
            return False
        distinct, rows = self.sample.distinct(name), self.sample.rows
        numbers = self.sample.numbers(name)
        if problem == "sequence":
            return numbers is None
        if distinct < 2 or (name in UNIT_COLUMNS and set(UNIT_COLUMNS) <= set(self.names)):
            return False
        if numbers is not None:
            return not _count_up(numbers)
        if _are_quantities(self.sample.cells[name]) or _are_almost_numbers(self.sample.cells[name]):
            return True  # and what is wrong with its cells is said when it is read
        return problem != "regression" and distinct <= max(FEW, rows // 10) and distinct < max(3, rows)

    def are_tags(self, name: str, *, share: float = 1.0) -> bool:
        """Whether the column `name` holds tags of the sequences; `share` as in `Sample.are_tags`."""
        return self.sample.are_tags(name, str(self.roles["sequence"]), share=share)

    def posed_by_labels(self, problem: Problem | None) -> tuple[Problem, str | None]:
        """The problem, guessed from the labels and noted if `problem` is None; and what parts labels in a cell."""
        if self.labels:
            return self._posed_by_columns(problem), None
        label = str(self.roles["label"])
        if problem is None:
            problem, why = self._problem(label)
            self.said.append(f"problem: {problem}, as {why} {OVERRULE}")
        if problem != "multilabel":
            return problem, None
        return problem, separator_of([cell for cell in self.sample.all_cells(label) if cell])

    def _posed_by_columns(self, problem: Problem | None) -> Problem:
        if problem not in (*OF_COLUMNS, "regression", None):
            raise DataError(
                f"{self.where}: {len(self.labels)} columns of labels for {problem}",
                expected="one column, or several for multilabel or multioutput",
                fix="--column label=NAME, or --problem multilabel",
            )
        if problem in OF_COLUMNS:
            return problem
        cells = [self.sample.all_cells(name) for name in self.labels]
        if problem is None and all(are_yes_or_no(own, alone=True) for own in cells):
            self.said.append(f"problem: multilabel, as there is a column for each label {OVERRULE}")
            return "multilabel"
        if problem is None and any(numbers_of(own) is None for own in cells):
            self.said.append(f"problem: multilabel, as there are several columns of labels {OVERRULE}")
            return "multilabel"  # and what is wrong with the cells is said when they are read
        self.said.append(f"problem: multioutput, as there are several columns of numbers {OVERRULE}")
        return "multioutput"

    def _problem(self, label: str) -> tuple[Problem, str]:
        two = self.roles["sequence_b"] is not None
        rows = self.sample.all_cells(label)
        numbers = numbers_of(rows)
        if why := self._measured(label, numbers or []):
            return "regression", f"{why}, and there are two columns of sequences" if two else why
        cells = [cell for cell in rows if not is_missing(cell, among_numbers=False)]
        if several := several_labels(cells) if numbers is None else None:
            return "multilabel", f"{label!r} holds several labels a row, as in {short(several[1])!r}"
        if two:
            return "pair", "there are two columns of sequences"
        self._refuse_almost_numbers(label, rows, cells, numeric=numbers is not None)
        written = whole_numbers(cells)
        distinct = len({written.get(cell, cell) for cell in cells})
        return "classification", f"{label!r} has {distinct:,} distinct values"

    def _refuse_almost_numbers(self, label: str, rows: Sequence[str], cells: Sequence[str], *, numeric: bool) -> None:
        """A column of numbers but for a few cells, or of as many values as rows, has no classes."""
        distinct = len(set(cells))
        if not numeric and _are_quantities(cells):
            first = next(cell for cell in cells if is_quantity(cell))
            if is_ambiguous(first):
                raise DataError(
                    f"{self.where}: row {rows.index(first) + 1}: {first!r} in {label!r} may be "
                    f"{first.replace(',', '')} or {first.replace(',', '.')}",
                    expected="numbers with a point, or without commas",
                    fix="write them so, such as with find and replace in an editor",
                )
            raise DataError(
                f"{self.where}: row {rows.index(first) + 1}: {short(first)!r} in {label!r} is more than a number",
                expected="numbers alone, all in one unit",
                fix=f"{BARE}; or --problem classification",
            )
        if not numeric and distinct > FEW:
            strange = [cell for cell in cells if parse_number(cell) is None]
            if len(strange) < 0.1 * len(cells):
                row, more = rows.index(strange[0]) + 1, f", and {len(strange) - 1:,} more" if strange[1:] else ""
                raise DataError(
                    f"{self.where}: row {row}: {short(strange[0])!r} among the numbers of {label!r}{more}",
                    expected="numbers alone, or names of classes alone",
                    fix="correct or empty the cell; or --problem classification",
                )
        if distinct > max(FEW, len(cells) / 2):
            raise DataError(
                f"{self.where}: {label!r} has {distinct:,} distinct values in {len(cells):,} rows, "
                f"such as {short(cells[0])!r}",
                expected="classes that come again, or plain numbers such as 1037.5",
                fix="--column label=NAME for another column; --problem regression, classification or sequence, "
                "if it is this one",
            )

    def _measured(self, label: str, numbers: Sequence[float]) -> str | None:
        """Why the label, with these `numbers`, is a measured quantity; None if it is not."""
        whole = all(number.is_integer() for number in numbers)
        distinct = len(set(numbers))
        seldom_again = distinct > len(numbers) / 2
        if whole and distinct > MANY and seldom_again and not _count_up(numbers):
            return f"{label!r} holds whole numbers of {distinct:,} distinct values, too many for classes"
        if not whole and (distinct > FEW or seldom_again):
            return f"{label!r} holds numbers, not all whole, of {distinct:,} distinct values"
        return None


def _characters(cells: Sequence[str]) -> set[str]:
    """The distinct characters of `cells`, upper and lower case as one where they are single words, as residues are."""
    text = "".join(cells)
    return set(text if any(" " in cell.strip() for cell in cells) else text.upper())


def _are_quantities(cells: Sequence[str]) -> bool:
    """Whether most `cells` are numbers with something more, such as a unit, or numbers alone beside such."""
    filled = [cell for cell in cells if not is_missing(cell, among_numbers=True)]
    of_more = sum(map(is_quantity, filled))
    known = of_more + sum(parse_number(cell) is not None for cell in filled)
    return of_more > 0 and known >= 0.9 * len(filled) and len(set(filled)) > FEW


def _are_almost_numbers(cells: Sequence[str]) -> bool:
    """Whether most `cells` are numbers of many values, and a few are not."""
    filled = [cell for cell in cells if not is_missing(cell, among_numbers=True)]
    numbers = [cell for cell in filled if parse_number(cell) is not None]
    return len(numbers) > 0.9 * len(filled) and len(set(numbers)) > FEW


def _count_up(numbers: Sequence[float]) -> bool:
    """Whether each number is one more than the previous one, as row numbers are."""
    return len(numbers) > 2 and all(b - a == 1 for a, b in pairwise(numbers))


def _is_like(name: str, cells: Sequence[str]) -> bool:
    """Whether the name of a column could be one of its `cells`: as long, in the same characters, with blanks or not."""
    filled = [cell for cell in cells if cell]
    shortest = min(map(len, filled), default=0)
    blanks = sum(" " in cell for cell in filled) > len(filled) / 2
    return len(name) >= max(8, shortest // 2) and set(name) <= set("".join(filled)) and (" " in name) == blanks
