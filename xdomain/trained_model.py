"""The model of a finished run in Python: predictions for sequences in memory, with scikit-learn's method names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.formatting import as_frame
from xdomain.core.memory import enough_memory
from xdomain.data.media_files import transcribed
from xdomain.metrics.scoring import chances_of
from xdomain.predictor import Predictor, load_predictor, scoring_need

if TYPE_CHECKING:  # a simple baseline does not need torch
    from xdomain.training.embed import Pooling

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Model:
    """The trained model of a run, ready to predict.

    Parameters
    ----------
    folder
        The run folder; the first of several.
    classes
        Names of the classes, in the order of the columns of `predict_proba`; empty for regression and span.
    """

    folder: Path
    classes: tuple[str, ...]
    _predictor: Predictor

    def predict(self, sequences: Sequence[str] | Sequence[Pair]) -> NDArray[Any]:
        """Predict the label of each sequence.

        Parameters
        ----------
        sequences
            Records as in the training data: strings; pairs of strings for a model that reads two sequences (for span:
            question and passage).

        Returns
        -------
        numpy.ndarray
            Shape (n,): names of classes; values, float64, for regression; an object array of lists of tags for tagging,
            and of (start, end) for span, half-open, in the passage's own coordinate.

        Raises
        ------
        DataError
            There are no sequences, they are not of the kind that the model reads, or one cannot be encoded.
        """
        answers = self._answers(sequences)
        if self._predictor.recipe.problem == "span":
            return _objects(list(zip(answers["start"].to_pylist(), answers["end"].to_pylist(), strict=True)))
        predictions = answers["prediction"]
        if pa.types.is_list(predictions.type):
            return _objects(predictions.to_pylist())
        return np.asarray(predictions.to_pylist())

    def predict_proba(self, sequences: Sequence[str] | Sequence[Pair]) -> NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        sequences
            As for `predict`.

        Returns
        -------
        numpy.ndarray
            Shape (n, k), in the order of `classes`; rows sum to 1.

        Raises
        ------
        RecipeError
            The model is not for classification or pairs.
        """
        problem = self._predictor.recipe.problem
        if problem not in ("classification", "pair"):
            raise RecipeError(f"predict_proba of a model for {problem}", expected="classification or pair")
        return chances_of(pa.table(self._answers(sequences)), self.classes)

    def predict_table(self, sequences: Sequence[str] | Sequence[Pair]) -> Any:
        """Predict all that the command ``predict`` writes.

        Parameters
        ----------
        sequences
            As for `predict`.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            The columns of `xdomain.predict` without id, a row for each sequence. A DataFrame if pandas is installed.
        """
        return as_frame(pa.table(self._answers(sequences)))

    def embed(
        self, sequences: Sequence[str] | Sequence[Pair], *, layer: int = -1, pooling: Pooling = "mean"
    ) -> NDArray[Any]:
        """Compute the embedding of each sequence.

        Parameters
        ----------
        sequences
            As for `predict`.
        layer
            As in the ``hidden_states`` of `transformers`: 0 is the embedding layer, -1 the last layer.
        pooling
            ``mean``: over the symbols of a record, special tokens left out. ``cls``: the state of the first token,
            averaged over windows. ``none``: one vector per symbol.

        Returns
        -------
        numpy.ndarray
            Shape (n, width), float32; for ``none`` an object array of n matrices, shape (symbols, width).

        Raises
        ------
        RecipeError
            The model is a simple baseline, which has no embeddings, or has no such layer.
        """
        from xdomain.training.saved_encoder import SavedModel  # which loads torch

        saved = self._predictor.models[0]
        if len(self._predictor.models) > 1:
            raise RecipeError(f"embed of {len(self._predictor.models)} runs", expected="one run")
        if not isinstance(saved, SavedModel):
            raise RecipeError(f"embed of a {saved.recipe.run.baseline} baseline", expected="the run of an encoder")
        examples = self._predictor.encoded(self._table(sequences))
        with enough_memory(lambda: scoring_need(saved.recipe.train)):
            vectors = saved.embed(examples, layer=layer, pooling=pooling)
        return _objects(vectors) if pooling == "none" else np.stack(vectors)

    def _answers(self, sequences: Sequence[str] | Sequence[Pair]) -> dict[str, pa.Array]:
        return self._predictor.answers(self._table(sequences))[1]

    def _table(self, sequences: Sequence[str] | Sequence[Pair]) -> pa.Table:
        if isinstance(sequences, (str, bytes)):
            raise DataError("a single string", expected="a list of sequences", fix="model.predict([sequence])")
        records: list[Any] = list(sequences)
        if not records:
            raise DataError("no sequences", expected="one or more")
        wrong = next((i for i, one in enumerate(records) if isinstance(one, str) == self._predictor.paired), None)
        if wrong is not None:
            expected = "a pair of strings each" if self._predictor.paired else "a string each"
            raise DataError(f"record {wrong + 1}: {type(records[wrong]).__name__}", expected=expected)
        columns: dict[str, Any] = {"id": [str(i + 1) for i in range(len(records))]}
        if self._predictor.paired:
            columns |= {"sequence": [one for one, _ in records], "sequence_b": [other for _, other in records]}
        else:
            columns["sequence"] = records
        return transcribed(pa.table(columns), self._predictor.adapter, Path(), every=True)


def load(run_dir: str | Path, *others: str | Path, reverse_complement: bool = False, unlike: bool = False) -> Model:
    """Read the trained model of a finished run, or of several as one.

    Parameters
    ----------
    run_dir
        A run folder, as `xdomain.run` or ``xdomain run`` wrote it.
    others
        Further runs with the same domain, problem and classes: probabilities, or values, are averaged.
    reverse_complement
        Whether to average the answers for both strands of each DNA sequence; for classification and regression.
    unlike
        Whether `Model.predict_table` tells records that are unlike the training data.

    Raises
    ------
    BackboneError
        A folder holds no finished run.
    RecipeError
        The runs cannot be averaged, or have no other strand.
    """
    predictor = load_predictor(run_dir, *others, reverse_complement=reverse_complement, unlike=unlike)
    return Model(Path(run_dir), predictor.classes, predictor)


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    """Shape (n,): each value as one object, even if all are lists of the same length."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
