"""How much a record of each class counts, so that all classes count alike however many records they have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.data.known_labels import IGNORED


def class_weights(labels: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    """Weigh each class by the inverse of its frequency; the mean over `labels` is 1 (scikit-learn's ``balanced``).

    Parameters
    ----------
    labels
        Class indices of the training records, or of their tags; those that are `IGNORED` do not count.
    n_classes
        How many classes there are.

    Returns
    -------
    ndarray
        Shape (n_classes,): n / (k * n of the class) for k classes that occur; 0 for one that does not.
    """
    counts = np.bincount(labels[labels != IGNORED].astype(np.int64), minlength=n_classes)
    weights = np.zeros(n_classes)
    there = counts > 0
    weights[there] = counts.sum() / (there.sum() * counts[there])
    return weights


def label_weights(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Weigh, for each label by itself, having it and not having it by the inverse of their frequencies.

    Parameters
    ----------
    labels
        Shape (n, k): 1, 0 or `IGNORED`, of the training records.

    Returns
    -------
    ndarray
        Shape (2, k): of not having, and of having each label; scikit-learn's ``balanced`` for one label against the
        rest.
    """
    return np.stack([class_weights(one, 2) for one in labels.T], axis=1)


def balancing_weights(labels: NDArray[Any], problem: Problem, n_classes: int) -> NDArray[np.float32]:
    """The weights for `xdomain.training.losses.summed_loss`, from the training `labels` of a `problem`; see there.

    `n_classes` is as for `class_weights`.
    """
    weights = label_weights(labels) if problem == "multilabel" else class_weights(labels, n_classes)
    return weights.astype(np.float32)


def draw_chances(labels: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
    """Shape (n,): the probability of each of n records to be drawn, so that every class is drawn equally often.

    `labels` and `n_classes` are as for `class_weights`, with a label for each record.
    """
    weights = class_weights(labels, n_classes)[labels]
    return weights / weights.sum()
