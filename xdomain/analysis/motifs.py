"""Motifs and landmarks: find motifs in sequences, read the landmarks of a recipe, measure information content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.result import one_task
from xdomain.core.errors import RecipeError, UserError, nearest
from xdomain.core.plugins import find_recipe
from xdomain.core.recipe_sections import Landmark
from xdomain.core.sequences import Adapter, Ids

Places = NDArray[np.int64]

LETTERS = {"dna": "ACGT", "protein": "ACDEFGHIKLMNPQRSTVWY"}
"""The ordinary symbols of a domain: those that are no ambiguity codes."""
CODES = {
    "dna": {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT",
            "V": "ACG", "N": "ACGT", "U": "T"},
    "protein": {"B": "DN", "J": "IL", "Z": "EQ", "X": LETTERS["protein"]},
}  # fmt: skip
"""What each ambiguity code stands for: NC-IUB 1984, doi 10.1093/nar/13.9.3021; IUPAC-IUB 1984."""


@dataclass(frozen=True)
class Motif:
    """A motif: a pattern of consecutive symbols.

    Parameters
    ----------
    text
        The motif as written.
    fits
        Shape (m, alphabet): whether a symbol may stand at each of the m places.
    """

    text: str
    fits: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.fits)

    def starts(self, symbols: Ids) -> Places:
        """The positions in a sequence `symbols` where the motif begins; occurrences may overlap."""
        room = len(symbols) - len(self) + 1
        if room < 1:
            return np.empty(0, np.int64)
        here = np.ones(room, bool)
        for place, fits in enumerate(self.fits):
            here &= fits[symbols[place : place + room]]
        return np.flatnonzero(here)

    def covered(self, symbols: Ids) -> NDArray[np.bool_]:
        """Whether each position of a sequence `symbols` lies in any occurrence; same shape as `symbols`."""
        inside = np.zeros(len(symbols), bool)
        for start in self.starts(symbols):
            inside[start : start + len(self)] = True
        return inside


def parse_motif(text: str, adapter: Adapter) -> Motif:
    """Parse a motif.

    An ambiguity code fits every symbol whose meanings are among the code's own: N fits A and N, but A does not fit N.

    Parameters
    ----------
    text
        Letters without spaces, or symbols with spaces between.
    adapter
        Gives the alphabet, and by its name the ambiguity codes of the domain.

    Raises
    ------
    RecipeError
        A part is neither a symbol of the alphabet nor an ambiguity code of the domain.
    """
    codes = {name: frozenset(means) for name, means in CODES.get(adapter.name, {}).items()}
    meanings = [codes.get(symbol, frozenset((symbol,))) for symbol in adapter.alphabet.symbols]
    known = {*adapter.alphabet.symbols, *(codes if one_letter_each(adapter) else ())}
    parts = text.split() if len(text.split()) > 1 or text in known else [*text.strip()]
    if one_letter_each(adapter):
        parts = [part if part in known else part.upper() for part in [*"".join(parts)]]
    unknown = next((part for part in parts if part not in known), None)
    if unknown is not None or not parts:
        raise RecipeError(
            f"motif {text!r}: {unknown!r} is no symbol of the {adapter.name} adapter" if parts else "an empty motif",
            expected="letters in a row, or symbols with spaces between",
            nearest=nearest(unknown, known) if unknown else None,
        )
    wanted = [codes.get(part, frozenset((part,))) for part in parts]
    return Motif(text, np.array([[means <= want for means in meanings] for want in wanted]))


def one_letter_each(adapter: Adapter) -> bool:
    """Whether each symbol of `adapter` is a single letter of the text; not so for k-mers, pieces and units."""
    return all(len(symbol) == 1 for symbol in adapter.alphabet.symbols)


def ordinary(adapter: Adapter) -> Places:
    """Ids of the symbols of `adapter` that are no ambiguity codes.

    They are A C G T, or the 20 residues; for other domains all symbols but the unknown one.
    """
    symbols = adapter.alphabet.symbols
    letters = [i for i, symbol in enumerate(symbols) if symbol in {*LETTERS.get(adapter.name, "")}]
    return np.array(letters or [i for i, symbol in enumerate(symbols) if symbol != adapter.alphabet.unknown])


def not_comparable(runs: Sequence[OpenedRun]) -> str | None:
    """Say why `runs` cannot be compared position by position; None if they can.

    They must have the same alphabet, task, records and splits.
    """
    if any(run.adapter.alphabet != runs[0].adapter.alphabet for run in runs):
        return "the runs read their sequences as different symbols"
    return one_task(runs)


def landmarks_of(run: OpenedRun) -> list[Landmark]:
    """The landmarks in the recipe of `run`; if it has none, those of the shipped recipe of the same name and source.

    Empty if symbols are not single letters, because landmarks are counted in letters.
    """
    if not one_letter_each(run.adapter):
        return []
    if run.recipe.landmarks:
        return run.recipe.landmarks
    try:
        shipped = find_recipe(run.recipe.name)
    except UserError:
        return []
    return shipped.landmarks if shipped.source == run.recipe.source else []


def landmarks_of_records(run: OpenedRun) -> list[Landmark]:
    """The landmarks of `run` that belong to all records or to one class of records.

    Landmarks of tags are left out, because a tag belongs to a position and not to a record.
    """
    classes = run.examples.classes if _classed(run) else ()
    return [mark for mark in landmarks_of(run) if mark.label is None or mark.label in classes]


def landmarks_in(run: OpenedRun, record: int) -> list[Landmark]:
    """The landmarks that lie within a `record` of `run` and belong to its class or to all classes."""
    length, label = len(run.examples.symbols[record]), class_of(run, record)
    return [mark for mark in landmarks_of(run) if mark.label in (None, label) and mark.at + len(mark.symbols) <= length]


def positions_of(mark: Landmark) -> Places:
    """Shape (m,): the positions of the landmark `mark`, from 0."""
    return mark.at + np.arange(len(mark.symbols))


def class_of(run: OpenedRun, record: int) -> str | None:
    """The true class of a `record` of `run`; None if records have no labels or no classes of their own."""
    labels = run.examples.labels
    if labels is None or not _classed(run):
        return None
    return run.examples.classes[int(labels[record])]


def of_class(run: OpenedRun, split: str, label: str | None) -> Places:
    """The records of a `split` of `run` whose class is `label`; None: all records of the split."""
    records, labels = run.examples.indices(split), run.examples.labels
    if label is None:
        return records
    if labels is None or not _classed(run):
        return records[:0]
    return records[labels[records] == run.examples.classes.index(label)]


def _classed(run: OpenedRun) -> bool:
    return run.recipe.problem in ("classification", "pair")


def share_of(sizes: NDArray[np.float64], mark: Landmark) -> tuple[float, float]:
    """Compare a landmark's share of some total with its share of the positions.

    Parameters
    ----------
    sizes
        Shape (length,): a non-negative value for each position.
    mark
        A landmark that lies within these positions.

    Returns
    -------
    tuple
        The share of the sum of `sizes` at the landmark's positions, and the share of the positions that they are.
    """
    inside = positions_of(mark)
    return float(sizes[inside].sum() / max(sizes.sum(), np.finfo(float).tiny)), len(inside) / len(sizes)


def information(symbols: NDArray[np.int64], letters: Places) -> NDArray[np.float64]:
    """Compute the information content of each position: how far its letters are from being equally likely.

    Parameters
    ----------
    symbols
        Shape (n, length): n sequences of one length; symbols not in `letters` are not counted.
    letters
        Shape (k,): the ids of the symbols to count.

    Returns
    -------
    ndarray
        Shape (length,): log2 k minus the entropy, in bits, minus (k - 1) / (2 n ln 2), by which a sample of n
        underestimates the entropy on average (Schneider et al. 1986, doi 10.1016/0022-2836(86)90165-8); at least 0.
        0 for a position without any of `letters`.
    """
    counts = np.stack([(symbols == letter).sum(0) for letter in letters], axis=1).astype(np.float64)
    total = counts.sum(1)
    share = counts / np.maximum(total, 1)[:, None]
    entropy = -(share * np.log2(np.where(share > 0, share, 1))).sum(1)
    few = (len(letters) - 1) / (2 * np.log(2) * np.maximum(total, 1))
    return np.where(total > 0, np.maximum(np.log2(len(letters)) - entropy - few, 0), 0)
