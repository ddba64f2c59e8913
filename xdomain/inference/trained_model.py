"""The model of a finished run in Python: predictions for sequences in memory, with scikit-learn's method names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import Pooling
from xdomain.core.errors import RecipeError
from xdomain.core.formatting import as_frame
from xdomain.core.overrides import Overrides
from xdomain.core.recipe_sections import columns_of
from xdomain.core.sequences import object_array
from xdomain.data.records import records_in_memory
from xdomain.inference.hub_run import local_run
from xdomain.inference.predictor import Predictor, load_predictor
from xdomain.inference.scorer import scorer_of
from xdomain.inference.variants.api import VariantFile, tables_by
from xdomain.metrics.scoring import chances_of

if TYPE_CHECKING:  # a simple baseline does not need torch
    from xdomain.inference.embedding.encoder import Attention, Encoder

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Model:
    """The trained model of a run, ready to predict.

    Parameters
    ----------
    folder
        The run folder; the first of several.
    classes
        Names of the classes, in the order of the columns of `predict_proba`; of the targets for multioutput; empty for
        regression, profile and span.
    """

    folder: Path
    classes: tuple[str, ...]
    _predictor: Predictor = field(repr=False)

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
            Shape (n,): names of classes; values, float64, for regression, shape (n, k) for multioutput; an object array
            of lists of labels for multilabel, of lists of tags for tagging, of lists of values for profiles, and of
            (start, end) for span, half-open, in the passage's own coordinate, or (None, None) where there is no answer.

        Raises
        ------
        DataError
            There are no sequences, they are not of the kind that the model reads, or one cannot be encoded.
        """
        answers = self._answers(sequences)
        if self._predictor.recipe.problem == "span":
            return object_array(list(zip(answers["start"].to_pylist(), answers["end"].to_pylist(), strict=True)))
        if self._predictor.recipe.problem == "multioutput":
            return np.column_stack([answers[f"prediction({name})"].to_numpy() for name in self.classes])
        predictions = answers["prediction"]
        if pa.types.is_list(predictions.type):
            return object_array(predictions.to_pylist())
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
            Shape (n, k), in the order of `classes`; rows sum to 1, except for multilabel.

        Raises
        ------
        RecipeError
            The model is not for classification, multilabel or pairs.
        """
        problem = self._predictor.recipe.problem
        if problem not in ("classification", "multilabel", "pair"):
            raise RecipeError(f"predict_proba of a model for {problem}", expected="classification, multilabel or pair")
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
            ``mean``: over the symbols of a record, special tokens left out. ``max``: the largest value of each
            dimension over the same symbols. ``cls``: the state of the first token, averaged over windows. ``none``: one
            vector per symbol.

        Returns
        -------
        numpy.ndarray
            Shape (n, width), float32; for ``none`` an object array of n matrices, shape (symbols, width).

        Raises
        ------
        RecipeError
            The model is a simple baseline, which has no embeddings, or has no such layer.
        """
        return self._encoder("embed").embed(sequences, layer=layer, pooling=pooling).vectors

    def attention(self, sequences: Sequence[str] | Sequence[Pair], *, layer: int | None = None) -> list[Attention]:
        """Compute the attention weights of each sequence, all of which must fit one window.

        Parameters
        ----------
        sequences
            As for `predict`.
        layer
            1 is the first layer, -1 the last. None: all of them.

        Returns
        -------
        list of xdomain.inference.embedding.encoder.Attention
            In the order of `sequences`: the ``weights``, shape (layers, heads, s, s), and the names of the s positions.

        Raises
        ------
        DataError
            A sequence is longer than a window.
        RecipeError
            The model is a simple baseline, or has no such layer.
        """
        return self._encoder("attention").attention(sequences, layer=layer)

    def score_variants(
        self,
        file: str | Path,
        *,
        genome: str | Path | None = None,
        sequences: str | Path | None = None,
        columns: Mapping[str, str] | None = None,
        mutation: str | None = None,
        window: int | None = None,
        of: str | None = None,
    ) -> Any:
        """Score variants: the answer for the changed sequence minus that for the sequence as it is.

        Parameters
        ----------
        file, genome, sequences, mutation, window, of
            As for `xdomain.score_variants`.
        columns
            Of a table of mutations: ``{"sequence": NAME, "id": NAME}``; what is left out is known by its name.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            The columns of `xdomain.score_variants`. A DataFrame if pandas is installed.

        Raises
        ------
        UserError
            The model is not for classification or regression of single sequences, or `file` cannot be read.
        """
        given = VariantFile(
            Path(file),
            None if genome is None else Path(genome),
            None if sequences is None else Path(sequences),
            None if columns is None else columns_of(columns),
            mutation,
        )
        scorer = scorer_of(self._predictor, self.folder, of=of)
        return as_frame(pa.concat_tables(tables_by(scorer, given, window=window)))

    def _encoder(self, what: str) -> Encoder:
        from xdomain.inference.embedding.encoder import encoder_of  # which loads torch

        read = self._predictor
        saved, *others = read.models
        if others:
            raise RecipeError(f"{what} of {len(read.models)} runs", expected="one run")
        return encoder_of(saved, read.adapter, read.classes, read.paired, what=what)

    def _answers(self, sequences: Sequence[str] | Sequence[Pair]) -> dict[str, pa.Array]:
        return self._predictor.answers(self._table(sequences))[1]

    def _table(self, sequences: Sequence[str] | Sequence[Pair]) -> pa.Table:
        return records_in_memory(sequences, self._predictor.adapter, paired=self._predictor.paired)


def load(
    run_dir: str | Path,
    *others: str | Path,
    reverse_complement: bool = False,
    unlike: bool = False,
    overrides: Overrides = (),
) -> Model:
    """Read the trained model of a finished run, or of several as one.

    Parameters
    ----------
    run_dir
        A run folder, as `xdomain.run` or ``xdomain run`` wrote it; or ``hub:USER/NAME``, a run that `xdomain.push`
        uploaded, perhaps with ``@COMMIT``.
    others
        Further runs with the same domain, problem and classes: probabilities, or values, are averaged.
    reverse_complement
        Whether to average the answers for both strands of each DNA sequence; for classification and regression.
    unlike
        Whether `Model.predict_table` tells records that are unlike the training data.
    overrides
        Changes to how records are read, such as ``adapter.options.unknown=count``; the symbols of the model stay.

    Raises
    ------
    BackboneError
        A folder holds no finished run.
    RecipeError
        The runs cannot be averaged, or have no other strand.
    """
    folder = local_run(run_dir)
    predictor = load_predictor(
        folder, *others, reverse_complement=reverse_complement, unlike=unlike, overrides=overrides
    )
    return Model(folder, predictor.classes, predictor)
