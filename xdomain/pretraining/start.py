"""The checkpoint that a pre-training goes on from: its shape, and what of it comes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.progress import log
from xdomain.core.safe_loading import load
from xdomain.model.backbone import Backbone, load_backbone, quiet_loading
from xdomain.model.families import max_positions
from xdomain.model.vocabulary import Vocabulary
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.model import HEADS, Model, special_rows, tile_positions

SHAPE = {"layers": "num_hidden_layers", "width": "hidden_size", "heads": "num_attention_heads"}
"""Options of the shape, and what configurations call them."""
ROTARY = ("modernbert",)
GROWING = ("bert", *ROTARY)
"""Families that take more positions than the checkpoint has."""


def started(options: Pretraining) -> Backbone | None:
    """The checkpoint that `options` name to go on from; None where they name none.

    Raises
    ------
    BackboneError
        It is no encoder that can be loaded.
    """
    return None if options.start is None else load_backbone(options.start)


def tokenizer_of(start: Backbone) -> PreTrainedTokenizerFast:
    """The tokenizer of the checkpoint `start`.

    Raises
    ------
    BackboneError
        It is one that only Python reads.
    """
    if not isinstance(start.tokenizer, PreTrainedTokenizerFast):
        raise BackboneError(f"{start.name} has no tokenizer.json", expected="one, as a fast tokenizer writes it")
    return start.tokenizer


def shape_of(config: Any) -> dict[str, Any]:
    """The options of `Pretraining` that the `config` of a checkpoint decides."""
    positions = "rotary" if config.model_type in ROTARY else "learned"
    return {**{option: int(getattr(config, name)) for option, name in SHAPE.items()}, "positions": positions}


def check_shape(config: Any, asked: Mapping[str, Any]) -> None:
    """Refuse a shape that a user `asked` for, by option, where it is not that of the checkpoint with this `config`.

    Raises
    ------
    RecipeError
        They differ.
    """
    own = shape_of(config)
    for option in own:
        if option in asked and asked[option] != own[option]:
            raise RecipeError(
                f"--{option} {asked[option]}, but the checkpoint to go on from has {option} {own[option]}",
                expected="the shape of the checkpoint",
                fix=f"leave --{option} out",
            )


def within(options: Pretraining, start: Backbone) -> Pretraining:
    """Leave out the stages of `options` that the checkpoint `start` has no positions for and cannot get any."""
    room = max_positions(start.config)
    fits = [pair for pair in zip(options.lengths, options.shares, strict=True) if pair[0] <= room]
    if start.config.model_type in GROWING or not fits:
        return options
    lengths, shares = zip(*fits, strict=True)
    return replace(options, lengths=lengths, shares=shares)


def shaped(options: Pretraining, start: Backbone) -> Pretraining:
    """Give `options` the shape of the checkpoint `start`.

    Raises
    ------
    RecipeError
        They ask for another one, or for an objective that the family cannot have, or for too many positions.
    BackboneError
        Models of this family cannot go on here.
    """
    family = start.config.model_type
    if family not in HEADS:
        raise BackboneError(f"{start.name} is a {family} model", expected=f"one of {', '.join(HEADS)} to go on from")
    usual = Pretraining()
    check_shape(start.config, {name: v for name in (*SHAPE, "positions") if (v := getattr(options, name))
                               != getattr(usual, name)})  # fmt: skip
    if options.objective != "mlm" and family != "bert":
        raise RecipeError(f"the objective {options.objective} from a {family} model",
                          expected="mlm: only a BERT can tell the order of segments")  # fmt: skip
    room = max_positions(start.config)
    if family not in GROWING and max(options.lengths) > room:
        raise RecipeError(f"sequences of {max(options.lengths)} positions from a {family} model of {room}",
                          expected=f"--lengths up to {room}: only position rows of a BERT can be added")  # fmt: skip
    return replace(options, **shape_of(start.config))


def started_model(options: Pretraining, start: Backbone, tokenizer: PreTrainedTokenizerFast) -> Model:
    """Make a model with the weights of a checkpoint, and log what of it is drawn instead.

    Word rows come over where `tokenizer` has the same vocabulary. What does not is drawn from torch's global random
    state: other word rows, position rows beyond those of the checkpoint, a head that it lacks.

    Parameters
    ----------
    options
        Those that `shaped` returned.
    start
        The checkpoint.
    tokenizer
        The one that the new checkpoint gets.
    """
    kind = "AutoModelForMaskedLM" if options.objective == "mlm" else "AutoModelForPreTraining"
    config: Any = type(start.config).from_dict(start.config.to_dict())
    with quiet_loading():
        state = torch.random.get_rng_state()
        old, info = load(kind, start.path, use_safetensors=True, dtype=torch.float32, output_loading_info=True)
        torch.random.set_rng_state(state)
    same = Vocabulary.of(tokenizer).sha256 == Vocabulary.of(start.tokenizer).sha256
    own = max_positions(start.config)
    config.max_position_embeddings += max(0, max(options.lengths) - own)
    if not same:
        config.vocab_size = len(tokenizer)
        for name, row in special_rows(tokenizer).items():
            if getattr(config, name, None) is not None:
                setattr(config, name, row)
    model: Model = type(old)(config)
    words: set[str] = set() if same else _word_parameters(model)
    drawn = sorted({name for name in info["missing_keys"] if name in dict(model.named_parameters())})
    given = dict(old.named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in words or name in drawn:
                continue
            parameter[: len(given[name])].copy_(given[name])
    if options.grow == "tile" and options.lengths[0] > own:
        tile_positions(model, own, options.lengths[0])
    _tell(start, same=same, drawn=drawn, added=max(0, max(options.lengths) - own), options=options)
    return model


def _word_parameters(model: Any) -> set[str]:
    """The names of the parameters that have a row for each piece of the vocabulary."""
    out = model.get_output_embeddings()
    rows = [model.get_input_embeddings().weight, out.weight, out.bias]
    return {
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if any(parameter is one for one in rows)
    }


def _tell(start: Backbone, *, same: bool, drawn: list[str], added: int, options: Pretraining) -> None:
    shape = f"{options.layers} layers × {options.width}, {options.heads} heads"
    words = "its word rows are kept" if same else (
        f"its word rows are drawn anew, as the vocabulary is another one (--tokenizer {start.name} would keep them)"
    )  # fmt: skip
    told = [f"going on from {start.name} ({shape})", words]
    if drawn:
        told.append(f"tensors of the head that it lacks are drawn ({len(drawn)}, such as {drawn[0]})")
    if added and options.positions == "learned":
        told.append(f"{added} position rows are added")
    log.info("; ".join(told))
