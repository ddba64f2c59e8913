"""Integrated gradients of an answer with respect to the embedding rows of its positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.motifs import ordinary
from xdomain.core.errors import MissingError
from xdomain.training.predict import inputs_of

STEPS = (8, 16, 32, 64, 128, 256)  # points of Gauss-Legendre quadrature along the path, tried in turn
CLOSE = 0.02  # relative error at which the steps suffice
TRIED = 8  # records on which the number of steps is chosen
AT_ONCE = 2**11  # positions in one pass, all steps together
MEND = "pip install 'xdomain[analysis]'"
BASELINE = "the mean row of the ordinary symbols at every symbol"


@dataclass(frozen=True)
class Attributed:
    """The attributions of an output to the positions of n records of one length.

    Parameters
    ----------
    label
        The label of the run.
    values
        Shape (n, length), in units of the output.
    errors
        Shape (n,): the sum of a record's values minus its difference, which is 0 for exact integration.
    differences
        Shape (n,): the output for the record minus the output for the baseline.
    steps
        Points of the path at which gradients were taken.
    """

    label: str
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    differences: NDArray[np.float64]
    steps: int

    @property
    def absolute_error(self) -> float:
        """The mean absolute error over the records, in units of the output."""
        return float(np.abs(self.errors).mean())

    @property
    def relative_error(self) -> float:
        """The mean absolute error divided by the mean absolute difference."""
        return float(np.abs(self.errors).mean() / max(np.abs(self.differences).mean(), np.finfo(float).tiny))


def attribute(run: OpenedRun, records: NDArray[np.int64]) -> Attributed:
    """Attribute the answers of a run to the positions of its records.

    The output is the logit of the true class, or the value. The baseline has the mean row of the ordinary symbols at
    every symbol: it carries no information, yet lies near the rows that the model knows. Special tokens are the same
    in the baseline, so that all attribution falls on symbols.

    Parameters
    ----------
    run
        A run of classification or regression.
    records
        Shape (n,): places in ``run.examples``. Their first windows must have one length; further windows are not
        read.

    Raises
    ------
    MissingError
        captum is not installed.
    """
    tried = _attribute(run, records[:TRIED], STEPS[0])
    for steps in STEPS[1:]:
        if tried.relative_error <= CLOSE:
            break
        tried = _attribute(run, records[:TRIED], steps)
    return tried if len(records) <= TRIED else _attribute(run, records, tried.steps)


def _attribute(run: OpenedRun, records: NDArray[np.int64], steps: int) -> Attributed:
    plan = run.collate.windows
    length = int(plan.stop[plan.offsets[records[0]]])
    size = max(1, AT_ONCE // (steps * (length + 2)))
    rows = torch.from_numpy(run.saved.mapping.ids.astype(np.int64)[ordinary(run.adapter)])
    table: Any = run.model.get_input_embeddings()
    empty = table.weight[rows].mean(0)
    classes = run.recipe.problem == "classification"
    values: list[Tensor] = []
    errors: list[Tensor] = []
    differences: list[Tensor] = []
    for first in range(0, len(records), size):
        chosen = records[first : first + size].tolist()
        batch = run.collate_first(chosen)
        if run.model.config.model_type == "longformer":  # it makes this mask itself only from ids, not from rows
            batch["global_attention_mask"] = torch.zeros_like(batch["attention_mask"])
            batch["global_attention_mask"][:, 0] = 1
        symbol = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        symbol[:, run.before : run.before + length] = True
        target = batch["labels"] if classes else torch.zeros(len(chosen), dtype=torch.long)
        inner = table(batch["input_ids"])
        outer = torch.where(symbol[..., None], empty, inner)
        attributions, error, difference = integrate(run.model, batch, inner, outer, target, steps)
        values.append(attributions.sum(-1)[:, run.before : run.before + length])
        errors.append(error)
        differences.append(difference)
    whole, missed, wanted = (torch.cat(part).double().numpy() for part in (values, errors, differences))
    return Attributed(run.label, whole, missed, wanted, steps)


def integrate(
    model: PreTrainedModel, batch: dict[str, Tensor], inner: Tensor, outer: Tensor, target: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute integrated gradients of one output along the straight path from `outer` to `inner`.

    Parameters
    ----------
    model
        In evaluation mode.
    batch
        The model's inputs, each (b, s); `input_ids` are replaced by the rows.
    inner, outer
        Shape (b, s, d): the embedding rows of the records, and of the baseline.
    target
        Shape (b,): which output of each record.
    steps
        Points of the path at which the gradient is taken, 1 or more.

    Returns
    -------
    tuple
        Attributions, shape (b, s, d); their sum minus the difference of the outputs, shape (b,); and that difference,
        the output at `inner` minus the output at `outer`, shape (b,).

    Raises
    ------
    MissingError
        captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise MissingError("captum is not installed", fix=MEND) from None

    names = [name for name in inputs_of(batch) if name != "input_ids"]

    def output(rows: Tensor, *others: Tensor) -> Tensor:
        return model(inputs_embeds=rows, **dict(zip(names, others, strict=True))).logits

    given = tuple(batch[name] for name in names)
    attributions: Tensor = IntegratedGradients(output).attribute(
        inner, outer, target=target, additional_forward_args=given, n_steps=steps
    )
    with torch.no_grad():
        ends = [output(rows, *given).gather(1, target[:, None])[:, 0] for rows in (inner, outer)]
    difference = ends[0] - ends[1]
    return attributions.detach(), attributions.detach().sum((1, 2)) - difference, difference
