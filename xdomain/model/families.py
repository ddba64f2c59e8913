"""Families of models, as `transformers` knows them: what each reads, and for which problems it has a head.

A checkpoint passes four gates: `check_family` here, the padding test of `xdomain.model.backbone`, the names of its
tensors in `xdomain.model.parameter_groups`, and those of its layers in `xdomain.model.tuning`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import transformers
from torch import nn
from transformers import PreTrainedModel
from transformers.models.auto import modeling_auto as auto

from xdomain.core.choices import PER_SYMBOL, Problem
from xdomain.core.errors import BackboneError, nearest

Architecture = Literal["encoder", "decoder"]

TESTED: tuple[str, ...] = (
    "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "esm", "gemma", "gpt2", "gpt_neox",
    "llama", "longformer", "mistral", "modernbert", "mpnet", "opt", "qwen2", "qwen3", "roberta", "smollm3",
    "xlm-roberta",
)  # fmt: skip
"""Families that every problem, way of tuning and init is tried with. Others are tried once, as they are loaded."""
POSITIONS_AFTER_PAD = ("roberta", "longformer", "xlm-roberta", "camembert", "mpnet", "esm")
"""Families whose position ids begin at the padding's id plus one, so not every row of positions can be used."""
LOOK_FOR_TOKEN_IDS = ("esm",)
"""Families that look for some tokens, such as [MASK], by their row, so that the vocabulary must stay whole."""
TOKENIZER_REBUILT = ("qwen2",)
"""Families of which `AutoTokenizer` makes the tokenizer anew by the family's rules, whatever the folder holds."""
NO_TABLE = 512
"""Positions of a window where a model has no table of positions and names no most: what T5 was trained with."""


def architecture_of(config: Any) -> Architecture | None:
    """Whether the model of this `config` is an encoder, each token seeing all, or a decoder, each seeing earlier ones.

    None: neither, or both at once as in T5.
    """
    return None if getattr(config, "is_encoder_decoder", False) else architecture_of_family(config.model_type)


def architecture_of_family(family: str) -> Architecture | None:
    """Whether models of a `family`, such as ``bert``, are encoders or decoders; None: neither."""
    if family in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return "encoder"
    return "decoder" if family in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None


def auto_class_for(problem: Problem, kind: Architecture = "encoder") -> Any:
    """The class of `transformers` that loads a model for `problem`, for sequence by the `kind` of the backbone.

    It builds one, too, but for sequence, see `xdomain.model.sequence_model`.
    """
    if problem == "sequence":
        return transformers.AutoModelForSeq2SeqLM if kind == "encoder" else transformers.AutoModelForCausalLM
    if problem in PER_SYMBOL:
        return transformers.AutoModelForTokenClassification
    return (
        transformers.AutoModelForQuestionAnswering
        if problem == "span"
        else transformers.AutoModelForSequenceClassification
    )


def check_family(name: str, config: Any) -> None:
    """Refuse what is no language model, or has no head for any problem.

    Parameters
    ----------
    name
        Of the checkpoint, as the user wrote it.
    config
        Its configuration.

    Raises
    ------
    BackboneError
        The message names families that work.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise BackboneError(
            f"{name} is a {config.model_type} model, an encoder with a decoder",
            expected=f"an encoder or a decoder alone, of {', '.join(TESTED)} or families like them",
        )
    if architecture_of(config) is None or not problems_of(config):
        raise BackboneError(
            f"{name} is a {config.model_type} model",
            expected=f"an encoder or a decoder of {', '.join(TESTED)} or families like them",
            nearest=nearest(config.model_type, TESTED),
        )


def check_head(name: str, config: Any, problem: Problem) -> None:
    """Refuse a `problem` for which the family of the checkpoint `name`, with this `config`, has no head.

    Raises
    ------
    BackboneError
        The message lists the problems that the family has heads for.
    """
    if problem not in problems_of(config):
        raise BackboneError(
            f"{name}: transformers has no {config.model_type} for {problem}",
            expected=f"a backbone of another family, or one of {', '.join(problems_of(config))}",
        )


def problems_of(config: Any) -> list[Problem]:
    """The problems that `transformers` has a head for in the family of this `config`."""
    able = [one for one in get_args(Problem) if type(config) in auto_class_for(one)._model_mapping]
    return able if architecture_of(config) is None else [*able, "sequence"]


def max_positions(config: Any) -> int:
    """The most positions that a window may take in a model of this `config`, special tokens included."""
    positions = int(getattr(config, "max_position_embeddings", None) or NO_TABLE)
    return positions - (config.pad_token_id + 1) if config.model_type in POSITIONS_AFTER_PAD else positions


def tokenizer_class(family: str) -> str:
    """The class of `transformers` that reads the tokenizer beside a fine-tuned model of a `family` as it was saved."""
    return "AutoTokenizer" if family in TESTED and family not in TOKENIZER_REBUILT else "PreTrainedTokenizerFast"


def make_bidirectional(name: str, config: Any) -> None:
    """Let every token of a decoder attend to all others, by a change of its `config`; `name` is for the message.

    Raises
    ------
    BackboneError
        It is an encoder, which does so anyway.
    """
    if architecture_of(config) != "decoder":
        raise BackboneError(
            f"train.attention bidirectional for {name}, a {config.model_type}: its tokens attend to all others anyway",
            expected="a decoder such as GPT-2",
            fix="--set train.attention=own",
        )
    config.is_causal = False


def can_slice_vocabulary(model: PreTrainedModel) -> bool:
    """Whether a `model` may be trained with the rows in use alone.

    Not if its family looks for rows (`LOOK_FOR_TOKEN_IDS`), does more than look rows up, as Gemma scales them, or is
    not known.
    """
    family = model.config.model_type
    return family in TESTED and family not in LOOK_FOR_TOKEN_IDS and type(model.get_input_embeddings()) is nn.Embedding
