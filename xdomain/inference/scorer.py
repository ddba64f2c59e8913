"""One number for each sequence by a finished run: the log-odds of one class, or the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.adapter_protocols import HasSpans
from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.plugins import uses_tokenizer
from xdomain.core.run_dir import FAMILIAR
from xdomain.core.sequences import Adapter
from xdomain.data.familiar import Familiar
from xdomain.data.in_memory import table_of_sequences
from xdomain.data.rows import short
from xdomain.inference.predictor import Predictor, load_predictor
from xdomain.metrics.log_odds import log_odds
from xdomain.metrics.metrics import probabilities

SHOWN = 8  # classes that a message names


@dataclass(frozen=True)
class Scorer:
    """A trained model, and the class that it is asked about.

    Parameters
    ----------
    predictor
        The model, of one run or several.
    kind
        The number of the class; None for regression.
    folder
        The first run.
    """

    predictor: Predictor
    kind: int | None
    folder: Path

    @property
    def name(self) -> str | None:
        """The name of the class; None for regression."""
        return None if self.kind is None else self.predictor.classes[self.kind]

    @property
    def what(self) -> str:
        """What the number is, for messages."""
        return "the value" if self.kind is None else f"the log-odds of class {self.name!r}"

    @property
    def shown_as(self) -> str:
        """What `shown` gives, for messages."""
        return "the value" if self.kind is None else f"the probability of class {self.name!r}"

    def scores(
        self,
        sequences: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        several: bool = False,
        first: bool = True,
    ) -> NDArray[np.float64]:
        """Score sequences.

        Parameters
        ----------
        sequences
            n of them, as in the training data.
        ids
            Of each, for messages; None: numbers from 1.
        several, first
            As for `xdomain.inference.predictor.Predictor.answers`.

        Returns
        -------
        numpy.ndarray
            Logits, shape (n, k), or values, shape (n,).
        """
        table = table_of_sequences(sequences, paired=False)
        if ids is not None:
            table = table.set_column(0, "id", pa.array(ids, pa.string()))
        return self.predictor.scores(table, several=several, first=first)

    def level(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (n,): log p / (1 - p) of the class, in nats, from `scores`; or the values as they are."""
        return scores if self.kind is None else log_odds(scores, self.kind)

    def shown(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (n,): the probability of the class from `scores`; or the values as they are."""
        return scores if self.kind is None else probabilities(scores)[:, self.kind]

    def usual_length(self) -> int:
        """The median length of the training records, in letters.

        Raises
        ------
        RecipeError
            The run does not know it.
        """
        path = self.folder / FAMILIAR
        median = Familiar.load(path).median if path.is_file() else None
        letters = None if median is None else letters_of(self.predictor.adapter, round(median))
        if letters is None:
            raise RecipeError(
                f"how long is a window? {self.folder} does not tell the length of its training records in letters",
                expected="the length of a window",
                fix="--window 200",
            )
        return letters


def load_scorer(*folders: str | Path, of: str | None = None, reverse_complement: bool = False) -> Scorer:
    """Read the models of finished runs that give one number for a sequence.

    Parameters
    ----------
    folders
        Run folders; several are averaged.
    of
        The name of a class. None: of two classes the positive one, which is the second.
    reverse_complement
        Whether to average both strands.

    Raises
    ------
    RecipeError
        The runs are not for classification or regression of single sequences, or have no such class.
    BackboneError
        A folder holds no finished run.
    """
    predictor = load_predictor(*folders, reverse_complement=reverse_complement)
    return scorer_of(predictor, Path(folders[0]), of=of)


def scorer_of(predictor: Predictor, folder: Path, *, of: str | None = None) -> Scorer:
    """Make a scorer of a model that was read already.

    Parameters
    ----------
    predictor
        The model.
    folder
        Its first run.
    of
        As for `load_scorer`.

    Raises
    ------
    RecipeError
        As for `load_scorer`.
    """
    problem, classes = predictor.recipe.problem, predictor.classes
    if problem not in ("classification", "regression") or predictor.paired:
        kind = f"{problem} of pairs" if problem == "regression" else problem
        raise RecipeError(
            f"one number for a sequence by a run for {kind}", expected="a run for classification or regression of "
            "single sequences",
        )  # fmt: skip
    if problem == "regression":
        if of is not None:
            raise RecipeError(f"class {of!r} of a run for regression", expected="no class: its value is the number")
        return Scorer(predictor, None, folder)
    if of is None and len(classes) != 2:
        shown = ", ".join(classes[:SHOWN]) + (" …" if classes[SHOWN:] else "")
        raise RecipeError(
            f"which of {len(classes)} classes?", expected=f"one of {shown}", fix=f"--class {classes[0]}"
        )  # fmt: skip
    if of is not None and of not in classes:
        raise unknown("class", of, classes)
    return Scorer(predictor, 1 if of is None else classes.index(of), folder)


def check_letters(adapter: Adapter, what: str) -> None:
    """Refuse an `adapter` that reads no letters, for `what` counts in them.

    Raises
    ------
    RecipeError
        Its domain is prose, sound or music.
    """
    symbols = adapter.alphabet.symbols[:4]
    if uses_tokenizer(adapter.name) or not all(map(str.isalpha, symbols)):
        raise RecipeError(
            f"{what} of {adapter.name}, whose symbols {short(' '.join(symbols))} are no letters",
            expected="DNA or proteins",
        )


def letters_of(adapter: Adapter, symbols: int) -> int | None:
    """How many letters `symbols` symbols of `adapter` stand for; None where that depends on the letters."""
    text = adapter.decode(np.zeros(symbols, np.int64))
    try:
        located = isinstance(adapter, HasSpans) and len(adapter.spans([text])) == symbols
    except (DataError, RecipeError):
        return None
    return len(text) if located else None
