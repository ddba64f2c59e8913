"""The loss of a model whose weights are moved along the path of its training, or away from it.

All named parameters move: word rows, layer norms, biases and the head. At the start the head is as it was initialised.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.analysis.loaded_run import OpenedRun
from xdomain.core.choices import OF_VALUES
from xdomain.training.losses import count_labels, summed_loss
from xdomain.training.predict import forward
from xdomain.training.trainer import TargetScaler

Tensors = dict[str, Tensor]
WINDOWS_AT_ONCE = 64


@dataclass(frozen=True)
class Path:
    """The weights of a run at its start and at its end, in float32, with equal names and shapes.

    A regression is trained on standardised values, and its model is saved with the scale folded into the head. The same
    scale is folded into the start, so that the points between are those of training with the scale folded in.
    """

    start: Tensors
    end: Tensors

    def at(self, alpha: float, aside: Mapping[str, Tensor] | None = None, beta: float = 0.0) -> Tensors:
        """Return ``start + alpha (end - start) + beta aside``.

        `alpha` 0 and 1 give exactly the start and the end, if `beta` is 0 or `aside`, a direction of the same names and
        shapes, is None.
        """
        line = {name: torch.lerp(tensor, self.end[name], alpha) for name, tensor in self.start.items()}
        return {name: tensor + beta * aside[name] for name, tensor in line.items()} if aside else line

    @property
    def step(self) -> Tensors:
        """``end - start``."""
        return {name: self.end[name] - tensor for name, tensor in self.start.items()}


def path_of(run: OpenedRun) -> Path:
    """Return the path of a `run`.

    Raises
    ------
    BackboneError
        The start cannot be restored, see `xdomain.analysis.loaded_run.OpenedRun.start`.
    """
    start: PreTrainedModel = run.start
    if run.recipe.problem in OF_VALUES:
        start = copy.deepcopy(start)
        TargetScaler.of(run.examples).fold_into(start)
    return Path(_tensors(start), _tensors(run.model))


def unlike(path: Path) -> str | None:
    """The name of a tensor whose shape differs between the start and the end of `path`, or that one lacks; or None."""
    for name in {**path.start, **path.end}:
        shapes = [tuple(side[name].shape) if name in side else None for side in (path.start, path.end)]
        if shapes[0] != shapes[1]:
            return name
    return None


def norm_of(direction: Mapping[str, Tensor]) -> float:
    """The Euclidean length of a `direction`, over all its tensors together."""
    return float(torch.stack([tensor.double().square().sum() for tensor in direction.values()]).sum().sqrt())


def cosine(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The cosine of the angle between the directions `one` and `other`, in [-1, 1]; 0 if either has length 0."""
    product = sum(float((tensor.double() * other[name].double()).sum()) for name, tensor in one.items())
    lengths = norm_of(one) * norm_of(other)
    return product / lengths if lengths else 0.0


def random_like(step: Mapping[str, Tensor], seed: int) -> Tensors:
    """Draw a random direction in which every row of every matrix is as long as the same row of `step`, by `seed`.

    A row holds the weights of one unit or of one symbol; a bias or a layer norm is one row. So weights that training
    did not change, such as word rows that never occur, stay unchanged, and no unit moves farther than training moved
    it. This is the filter-wise normalisation of Li et al. 2018 (arXiv 1712.09913), relative to the step instead of the
    weights.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: Tensors = {}
    for name, tensor in step.items():
        noise = torch.randn(tensor.shape, generator=generator)
        rows = tensor.flatten(1) if tensor.ndim > 1 else tensor[None]
        noise_rows = noise.flatten(1) if tensor.ndim > 1 else noise[None]
        scale = rows.norm(dim=1, keepdim=True) / noise_rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
        drawn[name] = (noise_rows * scale).view_as(tensor)
    return drawn


def second_run(runs: Sequence[OpenedRun], paths: Sequence[Path], which: int) -> int | None:
    """Find another run with the same start and the same rows for its symbols, but another end.

    Parameters
    ----------
    runs, paths
        All runs and the path of each.
    which
        The number of the run to find a partner for.

    Returns
    -------
    int or None
        The number of the first such run; None if there is none.
    """
    run, path = runs[which], paths[which]
    for number, (other, there) in enumerate(zip(runs, paths, strict=True)):
        if number == which or unlike(Path(path.start, there.start)):
            continue
        same_rows = bool(np.array_equal(run.saved.mapping.ids, other.saved.mapping.ids))
        if same_rows and _equal(path.start, there.start) and not _equal(path.end, there.end):
            return number
    return None


@dataclass(frozen=True)
class LossOf:
    """The mean training loss over some records as a function of the weights, with dropout off.

    The loss is the cross-entropy in nats, mean over records, tags or windows of a span; for regression it is the
    squared error of standardised values.

    Parameters
    ----------
    model
        A copy of the run's model, whose weights each call overwrites.
    batches
        The records.
    problem
        What the labels are.
    variance
        The variance of the training labels in their own unit, for multioutput shape (k,); 1 where they are no numbers.
    """

    model: nn.Module
    batches: Sequence[dict[str, Tensor]]
    problem: str
    variance: Tensor

    @classmethod
    def over(cls, run: OpenedRun, records: NDArray[np.int64]) -> LossOf:
        """The loss over `records` of a `run`; all batches, grouped by length, are kept in memory."""
        collate = run.collate
        longest_first = records[np.argsort(-collate.lengths()[records], kind="stable")]
        most = int(np.diff(collate.windows.offsets)[records].max())
        batches = [batch for _, batch in run.batches(longest_first, size=max(1, WINDOWS_AT_ONCE // most))]
        variance = TargetScaler.of(run.examples).std ** 2 if run.recipe.problem in OF_VALUES else 1.0
        model = copy.deepcopy(run.model)
        model.set_attn_implementation("sdpa")  # attention weights are not needed here, so a faster kernel is used
        return cls(model, batches, run.recipe.problem, torch.as_tensor(variance, dtype=torch.float32))

    @torch.no_grad()
    def __call__(self, weights: Mapping[str, Tensor]) -> float:
        """The loss at `weights`."""
        for name, parameter in self.model.named_parameters():
            parameter.copy_(weights[name])
        total, count = 0.0, 0
        for batch in self.batches:
            logits, labels = forward(self.model, batch), batch["labels"]
            if self.problem in OF_VALUES:  # in native units, where no value marks a missing label
                known = torch.isfinite(labels) & batch.get("owned", torch.ones_like(labels, dtype=torch.bool))
                each = (logits.squeeze(-1) - labels).square() / self.variance
                total += float(each[known].sum())
                count += int(known.sum())
            else:
                total += float(summed_loss(self.problem, logits, batch))
                count += int(count_labels(batch))
        return total / max(1, count)


def _tensors(model: nn.Module) -> Tensors:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())
