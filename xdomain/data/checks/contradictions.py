"""Contradictions: records that are the same to a model, but have different targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import OF_VALUES, PER_SYMBOL
from xdomain.core.formatting import number
from xdomain.core.sequences import Ragged
from xdomain.data.dataset import Examples

EXAMPLES = 3
ROUNDING = 1e-5
"""Values of regression that differ by less, relative to their size, are the same value."""
NAMES = {
    "classification": ("sequence", "label"),
    "multilabel": ("sequence", "set of labels"),
    "regression": ("sequence", "value"),
    "multioutput": ("sequence", "set of values"),
    "tagging": ("sequence", "sequence of tags"),
    "profile": ("sequence", "sequence of values"),
    "pair": ("pair", "label"),
    "span": ("question", "answer"),
    "sequence": ("sequence", "target"),
}
"""By problem, what records share, and what they then should share."""


@dataclass(frozen=True)
class Contradictions:
    """Records of the same content: how many there are, and whether their targets agree.

    Parameters
    ----------
    content, target
        Names for what records share and for what they should share then, as in ``pair`` and ``label``.
    sequences
        Number of distinct sequences, or pairs, that have more than one target.
    records
        Number of records that have one of these sequences.
    across_splits
        Number of these sequences whose records are in more than one split.
    reachable
        By metric, the best value over all records that a function of the sequence can have: accuracy (of tags for
        tagging; the share of the learned answers for span), or for regression mse and pearsonr. NaN where undefined.
    right, of
        Number of labels, tags or answers that such a function gives right at most, and number of all; 0 for regression.
    examples
        For up to `EXAMPLES` of the sequences, the ids of two records that contradict each other.
    agreeing, agreeing_records
        Number of distinct sequences that several records have with the same target, and number of these records.
    """

    content: str
    target: str
    sequences: int
    records: int
    across_splits: int
    reachable: dict[str, float]
    right: int
    of: int
    examples: tuple[tuple[str, str], ...]
    agreeing: int
    agreeing_records: int

    def lines(self) -> list[str]:
        """A sentence on the contradictions, if there are any."""
        if not self.sequences:
            return []
        first = ", ".join(" ≠ ".join(ids) for ids in self.examples)
        have = f"{self.content} has" if self.sequences == 1 else f"{self.content}s have"
        return [
            f"{self.sequences:,} {have} more than one {self.target} ({self.records:,} records; first: {first}): "
            f"no function of the {self.content} {self._limit()}"
        ]

    def _limit(self) -> str:
        if not self.of:
            mse, correlation = (number(self.reachable[name]) for name in ("mse", "pearsonr"))
            return f"reaches an MSE below {mse}, or a Pearson correlation above {correlation}"
        what = {"sequence of tags": "tags", "answer": "answers"}.get(self.target, "records")
        return f"is right on more than {self.right:,} of {self.of:,} {what} (accuracy {number(self.right / self.of)})"

    def duplicate_lines(self) -> list[str]:
        """A sentence on the duplicates whose targets agree, if there are any."""
        if not self.agreeing:
            return []
        occur = f"{self.content} occurs" if self.agreeing == 1 else f"{self.content}s occur"
        records = f"({self.agreeing_records:,} records)"
        return [f"{self.agreeing:,} {occur} several times with the same {self.target} {records}"]

    def as_dict(self) -> dict[str, Any]:
        """The contradictions for ``result.json``."""
        return {
            "sequences": self.sequences,
            "records": self.records,
            "across_splits": self.across_splits,
            "reachable": self.reachable,
            "examples": [list(ids) for ids in self.examples],
        }

    def duplicates_as_dict(self) -> dict[str, int]:
        """The duplicates whose targets agree for ``result.json``."""
        return {"sequences": self.agreeing, "records": self.agreeing_records}


def contents(symbols: Ragged, symbols_b: Ragged | None = None) -> NDArray[np.int64]:
    """Shape (n,): a number, 0 or more, for what each record holds; the same one for the same sequence, or pair.

    Parameters
    ----------
    symbols, symbols_b
        The sequences of n records; `symbols_b` None where a record is one sequence.
    """
    numbers: dict[Any, int] = {}
    held = (row.tobytes() for row in symbols)
    pairs = held if symbols_b is None else zip(held, (row.tobytes() for row in symbols_b), strict=True)
    return np.fromiter((numbers.setdefault(content, len(numbers)) for content in pairs), np.int64, len(symbols))


def contradictions(examples: Examples) -> Contradictions:
    """Find records of the same sequence (or pair, in this order), within and across splits, and compare their targets.

    Parameters
    ----------
    examples
        All records, with labels. For tagging, positions that are not scored contradict nothing; values of regression
        differ if they do by more than `ROUNDING`.
    """
    values, labels = examples.problem in OF_VALUES, _numbered_labels(examples)
    sequences = records = across = agreeing = agreeing_records = lost = 0
    squares = 0.0
    pairs: list[tuple[str, str]] = []
    for rows in _repeated(contents(examples.symbols, examples.symbols_b)):
        targets = _targets(examples, labels, rows)
        if values:
            squares += float(np.square(targets - targets.mean()).sum())
        else:
            lost += _lost(targets)
        conflict = _conflict(targets, values)
        if conflict is None:
            agreeing, agreeing_records = agreeing + 1, agreeing_records + len(rows)
            continue
        sequences, records = sequences + 1, records + len(rows)
        across += len(np.unique(examples.split[rows])) > 1
        if len(pairs) < EXAMPLES:
            first, second = conflict
            pairs.append((examples.ids[rows[first]], examples.ids[rows[second]]))
    of = 0 if values else int((labels >= 0).sum())
    reachable = _reachable_values(labels, squares) if values else {"accuracy": (of - lost) / of if of else np.nan}
    content, target = NAMES[examples.problem]
    content = "pair" if values and examples.symbols_b is not None else content
    return Contradictions(
        content, target, sequences, records, across, reachable, of - lost, of, tuple(pairs), agreeing, agreeing_records
    )


def _numbered_labels(examples: Examples) -> NDArray[Any]:
    """Shape (n,), or for tagging (total symbols,): values, or numbers of labels, below 0 where nothing is scored."""
    if examples.outputs is not None:
        return contents(examples.outputs.targets())
    if examples.labels is None:
        raise ValueError("records without labels")
    if examples.problem in ("span", "multilabel"):
        return np.unique(examples.labels, axis=0, return_inverse=True)[1].reshape(-1)
    return examples.labels.astype(np.float64) if examples.problem in OF_VALUES else examples.labels


def _targets(examples: Examples, labels: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Shape (rows, s): what `rows`, which are of one content, have as targets; s is 1 except for tagging."""
    if examples.problem == "multioutput":
        return labels[rows]
    if examples.problem not in PER_SYMBOL:
        return labels[rows][:, None]
    offsets = examples.symbols.offsets
    return np.stack([labels[offsets[row] : offsets[row + 1]] for row in rows])


def _repeated(numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows of each number that occurs more than once, in the order of their first rows."""
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers))
    return (rows for rows in np.split(order, ends[:-1]) if len(rows) > 1)


def _conflict(targets: NDArray[Any], regression: bool) -> tuple[int, int] | None:
    """The places of two of the rows of `targets`, shape (r, s), that contradict each other; None if there are none."""
    for first in range(len(targets)):
        one, rest = targets[first], targets[first + 1 :]
        if regression:
            differ = ~np.isclose(rest, one, rtol=ROUNDING, atol=0).all(axis=1)
        else:
            differ = ((rest != one) & (rest >= 0) & (one >= 0)).any(axis=1)
        if differ.any():
            return first, first + 1 + int(differ.argmax())
        if regression or (one >= 0).all():
            return None  # the others agree with it, and so with each other
    return None


def _lost(targets: NDArray[np.int64]) -> int:
    """How many of the scored entries of `targets`, shape (r, s), are not the most frequent one of their column."""
    mixed = targets[:, (targets != targets[0]).any(axis=0)]
    scored = mixed >= 0
    kinds = int(mixed.max(initial=0)) + 1
    codes = (np.arange(mixed.shape[1]) * kinds + mixed)[scored]
    counts = np.bincount(codes, minlength=mixed.shape[1] * kinds).reshape(-1, kinds)  # by column and target
    return int((counts.sum(axis=1) - counts.max(axis=1)).sum())


def _reachable_values(values: NDArray[np.float64], squares: float) -> dict[str, float]:
    """What the mean value of each distinct sequence reaches; `squares` are its squared errors, summed."""
    total = float(np.square(values - values.mean()).sum())
    correlation = float(np.sqrt(max(0.0, 1 - squares / total))) if total else np.nan
    return {"mse": squares / len(values), "pearsonr": correlation}
