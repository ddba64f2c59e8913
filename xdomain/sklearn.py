"""A sequence classifier for scikit-learn: for pipelines, ``cross_val_score`` and grid searches."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from xdomain.core.errors import DataError
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log
from xdomain.inference.trained_model import Model
from xdomain.runs.pipeline import run
from xdomain.runs.result import Result


class XDomainClassifier(ClassifierMixin, BaseEstimator):
    """Fine-tune a text-pretrained BERT on sequences, as a scikit-learn estimator.

    Parameters
    ----------
    domain
        What the sequences are: dna, protein, speech, music, text, tokens or synthetic.
    backbone, init, tune, mapping, mapping_seed, seed, baseline, overrides, minutes
        As for `xdomain.run`.
    valid
        Share of the records given to `fit`, in (0, 1), that are held out to choose the best step; at least as many
        records as there are classes.
    out
        The run folder, replaced by each `fit`. None: a temporary one, deleted together with the estimator.

    Attributes
    ----------
    classes_
        Shape (k,): the labels, sorted.
    result_
        The run. Its test metrics are on the held-out records, which also chose the step: they are too optimistic.
    """

    def __init__(
        self,
        domain: str = "dna",
        *,
        backbone: str | None = None,
        init: str | None = None,
        tune: str | None = None,
        mapping: str | None = None,
        mapping_seed: int = 0,
        seed: int = 0,
        baseline: str | None = None,
        overrides: Overrides = (),
        minutes: float | None = None,
        valid: float = 0.1,
        out: str | Path | None = None,
    ) -> None:
        self.domain = domain
        self.backbone = backbone
        self.init = init
        self.tune = tune
        self.mapping = mapping
        self.mapping_seed = mapping_seed
        self.seed = seed
        self.baseline = baseline
        self.overrides = overrides
        self.minutes = minutes
        self.valid = valid
        self.out = out

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> XDomainClassifier:  # noqa: N803
        """Fine-tune on sequences.

        Parameters
        ----------
        X
            Shape (n,): strings.
        y
            Shape (n,): one label per sequence, of two or more classes.

        Raises
        ------
        UserError
            The records cannot be learned from. The message says how to fix it.
        """
        sequences, labels = _strings(X), np.asarray(y)
        check_classification_targets(labels)
        if len(sequences) != len(labels):
            raise DataError(f"{len(sequences):,} sequences and {len(labels):,} labels", expected="a label a sequence")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"one class, {self.classes_[0]!r}", expected="two or more")
        share = max(self.valid, len(self.classes_) / len(labels))
        splitter = StratifiedShuffleSplit(1, test_size=share, random_state=self.seed)
        _, held = next(splitter.split(np.zeros(len(codes)), codes))
        split = np.where(np.isin(np.arange(len(codes)), held), "valid", "train")
        table = pa.table(
            {  # a run needs test records: use the held-out ones, as the caller has a test set of their own
                "sequence": [*sequences, *(sequences[i] for i in held)],
                "label": [f"c{code:06d}" for code in (*codes, *codes[held])],
                "split": [*split.tolist(), *["test"] * len(held)],
            }
        )
        with _quiet_about_held_out():
            self.result_ = run(
                data=table, domain=self.domain, columns={"split": "split"}, problem="classification",
                backbone=self.backbone, init=self.init, tune=self.tune, mapping=self.mapping,
                mapping_seed=self.mapping_seed, seed=self.seed, baseline=self.baseline, overrides=self.overrides,
                minutes=self.minutes, out=self._folder(), overwrite=True,
            )  # fmt: skip
        self._model = self.result_.model()
        return self

    def predict(self, X: Sequence[str]) -> NDArray[Any]:  # noqa: N803
        """Predict the label of each of the n sequences of `X`, shape (n,)."""
        chances = self.predict_proba(X)
        return self.classes_[chances.argmax(1)]

    def predict_proba(self, X: Sequence[str]) -> NDArray[np.float64]:  # noqa: N803
        """Predict the probability of each class for the n sequences of `X`: shape (n, k), columns as in `classes_`."""
        check_is_fitted(self, "result_")
        return self._trained().predict_proba(_strings(X))

    def _folder(self) -> Path:
        if self.out is not None:
            return Path(self.out)
        folder = tempfile.mkdtemp(prefix="xdomain-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder) / "run"

    def _trained(self) -> Model:
        result: Result = self.result_
        if "_model" not in vars(self):
            self._model = result.model()
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the model, which is read again from the run folder."""
        state: dict[str, Any] = super().__getstate__()  # pyright: ignore[reportAssignmentType]
        return {name: value for name, value in state.items() if name != "_model"}

    def __sklearn_tags__(self) -> Any:
        """Declare to scikit-learn that records are strings."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


@contextmanager
def _quiet_about_held_out() -> Generator[None]:
    """Do not warn that records of valid are those of test, as they are here on purpose."""

    def others(record: logging.LogRecord) -> bool:
        return "in both valid and test" not in record.getMessage()

    log.addFilter(others)
    try:
        yield
    finally:
        log.removeFilter(others)


def _strings(given: Any) -> list[str]:
    values = given.to_numpy() if hasattr(given, "to_numpy") else given
    array: NDArray[Any] = np.asarray(values, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not all(isinstance(one, str) for one in array):
        raise DataError(f"records of shape {array.shape}", expected="strings, shape (n,)")
    return array.tolist()
