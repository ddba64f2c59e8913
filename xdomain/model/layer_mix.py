"""A learned mix of all layers in place of the last: which layer does the domain use?

ELMo's scalar mix (Peters et al. 2018, arXiv 1802.05365, eq. 1): gamma · Σ softmax(s)_j h_j over the embeddings and
every layer's states, under the stock pooler and head, with the body frozen. A mix cannot be folded into stock weights.
So the run saves a stock checkpoint of body and head, and the mix beside it as ``layer_mix.json``; `attach_layer_mix`
puts it back on a loaded model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.core.restore import reading

LAYER_MIX = "layer_mix.json"
NAME = "layer_mix"
"""The name of the trained mix as a submodule of the model."""


class LayerMix(nn.Module):
    """Trained scores and scale of a mix of hidden states; all weights are equal at the start, as in ELMo.

    Parameters
    ----------
    states
        How many are mixed: the embeddings and one of each layer.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(states))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self) -> tuple[Tensor, Tensor]:
        """The weights, shape (states,), at least 0 and in sum 1, and the scale, a scalar."""
        return self.scores.softmax(0), self.gamma


def insert_mix(model: PreTrainedModel) -> None:
    """Let the head of `model` read a mix of all layers, in place; the mix is a submodule, trained with the rest."""
    mix = LayerMix(model.config.num_hidden_layers + 1)
    model.add_module(NAME, mix)
    _read_through(model, mix)


def remove_mix(model: PreTrainedModel) -> dict[str, Any] | None:
    """Take the mix off `model`, in place, so that it is a stock model again, and return what the mix was.

    Returns
    -------
    dict
        `layers`: {layer, weight} of each, the embeddings being layer 0; `gamma`. None where the model has no mix.
    """
    mix = getattr(model, NAME, None)
    if not isinstance(mix, LayerMix):
        return None
    with torch.no_grad():
        weights, gamma = mix()
    delattr(model, NAME)
    _forget(model.base_model)
    layers = [{"layer": layer, "weight": weight} for layer, weight in enumerate(weights.tolist())]
    return {"layers": layers, "gamma": gamma.item()}


def reads_all_layers(model: PreTrainedModel) -> bool:
    """Whether the head of `model` reads a mix, inserted or attached, instead of the last layer alone."""
    return hasattr(model.base_model, "_mix_hooks")


def save_mix(mix: dict[str, Any], folder: Path) -> None:
    """Write `mix`, which `remove_mix` returned, beside the checkpoint in `folder`."""
    (folder / LAYER_MIX).write_text(json.dumps(mix, indent=1) + "\n", "utf-8")


def attach_layer_mix(model: PreTrainedModel, folder: str | Path) -> bool:
    """Let the head of `model` read the mix saved in `folder`, in place; return whether there is one.

    The mix does not become a parameter of the model: it is not trained, saved or counted.
    """
    file = Path(folder) / LAYER_MIX
    if not file.is_file():
        return False
    with reading(file):
        saved = json.loads(file.read_text("utf-8"))
        weights, gamma = torch.tensor([float(row["weight"]) for row in saved["layers"]]), torch.tensor(saved["gamma"])
        if len(weights) != model.config.num_hidden_layers + 1 or gamma.ndim:
            raise ValueError(f"{len(weights)} weights for {model.config.num_hidden_layers} layers")
    _read_through(model, lambda: (weights, gamma))
    return True


def _read_through(model: PreTrainedModel, mix: Callable[[], tuple[Tensor, Tensor]]) -> None:
    def answer(base: Any, _: Any, output: Any) -> Any:
        weights, gamma = mix()
        states = [state.float() for state in output.hidden_states]
        weighed = [weight * state for weight, state in zip(weights.to(states[0].device), states, strict=True)]
        mixed = gamma.to(states[0].device) * torch.stack(weighed).sum(0)
        output.last_hidden_state = mixed
        if output.get("pooler_output") is not None:
            output.pooler_output = pooled(base, mixed)
        return output

    base = model.base_model
    base._mix_hooks = [  # pyright: ignore
        base.register_forward_pre_hook(ask_for_states, with_kwargs=True),
        base.register_forward_hook(answer),
    ]


def ask_for_states(_: nn.Module, given: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A pre-hook of a body, called with its arguments `given` and `named`, that lets it answer with all its states."""
    return given, {**named, "output_hidden_states": True}


def pooled(base: Any, states: Tensor) -> Tensor:
    """Apply the pooler of the base model `base` to `states`, (w, s, d); ALBERT has a bare layer and its activation."""
    if isinstance(base.pooler, nn.Linear):
        return base.pooler_activation(base.pooler(states[:, 0]))
    return base.pooler(states)


def _forget(base: Any) -> None:
    for hook in base._mix_hooks:
        hook.remove()
    del base._mix_hooks
