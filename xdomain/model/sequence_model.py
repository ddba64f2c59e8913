"""Models that write a sequence: an encoder with a decoder beside it, or a decoder that goes on after its input."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GenerationConfig,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D

from xdomain.core.choices import Decoder
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.model.families import architecture_of
from xdomain.model.parameter_groups import parameter_group
from xdomain.model.tuning import lora_around

CROSS_ATTENTION = ("bert", "camembert", "electra", "roberta", "xlm-roberta")
"""Families of encoders that `transformers` can also run as a decoder that reads an encoder's states."""
FRESH_LAYERS = 2
TUNED: dict[str | None, tuple[str, ...]] = {"encoder": ("full", "head"), "decoder": ("full", "lora")}
"""Ways of training a model that writes, by what it started from.

With head, the decoder beside a frozen encoder is trained. LoRA does not go with it: `peft` cannot save a decoder whose
head is tied to its rows.
"""


def fresh_sequence_model(
    config: Any, decoder: Decoder, positions: int, *, attention_dropout: float, hidden_dropout: float
) -> PreTrainedModel:
    """Draw a model that writes sequences at random.

    Parameters
    ----------
    config
        Of the checkpoint, with the rates of dropout to use.
    decoder
        For an encoder: what writes beside it; see `xdomain.core.train_options.Train`.
    positions
        Of the longest output, special tokens included; ignored by models that have a table of positions of their own.
    attention_dropout, hidden_dropout
        Of a fresh decoder.
    """
    if architecture_of(config) == "decoder":
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    writer: Any = type(config).from_dict(config.to_dict())
    if decoder == "fresh":
        writer = _fresh(config, positions, attention_dropout, hidden_dropout)
    # As Xavier has it: with the 0.02 of BERT, attention to the encoder of a narrow model is found after a long plateau.
    writer.initializer_range = config.hidden_size**-0.5
    whole = EncoderDecoderConfig.from_encoder_decoder_configs(config, writer)
    return EncoderDecoderModel(whole).float()


def _fresh(config: Any, positions: int, attention_dropout: float, hidden_dropout: float) -> BertConfig:
    """A small BERT as wide as the encoder, so that it can read its states as they are."""
    return BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=FRESH_LAYERS,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=4 * config.hidden_size,
        max_position_embeddings=positions,
        type_vocab_size=1,
        pad_token_id=config.pad_token_id or 0,
        hidden_dropout_prob=hidden_dropout,
        attention_probs_dropout_prob=attention_dropout,
        use_cache=False,
    )


def bodies_of(model: PreTrainedModel, *, warm: bool) -> list[nn.Module]:
    """The parts of `model` that start from the checkpoint: of an encoder with a decoder the latter only if `warm`."""
    if not isinstance(model, EncoderDecoderModel):
        return [model.base_model]
    encoder, decoder = cast("PreTrainedModel", model.encoder), cast("PreTrainedModel", model.decoder)
    return [encoder, *([decoder.base_model] if warm else [])]


def word_tables(model: Any) -> list[nn.Module]:
    """The tables of token rows of `model`, a stock one or one under LoRA: an encoder and its decoder have one each."""
    tables = [model.get_input_embeddings()]
    if model.config.is_encoder_decoder:
        tables.append(model.decoder.get_input_embeddings())
    return tables


def width_of(config: Any) -> int:
    """Hidden units of the model of this `config`; of an encoder with a decoder, those of the encoder."""
    return int(getattr(config, "encoder", config).hidden_size)


def rows_of(config: Any) -> int:
    """Rows that could be written by the model of this `config`."""
    return int(getattr(config, "decoder", config).vocab_size)


def open_rows(model: PreTrainedModel) -> set[int]:
    """The rows that `model`, as `set_generation` left it or as it was read back, may write."""
    closed: Any = getattr(model.generation_config, "suppress_tokens", None) or ()
    return set(range(rows_of(model.config))) - set(closed)


def set_generation(
    model: PreTrainedModel, targets: Collection[int], *, start: int, end: int, pad: int, longest: int, beams: int
) -> None:
    """Tell `model` how outputs are searched, in the configuration that is saved and that its ``generate`` follows.

    No row but those of targets and `end` can come out; what is left is made to add up to 1.

    Parameters
    ----------
    model
        As `fresh_sequence_model` makes it.
    targets
        The rows that may come out.
    start, end, pad
        Rows of the tokens before, after and behind an output.
    longest
        Symbols that an output may have.
    beams
        1 is greedy search.
    """
    config: Any = model.config
    kept = {*targets, end}
    model.generation_config = GenerationConfig(
        max_new_tokens=longest + 1,
        num_beams=beams,
        do_sample=False,
        use_cache=True,
        suppress_tokens=[row for row in range(rows_of(config)) if row not in kept],
        renormalize_logits=True,
        bos_token_id=start,
        decoder_start_token_id=start if config.is_encoder_decoder else None,
        eos_token_id=end,
        forced_eos_token_id=end,
        pad_token_id=pad,
    )
    config.pad_token_id = pad
    if config.is_encoder_decoder:
        config.decoder_start_token_id, config.eos_token_id = start, end


def check_writer(name: str, config: Any, decoder: Decoder, tune: str) -> None:
    """Refuse a decoder, or a way of training it, that there is not for a family.

    Parameters
    ----------
    name, config
        Of the checkpoint, as the user wrote it, and its configuration.
    decoder, tune
        As a recipe has them in `train` and `run`.

    Raises
    ------
    BackboneError
        The family has no decoder that could read its encoder.
    RecipeError
        The model cannot be trained so.
    """
    if architecture_of(config) == "encoder" and decoder == "warm" and config.model_type not in CROSS_ATTENTION:
        raise BackboneError(
            f"train.decoder warm for {name}: transformers has no {config.model_type} that reads another's states",
            expected=f"one of {', '.join(CROSS_ATTENTION)}",
            fix="--set train.decoder=fresh",
        )
    able = TUNED[architecture_of(config)]
    if tune not in able:
        raise RecipeError(f"tune {tune} for sequence with a {config.model_type}", expected=" or ".join(able))


def freeze_writer(model: PreTrainedModel, tune: str, *, seed: int) -> nn.Module:
    """Freeze what is not to be trained, in place, and return what to train; the global random state is left as it was.

    Parameters
    ----------
    model
        As `fresh_sequence_model` makes it.
    tune
        full: all; head: the decoder beside a frozen encoder; lora: rank-8 updates of the attention of a decoder alone.
    seed
        Decides alone what is drawn for LoRA.
    """
    if tune == "head":
        bodies_of(model, warm=False)[0].requires_grad_(False)
    if tune != "lora":
        return model
    body = model.base_model_prefix + "."
    dense = [n for n, part in model.named_modules() if isinstance(part, (nn.Linear, Conv1D)) and n.startswith(body)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return lora_around(model, [n for n in dense if parameter_group(n.removeprefix(body)) == "attention"], [])
