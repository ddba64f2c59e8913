"""A task's records, ready to learn from: symbols, labels as numbers, and the split of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import yaml
from numpy.typing import NDArray

from xdomain.core.adapter_protocols import HasSpans, HasWordStarts, RecognizesOtherDomains
from xdomain.core.choices import OF_COLUMNS, PER_SYMBOL, Problem
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.progress import log
from xdomain.core.sequences import Adapter, Ragged
from xdomain.data.answers import Answers, Spans, place_answers
from xdomain.data.cell_text import natural_order
from xdomain.data.known_labels import IGNORED
from xdomain.data.label_sets import UNKNOWN, held_by, label_names
from xdomain.data.outputs import Outputs, joint_alphabet
from xdomain.data.target_columns import target_matrix, target_names

pc: Any = pyarrow.compute  # its functions are made at import and have no types


@dataclass(frozen=True)
class Examples:
    """n records.

    Parameters
    ----------
    ids
        The file's own names, or row numbers.
    symbols, symbols_b
        The sequences; `symbols_b` only where a record is a pair.
    labels
        classification and pair: int64, shape (n,), an index into `classes`; regression: float32, shape (n,);
        multilabel: int64, shape (n, k), 1 or 0 for each of the k `classes`, -100 where unknown;
        tagging: int64, shape (total symbols,), aligned with ``symbols.values``, -100 where not scored;
        profile: float32, likewise, NaN where unknown; multioutput: float32, shape (n, k), NaN where unknown;
        span: int64, shape (n, 2), the symbols of ``symbols_b`` that answer, half-open; -1 twice where none do.
        None for records without labels, and for sequence, whose targets are in `outputs`.
    classes
        Names of the classes or labels, in the order of numbers where all are numbers, else of characters; of the k
        targets for multioutput, in the order of the file; empty for regression, profile, span and sequence.
    split
        Shape (n,): train, valid, test, or empty where a record is left out.
    heads
        Only where each word has one tag and symbols are pieces of words: for each record, the position of every word's
        first symbol, which has its tag; the number of symbols of the record for a word without symbols. The other
        symbols of a word are not scored.
    edges
        Only for span, shape (total symbols of the passages, 2): from where to where each symbol of ``symbols_b``
        reaches, in the passage's own coordinate.
    answers
        Only for span with labels: all references.
    outputs
        Only for sequence: what is to come out.
    groups
        Only where the task has a column for it: the name of each record's group, None where a record has none.
    weights
        Only where the task has a column for it, shape (n,): how much each record counts, from 0; see `shares`.
    """

    problem: Problem
    ids: tuple[str, ...]
    symbols: Ragged
    symbols_b: Ragged | None
    labels: NDArray[Any] | None
    classes: tuple[str, ...]
    split: NDArray[np.str_]
    heads: Ragged | None = None
    edges: Spans | None = None
    answers: Answers | None = None
    groups: tuple[str | None, ...] | None = None
    weights: NDArray[np.float64] | None = None
    outputs: Outputs | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_positive(self) -> bool:
        """Whether each record, or tag, has one of two classes, of which the second is the positive one."""
        return len(self.classes) == 2 and self.problem not in OF_COLUMNS

    def indices(self, split: str) -> NDArray[np.int64]:
        """The numbers of the records in `split`, in file order."""
        return np.flatnonzero(self.split == split)

    def sizes(self) -> dict[str, int]:
        """Records of each split."""
        return {name: int((self.split == name).sum()) for name in ("train", "valid", "test")}

    def labels_of(self, records: NDArray[np.int64]) -> NDArray[Any]:
        """The labels of `records`; for tagging and profiles those of all their symbols, one after another."""
        if self.labels is None:
            raise ValueError("records without labels")
        if self.problem not in PER_SYMBOL:
            return self.labels[records]
        offsets = self.symbols.offsets
        return np.concatenate([self.labels[:0], *(self.labels[offsets[r] : offsets[r + 1]] for r in records)])

    def shares(self) -> NDArray[np.float32] | None:
        """Shape (n,): how much each record counts in the loss, 1 on average over train; None if all count alike."""
        if self.weights is None:
            return None
        return (self.weights / self.weights[self.split == "train"].mean()).astype(np.float32)

    def group_column(self, records: NDArray[np.int64]) -> dict[str, pa.Array]:
        """The column ``group`` of `records` for a table of predictions; empty where the records have no groups."""
        groups = self.groups
        return {} if groups is None else {"group": pa.array([groups[r] for r in records], pa.string())}

    def with_split(self, split: NDArray[np.str_]) -> Examples:
        """The same records under another `split`, shape (n,)."""
        return replace(self, split=split)


def encode_examples(
    table: pa.Table,
    adapter: Adapter,
    problem: Problem,
    split: NDArray[np.str_],
    *,
    classes: Sequence[str] | None = None,
    target: Adapter | None = None,
) -> Examples:
    """Encode a validated raw table.

    Parameters
    ----------
    table
        From `xdomain.data.validate.validated`; it may lack the column of labels.
    adapter
        Encodes the sequences.
    problem
        What the labels are.
    split
        Shape (n,): train, valid, test, or empty where a record is left out.
    classes
        Names of the classes in the order of their indices: a model's own, where other labels are an error.
        None: the labels of the table, sorted.
    target
        Only for sequence: encodes what comes out; None: `adapter`.

    Raises
    ------
    DataError
        A sequence that the adapter refuses, a number of tags that does not fit, an unknown label, or an answer beyond
        its passage.
    RecipeError
        The problem is span and the adapter cannot locate symbols.
    """
    ids = tuple(table.column("id").to_pylist())
    groups = (
        tuple(name or None for name in table.column("group").to_pylist()) if "group" in table.column_names else None
    )
    weights = table.column("weight").to_numpy() if "weight" in table.column_names else None
    symbols = encode_column(adapter, table.column("sequence").combine_chunks(), ids)
    paired = "sequence_b" in table.column_names
    symbols_b = encode_column(adapter, table.column("sequence_b").combine_chunks(), ids) if paired else None
    heads = None
    if problem in PER_SYMBOL and isinstance(adapter, HasWordStarts):
        heads = adapter.word_starts(table.column("sequence").combine_chunks())
        lost = int((heads.values == np.repeat(symbols.lengths, heads.lengths)).sum())
        symbols = replace(symbols, counts={**symbols.counts, "words_without_symbols": lost})
    if problem == "span" and symbols_b is not None:
        edges = _edges(adapter, table.column("sequence_b").combine_chunks(), symbols_b)
        answers = None
        if "answers" in table.column_names:
            _check_read(symbols_b, ids)
            answers = place_answers(table.column("answers").combine_chunks(), symbols_b, edges, ids)
        learned = answers.learned if answers else None
        return Examples(
            problem, ids, symbols, symbols_b, learned, (), split, edges=edges, answers=answers, groups=groups,
            weights=weights,
        )  # fmt: skip
    if problem == "sequence":
        outputs = _outputs(table, adapter, target or adapter, ids)
        return Examples(problem, ids, symbols, None, None, (), split, groups=groups, weights=weights, outputs=outputs)
    labels, names = _labels(table, problem, symbols, ids, classes, heads)
    return Examples(problem, ids, symbols, symbols_b, labels, names, split, heads, groups=groups, weights=weights)


def with_positive(examples: Examples, name: str | bool | int | float | None) -> Examples:
    """The same records, `examples`, with the class `name` as the second of two, the positive one; None: as they are.

    A `name` that is no text is what YAML makes of the name of a class: False of ``no``, 1 of ``1``.

    Raises
    ------
    RecipeError
        There are not two classes, or none is called `name`.
    """
    if name is None:
        return examples
    read = {one: one if isinstance(name, str) else yaml.safe_load(one) for one in examples.classes}
    named = [one for one, value in read.items() if type(value) is type(name) and value == name]
    if not named or not examples.has_positive or examples.labels is None:
        raise RecipeError(
            f"positive: {name!r} among the {len(examples.classes)} classes {', '.join(examples.classes[:10])}",
            expected="one of two classes",
        )
    if examples.classes[1] == named[0]:
        return examples
    labels = np.where(examples.labels == IGNORED, IGNORED, 1 - examples.labels)
    return replace(examples, classes=examples.classes[::-1], labels=labels)


def _outputs(table: pa.Table, adapter: Adapter, target: Adapter, ids: Sequence[str]) -> Outputs:
    """The targets of a table, if it has them."""
    symbols = None
    if "label" in table.column_names:
        symbols = encode_column(target, table.column("label").combine_chunks(), ids)
        _check_read(symbols, ids, "target")
    return Outputs(target, joint_alphabet(adapter, target)[1], symbols)


def _edges(adapter: Adapter, passages: pa.Array, symbols: Ragged) -> Spans:
    if not isinstance(adapter, HasSpans):
        raise RecipeError(f"the {adapter.name} adapter knows no places in a sequence", expected="one with `spans`")
    edges: Spans = adapter.spans(passages)
    if edges.shape != (len(symbols.values), 2):
        raise RuntimeError(f"the {adapter.name} adapter has {len(symbols.values)} symbols, but {edges.shape} edges")
    return edges


def check_symbols(examples: Examples) -> None:
    """Refuse `examples` with a sequence that has no symbols.

    Raises
    ------
    DataError
        A sequence consists of gaps and spaces only.
    """
    for symbols in filter(None, (examples.symbols, examples.symbols_b)):
        _check_read(symbols, examples.ids)


def warn_of_other_domain(examples: Examples, adapter: Adapter) -> None:
    """Log a warning where `adapter`, which encoded the `examples`, recognizes them as another domain's."""
    warn_of_other(filter(None, (examples.symbols, examples.symbols_b)), adapter)


def warn_of_other(sides: Iterable[Ragged], adapter: Adapter) -> None:
    """Log a warning where `adapter`, which encoded the `sides` of records, recognizes one as another domain's."""
    if not isinstance(adapter, RecognizesOtherDomains):
        return
    if sentence := next(filter(None, map(adapter.other_domain, sides)), None):
        log.warning(sentence)


def _check_read(symbols: Ragged, ids: Sequence[str], kind: str = "sequence") -> None:
    empty = np.flatnonzero(symbols.lengths == 0)
    if len(empty):
        of = "" if kind == "sequence" else f"the {kind} of "
        raise DataError(
            f"{of}record {ids[empty[0]]!r} has no symbols once gaps and spaces are left out",
            expected=f"at least one symbol a {kind}",
        )


def encode_column(adapter: Adapter, column: pa.Array, ids: Sequence[str]) -> Ragged:
    """Encode the records of `column` with `adapter` at once.

    An error of the adapter, which counts records from 1, is given the record's id, one of `ids`.
    """
    try:
        return adapter.encode(column)
    except DataError as error:
        what = re.sub(r"^record ([\d,]+)", lambda n: f"record {ids[int(n[1].replace(',', '')) - 1]!r}", error.what)
        raise DataError(what, expected=error.expected, nearest=error.nearest, fix=error.fix) from None


def _labels(
    table: pa.Table,
    problem: Problem,
    symbols: Ragged,
    ids: tuple[str, ...],
    classes: Sequence[str] | None,
    heads: Ragged | None,
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    column = "tags" if problem in PER_SYMBOL else "label"
    if column not in table.column_names:
        return None, tuple(classes or ())
    if problem == "multilabel":
        names = tuple(classes or label_names(table))
        _check_known([name for name in label_names(table) if name not in names], names)
        return label_matrix(table, names), names
    if problem == "multioutput":
        column = table.column("label")
        names = tuple(classes or target_names(column))
        return target_matrix(column, names).astype(np.float32), names
    if problem == "regression":
        return table.column("label").to_numpy().astype(np.float32), ()
    values = table.column(column).combine_chunks()
    flat = values
    if problem in PER_SYMBOL:
        flat = values.flatten()
        lengths = pc.list_value_length(values).to_numpy()
        wanted = symbols if heads is None else heads
        uneven = np.flatnonzero(lengths != wanted.lengths)
        if len(uneven):
            first = int(uneven[0])
            raise DataError(
                f"record {ids[first]!r} has {lengths[first]} tags for {wanted.lengths[first]} "
                + ("symbols" if heads is None else "words"),
                expected="one tag a symbol, gaps and spaces left out of both"
                if heads is None
                else "one tag a word, words being what blanks part",
            )
    if problem == "profile":
        numbers = flat.to_numpy(zero_copy_only=False).astype(np.float32)
        return numbers if heads is None else _on_heads(numbers, symbols, heads, np.nan), ()
    names = tuple(classes) if classes else tuple(natural_order(pc.unique(flat.drop_null()).to_pylist()))
    indices = pc.index_in(flat, value_set=pa.array(names, flat.type))
    _check_known(sorted(pc.unique(flat.filter(indices.is_null()).drop_null()).to_pylist()), names)
    numbers = indices.fill_null(IGNORED).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers if heads is None else _on_heads(numbers, symbols, heads, IGNORED), names


def label_matrix(table: pa.Table, names: Sequence[str]) -> NDArray[np.int64]:
    """Shape (n, k): 1 or 0, whether each record of a `table` has each of the k labels `names`; `IGNORED` if unknown."""
    labels = held_by(table.column("label"), names).astype(np.int64)
    if UNKNOWN in table.column_names:
        labels[held_by(table.column(UNKNOWN), names)] = IGNORED
    return labels


def _check_known(strange: Sequence[str], names: Sequence[str]) -> None:
    if strange:
        raise DataError(
            f"label {strange[0]!r} is none that the model knows" + (f" ({len(strange)} such)" if strange[1:] else ""),
            expected=f"one of {', '.join(names)}",
        )


def _on_heads(tags: NDArray[Any], symbols: Ragged, heads: Ragged, missing: float) -> NDArray[Any]:
    """Shape (total symbols,): the tag of each word at its first symbol; all other symbols are `missing`."""
    labels = np.full(len(symbols.values), missing, tags.dtype)
    there = heads.values < np.repeat(symbols.lengths, heads.lengths)
    places = np.repeat(symbols.offsets[:-1], heads.lengths) + heads.values
    labels[places[there]] = tags[there]
    return labels
