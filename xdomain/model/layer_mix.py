"""A learned mix of all layers in place of the last: which layer does the domain use?

ELMo's scalar mix (Peters et al. 2018, arXiv 1802.05365, eq. 1): gamma · Σ softmax(s)_j h_j over the embeddings and
every layer's states, under the stock pooler and head, with the body frozen. A mix does not fold into stock weights. So
what is saved is a stock checkpoint of body and head, with the mix beside it as ``layer_mix.json``; `attach_layer_mix`
puts it on again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

LAYER_MIX = "layer_mix.json"
NAME = "layer_mix"
"""Of the trained mix, as a part of the model."""


class LayerMix(nn.Module):
    """Scores and scale over n states; all alike at the start, as in ELMo."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(states))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self) -> tuple[Tensor, Tensor]:
        """The weights (n,), at least 0 and in sum 1, and the scale."""
        return self.scores.softmax(0), self.gamma


def insert_mix(model: PreTrainedModel) -> None:
    """Let the head read a mix of all layers, trained with the rest, in place."""
    mix = LayerMix(model.config.num_hidden_layers + 1)
    model.add_module(NAME, mix)
    _read_through(model, mix)


def remove_mix(model: PreTrainedModel) -> dict[str, Any] | None:
    """Make the model stock again, in place; its mix as a result tells it, None where it has none.

    Returns
    -------
    dict
        `layers`: {layer, weight} from the embeddings, layer 0, up; `gamma`.
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


def save_mix(mix: dict[str, Any], folder: Path) -> None:
    """Write what `remove_mix` told beside the checkpoint in `folder`."""
    (folder / LAYER_MIX).write_text(json.dumps(mix, indent=1) + "\n", "utf-8")


def attach_layer_mix(model: PreTrainedModel, folder: str | Path) -> bool:
    """Put the mix on that lies beside a checkpoint, in place; whether there is one.

    It is no part of the model's parameters: it is not trained, saved or counted.
    """
    file = Path(folder) / LAYER_MIX
    if not file.is_file():
        return False
    told = json.loads(file.read_text("utf-8"))
    weights, gamma = torch.tensor([row["weight"] for row in told["layers"]]), torch.tensor(told["gamma"])
    _read_through(model, lambda: (weights, gamma))
    return True


def _read_through(model: PreTrainedModel, mix: Callable[[], tuple[Tensor, Tensor]]) -> None:
    def ask(_: nn.Module, given: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return given, {**named, "output_hidden_states": True}

    def answer(base: Any, _: Any, told: Any) -> Any:
        weights, gamma = mix()
        states = [state.float() for state in told.hidden_states]
        weighed = [weight * state for weight, state in zip(weights.to(states[0].device), states, strict=True)]
        mixed = gamma.to(states[0].device) * torch.stack(weighed).sum(0)
        told.last_hidden_state = mixed
        if told.get("pooler_output") is not None:
            told.pooler_output = _pooled(base, mixed)
        return told

    base = model.base_model
    base._mix_hooks = [  # pyright: ignore
        base.register_forward_pre_hook(ask, with_kwargs=True),
        base.register_forward_hook(answer),
    ]


def _pooled(base: Any, states: Tensor) -> Tensor:
    """What the base model's own pooler makes of other states; ALBERT's is a bare layer."""
    if isinstance(base.pooler, nn.Linear):
        return base.pooler_activation(base.pooler(states[:, 0]))
    return base.pooler(states)


def _forget(base: Any) -> None:
    for hook in base._mix_hooks:
        hook.remove()
    del base._mix_hooks
