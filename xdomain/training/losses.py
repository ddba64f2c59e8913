"""The loss of each kind of problem, as a sum over labels, and the number of labels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from xdomain.core.choices import OF_VALUES
from xdomain.data.known_labels import IGNORED
from xdomain.metrics.spans import candidates_only


def summed_loss(problem: str, logits: Tensor, batch: Mapping[str, Tensor], weights: Tensor | None = None) -> Tensor:
    """Sum the loss of a batch over its labels.

    Divided by the number of labels (see `count_labels`) it is the mean loss. Where a batch is worked off in parts, or
    by several processes, divide each sum by the number of labels of the whole batch: the results add up to the loss of
    the whole.

    Parameters
    ----------
    problem
        Any.
    logits
        Float32, as `xdomain.training.predict.forward` gives them: (b, k), (w, s, k) for tagging, (w, s, 1) for a
        profile, (w, s, 2) for span.
    batch
        What a `Collator` makes, with ``labels``: (b,) for regression and (b, k) for multioutput, standardised; (b, k),
        1 or 0, for multilabel; (w, s) for tagging and, standardised, for a profile; (w, 2) for span, the first and last
        position of the answer, both 0 where a window holds none of it. For span also ``owned``, (w, s), bool: the
        positions that hold a symbol of the passage, where an answer may begin and end. If there are ``weights``, of
        shape (b,) or, with labels for each window, (w,), the losses of a record, or window, are multiplied by its own.
    weights
        Shape (k,): how much a label of each class counts, 1 on average over the training labels; None: all count 1. The
        mean loss is then that of `xdomain.data.class_weights.class_weights` in scikit-learn's sense: the sum is divided
        by the number of labels, not by the sum of the weights of the batch. For multilabel shape (2, k): how much it
        counts that a record has not, or has, each label.

    Returns
    -------
    Tensor
        A scalar: squared errors for regression and profiles, else cross-entropies in nats, for multilabel of each label
        by itself. Labels that are `IGNORED` add nothing. For span, each window has two labels, the first and the last
        position of an answer, of which both count or neither: the mean over labels is half the sum of the two means
        over windows.
    """
    labels, share = batch["labels"], batch.get("weights")
    if problem in OF_VALUES:
        values = logits if problem == "multioutput" else logits.squeeze(-1)
        each = (values - labels).square() * (labels != IGNORED)
    elif problem == "multilabel":
        wanted = labels.clamp(min=0)
        each = nn.functional.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype), reduction="none")
        if weights is not None:
            each = each * torch.where(wanted == 1, weights[1], weights[0])
        each = each * (labels != IGNORED)
    else:
        if problem == "span":
            logits = candidates_only(logits, batch["owned"]).transpose(1, 2)
        each = nn.functional.cross_entropy(
            logits.flatten(0, -2), labels.flatten(), weights, ignore_index=IGNORED,
            reduction="sum" if share is None else "none",
        )  # fmt: skip
    if share is None:
        return each.sum()
    return (each.view(len(share), -1) * share[:, None]).sum()


def count_labels(batch: Mapping[str, Tensor]) -> Tensor:
    """Count the labels of `batch` that are not `IGNORED`: a scalar, int64, on the device of the batch."""
    return (batch["labels"] != IGNORED).sum()
