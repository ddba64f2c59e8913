"""A frozen body is a constant: it runs without dropout, and a head can be trained on what it said once.

Linear probes are trained on features of a model in evaluation mode (as in the linear protocol of MoCo and in SetFit):
dropout in a body that does not learn would only add noise to what the head reads. Dropout in the head stays.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from xdomain.model.layer_mix import pooled, reads_all_layers


def body_is_frozen(model: PreTrainedModel) -> bool:
    """Whether nothing below the pooler and the head of `model` is trained, what makes its inputs included."""
    named = model.base_model.named_parameters()
    return not any(value.requires_grad for name, value in named if not name.startswith("pooler"))


@contextmanager
def without_dropout_in_body(model: PreTrainedModel) -> Generator[None]:
    """A context in which the body of `model` stays in evaluation mode, also while the rest is put in training mode."""
    base: Any = model.base_model
    base.eval()
    base.train = lambda *_: base
    try:
        yield
    finally:
        del base.train


@torch.inference_mode()
def states_of(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    """What the head of `model` reads at the first position.

    Parameters
    ----------
    model
        In evaluation mode; its head reads the first position alone
        (see `xdomain.model.last_layer.reads_first_position`).
    inputs
        What it reads, with w rows each.

    Returns
    -------
    Tensor
        Float32, (w, k, d): k is 1, or with a mix of layers one more than there are layers.
    """
    output = model.base_model(**inputs)
    read = output.hidden_states if reads_all_layers(model) else (output.last_hidden_state,)
    return torch.stack([state[:, 0] for state in read], 1).float()


@contextmanager
def states_as_inputs(model: PreTrainedModel) -> Generator[None]:
    """A context in which `model` takes `states_of` its inputs, as ``inputs_embeds``, in place of inputs.

    Its layers are not run; the pooler, a mix of layers and the head are.
    """
    base: Any = model.base_model
    base.forward = partial(_answer, base)
    try:
        yield
    finally:
        del base.forward


def _answer(base: Any, *_: Any, inputs_embeds: Tensor, **__: Any) -> BaseModelOutputWithPooling:
    states = inputs_embeds.split(1, 1)
    top: Any = states[-1]
    pooler = getattr(base, "pooler", None)
    return BaseModelOutputWithPooling(
        last_hidden_state=top, pooler_output=None if pooler is None else pooled(base, top), hidden_states=states
    )
