"""The loss of a smaller model that learns from a run: from the labels, the run's logits and its hidden states.

It is that of TinyBERT (Jiao et al. 2020, arXiv 1909.10351, eqs. 8 to 10) without attention maps. Logits are softened by
a temperature, with the factor of Hinton et al. 2015 (arXiv 1503.02531).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.compression.original import Original
from xdomain.compression.students import layers_between
from xdomain.core.choices import OF_VALUES
from xdomain.core.errors import RecipeError
from xdomain.data.collate import Collator
from xdomain.metrics.spans import candidates_only
from xdomain.model.layer_mix import ask_for_states
from xdomain.training.device import Device
from xdomain.training.losses import count_labels, summed_loss
from xdomain.training.predict import forward
from xdomain.training.trainer import Objective, TargetScaler

TEMPERATURE = 2.0
SOFT = 0.5
"""The share of the run's logits in the loss; that of the labels is the rest, and the loss of hidden states is added."""
PROJECTION = "state_projection"
"""The name of the trained projection of hidden states, where widths differ, as a submodule of the smaller model."""


def check_temperature(temperature: float) -> None:
    """Refuse a `temperature` by which logits cannot be divided.

    Raises
    ------
    RecipeError
        It is not a number above 0.
    """
    if not 0 < temperature < math.inf:
        raise RecipeError(f"temperature {temperature:g}", expected="a number above 0, such as 2")


@contextmanager
def distilled(
    original: Original, student: PreTrainedModel, *, device: Device, temperature: float
) -> Generator[Callable[[Collator], Objective]]:
    """A context that yields the loss by which `student` learns from a run, given what makes its batches.

    Parameters
    ----------
    original
        The run.
    student
        The smaller model. Inside of the context it may have a projection of its hidden states beside its own weights.
    device
        Where both compute.
    temperature
        What the logits of classes and labels are divided by; see `check_temperature`.
    """
    teacher = original.saved.model.eval().requires_grad_(False).to(device.name)  # pyright: ignore
    own, wanted = student.config.hidden_size, teacher.config.hidden_size
    if own != wanted:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(original.recipe.run.seed)
            student.add_module(PROJECTION, nn.Linear(own, wanted))
    with hidden_states_of(teacher) as taught, hidden_states_of(student) as found:
        yield lambda collate: _objective(original, teacher, collate, taught, found, temperature)
    if own != wanted:
        delattr(student, PROJECTION)


@contextmanager
def hidden_states_of(model: PreTrainedModel) -> Generator[list[Tensor]]:
    """A context that yields a list which holds the hidden states of the last call of `model`, the embeddings first."""
    states: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        states[:] = output.hidden_states

    base = model.base_model
    hooks = [base.register_forward_pre_hook(ask_for_states, with_kwargs=True), base.register_forward_hook(keep)]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _objective(
    original: Original,
    teacher: nn.Module,
    collate: Collator,
    taught: list[Tensor],
    found: list[Tensor],
    temperature: float,
) -> Objective:
    problem, saved = original.recipe.problem, original.saved
    translate = torch.from_numpy(_rows_of_teacher(collate, original))
    typed = saved.layout.second_type is not None
    scale = TargetScaler.of(original.examples) if problem in OF_VALUES else None

    def objective(student: nn.Module, batch: dict[str, Tensor], weights: Tensor | None) -> Tensor:
        logits = forward(student, batch)
        read = {name: value for name, value in batch.items() if typed or name != "token_type_ids"}
        read["input_ids"] = translate.to(logits.device)[batch["input_ids"]]
        with torch.no_grad():
            wanted = forward(teacher, read)
            if scale:
                mean, std = (torch.as_tensor(one, dtype=torch.float32, device=logits.device)
                             for one in (scale.mean, scale.std))  # fmt: skip
                wanted = (wanted - mean) / std
        labels = count_labels(batch)
        hard = summed_loss(problem, logits, batch, weights)
        soft = soft_loss(problem, logits, wanted, batch, temperature) * labels
        states = state_loss(getattr(student, PROJECTION, None), found, taught, batch["attention_mask"]) * labels
        return (1 - SOFT) * hard + SOFT * soft + states

    return objective


def _rows_of_teacher(collate: Collator, original: Original) -> Any:
    """Shape (rows,): for each row that the smaller model reads, the row of the run's model for the same symbol."""
    own, theirs = collate.layout, original.saved.layout
    rows = np.zeros(max(int(collate.rows.max()), own.pad, *own.rows()) + 1, np.int64)
    rows[own.pad] = theirs.pad
    for part in ("start", "middle", "end"):
        rows[list(getattr(own, part))] = getattr(theirs, part)
    rows[collate.rows] = original.saved.mapping.ids
    return rows


def soft_loss(problem: str, logits: Tensor, wanted: Tensor, batch: dict[str, Tensor], temperature: float) -> Tensor:
    """The mean loss of `logits` to those of a teacher, a scalar: 0 where they are equal.

    Parameters
    ----------
    problem
        Any.
    logits, wanted
        Of the smaller model and of the teacher, as `xdomain.training.predict.forward` gives them.
    batch
        What they were computed from. Unknown labels count, as the teacher has a say on them too.
    temperature
        See `distilled`.

    Returns
    -------
    Tensor
        Mean squared errors of numbers; else Kullback-Leibler divergences in nats, times the temperature squared.
    """
    if problem == "multioutput" or problem == "regression":
        return nn.functional.mse_loss(logits, wanted)
    if problem == "profile":
        return nn.functional.mse_loss(logits[batch["owned"]], wanted[batch["owned"]])
    if problem == "multilabel":
        logits, wanted = (torch.stack((one, torch.zeros_like(one)), -1) for one in (logits, wanted))
    elif problem == "tagging":
        logits, wanted = logits[batch["owned"]], wanted[batch["owned"]]
    elif problem == "span":
        logits, wanted = (candidates_only(one, batch["owned"]).transpose(1, 2) for one in (logits, wanted))
    soft, target = ((one / temperature).log_softmax(-1).flatten(0, -2) for one in (logits, wanted))
    return nn.functional.kl_div(soft, target, reduction="batchmean", log_target=True) * temperature**2


def state_loss(projection: nn.Module | None, found: list[Tensor], taught: list[Tensor], mask: Tensor) -> Tensor:
    """The mean squared error of hidden states, a scalar, over layers, positions and dimensions.

    Parameters
    ----------
    projection
        Applied to `found` where widths differ; else None.
    found, taught
        Hidden states (w, s, d) of the smaller model and of the teacher, the embeddings first; a layer is compared with
        the one that `layers_between` names.
    mask
        Shape (w, s): 1 where there is no padding.
    """
    there = mask.bool()
    chosen = [0, *layers_between(len(taught) - 1, len(found) - 1)]
    own = [state[there] if projection is None else projection(state[there]) for state in found]
    errors = [nn.functional.mse_loss(one.float(), taught[i][there].float()) for one, i in zip(own, chosen, strict=True)]
    return torch.stack(errors).mean()
