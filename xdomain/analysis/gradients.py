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

STEPS = (8, 16, 32, 64, 128, 256)  # along the path, by Gauss and Legendre
CLOSE = 0.02  # relative error at which there are enough of them
TRIED = 8  # records that this is found on
AT_ONCE = 2**11  # positions in one pass
MEND = "pip install 'xdomain[analysis]'"
BASELINE = "the mean row of the ordinary symbols at every symbol"


@dataclass(frozen=True)
class Attributed:
    """What the positions of n records of one length add to an output.

    Parameters
    ----------
    values
        Shape (n, length), in units of the output.
    errors, differences
        Shape (n,): by how much the values of a record miss what they should sum to, and that: the output for the
        record minus the output for the baseline.
    """

    label: str
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    differences: NDArray[np.float64]
    steps: int

    @property
    def absolute_error(self) -> float:
        """Mean over the records."""
        return float(np.abs(self.errors).mean())

    @property
    def relative_error(self) -> float:
        """Mean absolute error over the mean absolute difference."""
        return float(np.abs(self.errors).mean() / max(np.abs(self.differences).mean(), np.finfo(float).tiny))


def attribute(run: OpenedRun, records: NDArray[np.int64]) -> Attributed:
    """Attributions to the positions of records of one length, of their first windows where they have several.

    The output is the logit of the true class, or the value. The path starts where every symbol has the mean row of
    the ordinary symbols: it says nothing, and is as near to what the model knows as any symbol; special tokens stay as
    they are, so that all attribution falls on symbols.
    """
    steps = STEPS[0]
    for steps in STEPS:
        tried = _attribute(run, records[:TRIED], steps)
        if tried.relative_error <= CLOSE:
            break
    return _attribute(run, records, steps)


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
        if run.model.config.model_type == "longformer":  # which makes its own only where it is given ids
            batch["global_attention_mask"] = torch.zeros_like(batch["attention_mask"])
            batch["global_attention_mask"][:, 0] = 1
        symbol = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        symbol[:, run.before : run.before + length] = True
        target = batch["labels"] if classes else torch.zeros(len(chosen), dtype=torch.long)
        inner = table(batch["input_ids"])
        outer = torch.where(symbol[..., None], empty, inner)
        told, error, difference = integrate(run.model, batch, inner, outer, target, steps)
        values.append(told.sum(-1)[:, run.before : run.before + length])
        errors.append(error)
        differences.append(difference)
    whole, missed, wanted = (torch.cat(part).double().numpy() for part in (values, errors, differences))
    return Attributed(run.label, whole, missed, wanted, steps)


def integrate(
    model: PreTrainedModel, batch: dict[str, Tensor], inner: Tensor, outer: Tensor, target: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Integrated gradients of one output along the straight path from `outer` to `inner`.

    Parameters
    ----------
    model
        In evaluation mode.
    batch
        What goes into the model beside the rows, each (b, s).
    inner, outer
        Shape (b, s, d): embedding rows of the records, and of the baseline.
    target
        Shape (b,): which output.
    steps
        Points of the path at which the gradient is taken, 1 or more.

    Returns
    -------
    tuple
        Attributions (b, s, d); by how much their sum misses the difference of the outputs, (b,); that, (b,).

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
    told: Tensor = IntegratedGradients(output).attribute(
        inner, outer, target=target, additional_forward_args=given, n_steps=steps
    )
    with torch.no_grad():
        ends = [output(rows, *given).gather(1, target[:, None])[:, 0] for rows in (inner, outer)]
    difference = ends[0] - ends[1]
    return told.detach(), told.detach().sum((1, 2)) - difference, difference
