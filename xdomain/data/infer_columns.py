"""Infer from a sample of rows what the columns of a user's table hold; every guess is reported."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError, nearest
from xdomain.core.recipe import Columns
from xdomain.data.cells import (
    is_ambiguous,
    is_missing,
    is_quantity,
    numbers_of,
    parse_number,
    several_labels,
    whole_numbers,
)
from xdomain.data.column_names import (
    ANSWER,
    END,
    GROUP,
    ID,
    LABEL,
    LIKE_SPLITS,
    NO_LABELS,
    SEQUENCE,
    SEQUENCE_B,
    SPLIT,
    START,
    TAGS,
    plain,
)
from xdomain.data.formats.intervals import interval_columns
from xdomain.data.rows import missing_column, short
from xdomain.data.run_length import UNIT_COLUMNS
from xdomain.data.sample import Sample, alike, split_tags
from xdomain.data.targets import BARE
from xdomain.data.validate import SPLIT_NAMES

OVERRULE = "(overrule with --problem classification|regression|tagging|pair|span)"
FEW = 20  # a column with more distinct numbers than this, not all whole, is a measured quantity
MANY = 50  # so is a column with more distinct whole numbers than this, if they exceed half the rows: classes repeat
SHOWN = 5  # columns that a message names
ALPHABET = 40  # sequences of symbols use at most this many characters; prose uses more


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
    """

    columns: Columns
    problem: Problem | None
    said: tuple[str, ...] = ()


def guess_columns(
    table: pa.Table,
    columns: Columns,
    problem: Problem | None = None,
    *,
    known: Columns | None = None,
    where: str = "the data",
    labelled: bool = True,
    suffixes: tuple[str, ...] = (),
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

    Raises
    ------
    DataError
        A given column does not exist, or a column that is needed cannot be identified.
    """
    roles = columns.model_dump()
    for role, name in roles.items():
        if name and name not in table.column_names:
            raise missing_column(name, table.column_names, where, role=role)
    for role, name in (known.model_dump() if known else {}).items():
        if roles[role] is None and (name in table.column_names or (name and role == "sequence_b")):
            roles[role] = name
    seen = _Look(table, roles, where)
    _fill_marks(seen, labelled)
    _fill_sequences(seen, problem, suffixes)
    if not labelled:
        roles = seen.roles | dict.fromkeys(("label", "tags", "start", "end"))
        return Guess(Columns(**roles), problem or ("pair" if roles["sequence_b"] else None), tuple(seen.said))
    if problem in ("span", None) and seen.roles["sequence_b"] and _fill_answers(seen, asked=problem is not None):
        return Guess(Columns(**seen.roles), "span", tuple(seen.said))
    if problem is None and seen.roles["tags"]:
        problem = "tagging"
    if problem in ("tagging", None) and not seen.roles["sequence_b"] and _fill_tags(seen, asked=problem is not None):
        return Guess(Columns(**seen.roles), "tagging", tuple(seen.said))
    _fill_label(seen, problem)
    if columns.sequence is None:
        _say_unused(seen)
    return Guess(Columns(**seen.roles), problem or seen.say_problem(), tuple(seen.said))


def _say_unused(seen: _Look) -> None:
    """Name columns that look like a second sequence and are not used."""
    if seen.roles["sequence_b"] or seen.roles["sequence_b"] == "":
        return
    text = "".join(seen.sample.cells[str(seen.roles["sequence"])])
    for name in seen.free():
        cells = "".join(seen.sample.cells[name])
        if seen.sample.mean_length(name) >= 4 and seen.sample.numbers(name) is None and alike(cells, text):
            seen.said.append(f"not used: column {name!r}, which looks like sequences (--column sequence_b={name})")


def _fill_marks(seen: _Look, labelled: bool) -> None:
    for role, names in (("id", ID), ("group", GROUP)):
        name = seen.named(names)
        if seen.roles[role] is None and name:
            seen.note(role, name, "by its name")
    name = seen.named(SPLIT)
    if seen.roles["split"] is None and name and labelled:
        _fill_split(seen, name)
    for name in seen.all_named(LIKE_SPLITS) if labelled and not seen.roles["split"] and not seen.roles["fold"] else ():
        seen.said.append(f"split: column {name!r} is not used (to use it: --column fold={name} or split={name})")


def _fill_split(seen: _Look, name: str) -> None:
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


def _fill_sequences(seen: _Look, problem: Problem | None, suffixes: tuple[str, ...]) -> None:
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
        else:
            seen.note("sequence", seen.most_like_sequence(), "as it looks most like sequences")
        _refuse_json(seen, str(seen.roles["sequence"]))
    may_be_two = problem in ("pair", "regression", "span", None)
    if seen.roles["sequence_b"] is None and may_be_two and (name := seen.named(SEQUENCE_B)):
        seen.note("sequence_b", name, "by its name")
    if problem in ("pair", "span") and seen.roles["sequence_b"] is None:
        raise missing_column("sequence_b", seen.names, seen.where)


def _refuse_json(seen: _Look, name: str) -> None:
    cells = [cell for cell in seen.sample.cells[name] if cell]
    if cells and sum(bool(re.match(r"\{\s*['\"]", cell)) for cell in cells) > len(cells) / 2:
        raise DataError(
            f"{seen.where}: column {short(name)!r} holds objects of JSON, such as {short(cells[0])!r}",
            expected="a column of sequences, and one of labels",
            fix="write the objects alone, one a line, as JSON lines (data.jsonl); or a column for each key: "
            "pandas.json_normalize",
        )


def _fill_answers(seen: _Look, *, asked: bool) -> bool:
    """Whether there are answers in a passage. Unless the user `asked` for them, start and end need known names."""
    named = {role: seen.roles[role] or seen.named(names) for role, names in (("start", START), ("end", END))}
    if named["end"] is None and (answer := seen.roles["answer"] or seen.named(ANSWER)):
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
        seen.said.append(f"problem: span, as an answer in the second sequence has a start and an end {OVERRULE}")
    return True


def _fill_tags(seen: _Look, *, asked: bool) -> bool:
    """Whether there are tags. Unless the user `asked` for tagging, the column must be unmistakable."""
    if asked and seen.roles["tags"] is None and seen.roles["label"]:
        seen.roles |= {"tags": seen.roles["label"], "label": None}
    if seen.roles["tags"]:
        return True
    if seen.roles["label"]:
        return False
    named = [name for name in seen.all_named(TAGS) if asked or seen.are_tags(name, share=1 if name in LABEL else 0.5)]
    if asked and named:  # later checks decide whether they fit
        seen.note("tags", named[0], "by its name")
        return True
    able = named or [name for name in seen.free() if seen.are_tags(name)]
    if able and (asked or named or not seen.named(LABEL)):
        seen.note("tags", able[0], "as it has one entry a symbol of the sequence")
        _refuse_numbers(seen, able[0])
        if not asked:
            seen.said.append(f"problem: tagging, as there is a column of tags {OVERRULE}")
        return True
    if asked:
        raise missing_column("tags", seen.names, seen.where)
    return False


def _refuse_numbers(seen: _Look, name: str) -> None:
    """A measured number for each symbol is no tag, though every number could pass for one."""
    entries = [entry for cell in seen.sample.cells[name] for entry in split_tags(cell, parted=True)]
    numbers = numbers_of(entries)
    if numbers is not None and any(not number.is_integer() for number in numbers) and len(set(numbers)) > FEW:
        raise DataError(
            f"{seen.where}: column {name!r} holds a number for each symbol, such as {entries[0]}",
            expected="tags, as names of classes: numbers for each symbol cannot be learned yet",
            fix="bin the numbers into classes; or --problem tagging, which takes each number for a tag",
        )


def _fill_label(seen: _Look, problem: Problem | None) -> None:
    if seen.roles["label"] is not None:
        return
    named = seen.all_named(LABEL)
    if problem == "regression":
        named = [name for name in named if seen.sample.numbers(name) is not None] or named
    if named:
        seen.note("label", named[0], "by its name")
    else:
        seen.note("label", seen.most_like_label(problem), "as no other could be the label")


class _Look:
    """A table, the roles of its columns as far as they are known, and the sentences about the guesses."""

    def __init__(self, table: pa.Table, roles: Mapping[str, str | None], where: str) -> None:
        self.where = where
        self.names: list[str] = table.column_names
        self.sample = Sample(table)
        self.roles = dict(roles)
        self.said: list[str] = []

    def note(self, role: str, name: str, why: str) -> None:
        self.roles[role] = name
        self.said.append(f"{role}: column {name!r}, {why} (overrule with --column {role}=NAME)")

    def free(self) -> list[str]:
        return [name for name in self.names if name not in self.roles.values()]

    def all_named(self, names: Sequence[str]) -> list[str]:
        """The free columns called one of `names`, in the order of `names`."""
        called = {plain(name): name for name in reversed(self.free())}
        return [called[name] for name in names if name in called]

    def named(self, names: Sequence[str]) -> str | None:
        return next(iter(self.all_named(names)), None)

    def are_ids(self, name: str) -> bool:
        """Whether a column called protein or the like holds names of them: most cells have digits."""
        cells = [cell for cell in self.sample.cells[name] if cell]
        molecule = plain(name).split("_")[0] in ("protein", "peptide", "dna", "rna")
        return molecule and sum(bool(re.search(r"\d", cell)) for cell in cells) > len(cells) / 2

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
        characters = {name: set("".join(sample.cells[name])) for name in texts}
        few = [name for name in texts if len(characters[name]) <= ALPHABET]
        best = max(few or texts, key=lambda name: (sample.mean_length(name), len(characters[name])))
        if tagged := [name for name in few if name != best and sample.are_tags(best, name)]:  # the longest are its tags
            best = max(tagged, key=lambda name: (sample.mean_length(name), len(characters[name])))
        if any(parse_number(name) is not None for name in self.names) or _is_like(best, sample.cells[best]):
            raise DataError(
                f"{self.where}: the first line looks like a record, not like names of columns: {best[:40]!r}",
                expected="a header in the first line, e.g. sequence,label",
                fix=f"add a header, or for run and check name the columns: --set reader_options.names={self._names()}"
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
        """The only free column that has few distinct values or numbers."""
        could = [name for name in self.free() if self._could_be_label(name, problem)]
        if len(could) == 1:
            return could[0]
        if not could:
            raise missing_column("label", self.names, self.where)
        raise DataError(
            f"{self.where}: {len(could)} columns could be the label: {', '.join(could)}",
            expected="one that is named, or can only be it",
            fix="say which: " + " or ".join(f"--column label={shlex.quote(name)}" for name in could[:SHOWN]),
        )

    def _could_be_label(self, name: str, problem: Problem | None) -> bool:
        if name.strip().lower() in NO_LABELS:
            return False
        distinct, rows = self.sample.distinct(name), self.sample.rows
        numbers = self.sample.numbers(name)
        if distinct < 2 or (name in UNIT_COLUMNS and set(UNIT_COLUMNS) <= set(self.names)):
            return False
        if numbers is not None:
            return not _count_up(numbers)
        if _are_quantities(self.sample.cells[name]):
            return True
        return problem != "regression" and distinct <= max(FEW, rows // 10) and distinct < max(3, rows)

    def are_tags(self, name: str, *, share: float = 1.0) -> bool:
        return self.sample.are_tags(name, str(self.roles["sequence"]), share=share)

    def say_problem(self) -> Problem:
        """Guess the problem from the label column, and note why."""
        problem, why = self._problem(str(self.roles["label"]))
        self.said.append(f"problem: {problem}, as {why} {OVERRULE}")
        return problem

    def _problem(self, label: str) -> tuple[Problem, str]:
        two = self.roles["sequence_b"] is not None
        rows = self.sample.all_cells(label)
        numbers = numbers_of(rows)
        if why := self._measured(label, numbers or []):
            return "regression", f"{why}, and there are two columns of sequences" if two else why
        if two:
            return "pair", "there are two columns of sequences"
        cells = [cell for cell in rows if not is_missing(cell, among_numbers=False)]
        if several := several_labels(cells) if numbers is None else None:
            separator, example = several
            row = rows.index(example) + 1
            raise DataError(
                f"{self.where}: row {row}: the label {short(example)!r} holds several, separated by {separator!r}",
                expected="one label a row: several at once cannot be learned yet",
                fix="choose one of them; or --problem classification, which makes each combination a class of its own",
            )
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
                fix="--column label=NAME for another column; --problem regression or classification, if it is this one",
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


def _are_quantities(cells: Sequence[str]) -> bool:
    """Whether most `cells` are numbers with something more, such as a unit, or numbers alone beside such."""
    filled = [cell for cell in cells if not is_missing(cell, among_numbers=True)]
    of_more = sum(map(is_quantity, filled))
    known = of_more + sum(parse_number(cell) is not None for cell in filled)
    return of_more > 0 and known >= 0.9 * len(filled) and len(set(filled)) > FEW


def _count_up(numbers: Sequence[float]) -> bool:
    """Whether each number is one more than the previous one, as row numbers are."""
    return len(numbers) > 2 and all(b - a == 1 for a, b in pairwise(numbers))


def _is_like(name: str, cells: Sequence[str]) -> bool:
    """Whether the name of a column could be one of its `cells`: as long, in the same characters, with blanks or not."""
    filled = [cell for cell in cells if cell]
    shortest = min(map(len, filled), default=0)
    blanks = sum(" " in cell for cell in filled) > len(filled) / 2
    return len(name) >= max(8, shortest // 2) and set(name) <= set("".join(filled)) and (" " in name) == blanks
