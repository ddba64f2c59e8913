"""Motifs: where some symbols in a row lie, what a recipe knows of such places, how much a position tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.result import one_task
from xdomain.core.errors import RecipeError, UserError, nearest
from xdomain.core.plugins import find_recipe
from xdomain.core.recipe import Landmark
from xdomain.core.sequences import Adapter, Ids

Places = NDArray[np.int64]

LETTERS = {"dna": "ACGT", "protein": "ACDEFGHIKLMNPQRSTVWY"}
"""The ordinary symbols of a domain: those that stand for one thing."""
CODES = {
    "dna": {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT",
            "V": "ACG", "N": "ACGT", "U": "T"},
    "protein": {"B": "DN", "J": "IL", "Z": "EQ", "X": LETTERS["protein"]},
}  # fmt: skip
"""What each ambiguity code stands for: NC-IUB 1984, doi 10.1093/nar/13.9.3021; IUPAC-IUB 1984."""


@dataclass(frozen=True)
class Motif:
    """Some symbols in a row.

    Parameters
    ----------
    text
        As it was written.
    fits
        Shape (m, alphabet): whether a symbol may stand at each of the m places.
    """

    text: str
    fits: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.fits)

    def starts(self, symbols: Ids) -> Places:
        """Where in a sequence the motif begins, occurrences that overlap included."""
        room = len(symbols) - len(self) + 1
        if room < 1:
            return np.empty(0, np.int64)
        here = np.ones(room, bool)
        for place, fits in enumerate(self.fits):
            here &= fits[symbols[place : place + room]]
        return np.flatnonzero(here)

    def covered(self, symbols: Ids) -> NDArray[np.bool_]:
        """Shape of `symbols`: the positions that lie in any occurrence."""
        inside = np.zeros(len(symbols), bool)
        for start in self.starts(symbols):
            inside[start : start + len(self)] = True
        return inside


def parse_motif(text: str, adapter: Adapter) -> Motif:
    """A motif as written: letters in a row, or symbols with spaces between.

    An ambiguity code fits every symbol that stands for nothing beyond what the code does: N fits A, and N itself; A
    does not fit N.

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
    """Whether a position of a sequence is a letter of its text: not so for k-mers, pieces and units."""
    return all(len(symbol) == 1 for symbol in adapter.alphabet.symbols)


def ordinary(adapter: Adapter) -> Places:
    """Ids of the symbols that stand for one thing: A C G T, the 20 residues; elsewhere all but the unknown."""
    symbols = adapter.alphabet.symbols
    letters = [i for i, symbol in enumerate(symbols) if symbol in {*LETTERS.get(adapter.name, "")}]
    return np.array(letters or [i for i, symbol in enumerate(symbols) if symbol != adapter.alphabet.unknown])


def not_comparable(runs: Sequence[OpenedRun]) -> str | None:
    """Why runs cannot be laid position by position: see `one_task`; or they cut sequences in different symbols."""
    if any(run.adapter.alphabet != runs[0].adapter.alphabet for run in runs):
        return "the runs read their sequences as different symbols"
    return one_task(runs)


def landmarks_of(run: OpenedRun) -> list[Landmark]:
    """What the run's recipe knows of fixed places; of a run that is older, what the shipped recipe knows by now.

    Only where a symbol is a letter: landmarks are counted in letters.
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
    """Those of whole classes of records, or of all: a tag is a position's, not a record's."""
    classes = run.examples.classes if _classed(run) else ()
    return [mark for mark in landmarks_of(run) if mark.label is None or mark.label in classes]


def landmarks_in(run: OpenedRun, record: int) -> list[Landmark]:
    """The landmarks that a record has: those of its class, and of all classes."""
    length, label = len(run.examples.symbols[record]), class_of(run, record)
    return [mark for mark in landmarks_of(run) if mark.label in (None, label) and mark.at + len(mark.symbols) <= length]


def positions_of(mark: Landmark) -> Places:
    """Shape (m,): the positions of a landmark, from 0."""
    return mark.at + np.arange(len(mark.symbols))


def class_of(run: OpenedRun, record: int) -> str | None:
    """The class that a record truly has; None where records have no classes of their own."""
    labels = run.examples.labels
    if labels is None or not _classed(run):
        return None
    return run.examples.classes[int(labels[record])]


def of_class(run: OpenedRun, split: str, label: str | None) -> Places:
    """The records of a split that have a class; None: all."""
    records, labels = run.examples.indices(split), run.examples.labels
    if label is None:
        return records
    if labels is None or not _classed(run):
        return records[:0]
    return records[labels[records] == run.examples.classes.index(label)]


def _classed(run: OpenedRun) -> bool:
    return run.recipe.problem in ("classification", "pair")


def share_of(sizes: NDArray[np.float64], mark: Landmark) -> tuple[float, float]:
    """Which share of the total a landmark's positions hold, and which share of the positions they are."""
    inside = positions_of(mark)
    return float(sizes[inside].sum() / max(sizes.sum(), np.finfo(float).tiny)), len(inside) / len(sizes)


def information(symbols: NDArray[np.int64], letters: Places) -> NDArray[np.float64]:
    """How far each position is from any letter being as likely as another.

    Parameters
    ----------
    symbols
        Shape (n, length): n sequences of one length; symbols that are none of `letters` are not counted.
    letters
        Shape (k,): ids.

    Returns
    -------
    ndarray
        Shape (length,): log2 k minus the entropy in bits, minus (k - 1) / (2 n ln 2), what a sample of n has too
        little entropy on average (Schneider et al. 1986, doi 10.1016/0022-2836(86)90165-8); never below 0. 0 for a
        position without any of `letters`.
    """
    counts = np.stack([(symbols == letter).sum(0) for letter in letters], axis=1).astype(np.float64)
    total = counts.sum(1)
    share = counts / np.maximum(total, 1)[:, None]
    entropy = -(share * np.log2(np.where(share > 0, share, 1))).sum(1)
    few = (len(letters) - 1) / (2 * np.log(2) * np.maximum(total, 1))
    return np.where(total > 0, np.maximum(np.log2(len(letters)) - entropy - few, 0), 0)
