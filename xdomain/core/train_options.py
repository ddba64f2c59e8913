"""The options of fine-tuning, the part `train` of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from xdomain.core.choices import Attention, Decoder, Precision, TooLong
from xdomain.core.yaml_config import ConfigModel

LIMIT = 2**31
"""Above all numbers of steps, records and symbols."""


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Train(ConfigModel):
    """Options of fine-tuning."""

    epochs: float | None = Field(default=None, gt=0, description="None: 6, or more if those are fewer than 300 steps.")
    max_steps: int = Field(default=-1, lt=LIMIT, description="Overrides epochs where positive.")
    steps_share: float = Field(
        default=1.0, gt=0, le=1, description="Take this share of the steps, in a schedule that is as much shorter."
    )
    batch_size: int = Field(default=16, gt=0, lt=LIMIT, description="Records per step, over all devices together.")
    gradient_accumulation_steps: int = Field(
        default=1,
        gt=0,
        lt=LIMIT,
        description="Parts that a batch is processed in, one after another, to save memory.",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="None: 5e-4 for backbones up to 256 units wide, less for wider ones."
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="Learning rate after the warm-up: linear and cosine fall to 0, constant stays."
    )
    warmup: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay of AdamW.")
    attention_dropout: float = Field(default=0.0, ge=0, lt=1, description="Values above 0 are slow on a CPU.")
    hidden_dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout of everything but attention weights.")
    attention: Attention = Field(
        default="own", description="bidirectional: each token of a decoder such as GPT-2 attends to later ones, too."
    )
    max_length: int | None = Field(
        default=None,
        lt=LIMIT,
        description="Positions of a window, special tokens included; None: those of the backbone.",
    )
    window_overlap: int = Field(default=0, ge=0, lt=LIMIT, description="Symbols that two neighbouring windows share.")
    max_windows: int = Field(default=32, gt=0, lt=LIMIT, description="A sequence that needs more is `too_long`.")
    too_long: TooLong = Field(
        default="error",
        description="What happens to a record that is too long: it is an error, or it is cut at the end.",
    )
    max_answer: int = Field(default=275, gt=0, lt=LIMIT, description="Symbols that a predicted answer may have.")
    align_steps: int = Field(
        default=100,
        gt=0,
        lt=LIMIT,
        description="With init aligned: steps by which the symbols' rows are fitted to text.",
    )
    decoder: Decoder = Field(
        default="fresh",
        description="For sequence with an encoder. fresh: two layers, at random; warm: starts as the encoder, with "
        "attention to it beside, which is drawn at random.",
    )
    beams: int = Field(default=1, gt=0, le=100, description="For sequence: 1 is greedy search, more is beam search.")
    max_output: int | None = Field(
        default=None,
        gt=0,
        lt=LIMIT,
        description="For sequence: symbols that an output may have; None: those of the longest training target.",
    )
    augment: Literal["none", "reverse_complement", "transpose"] = Field(
        default="none", description="Anew for each record and epoch: the other strand, or -5 to +6 semitones."
    )
    patience: int | None = Field(
        default=None, gt=0, lt=LIMIT, description="Evaluations without gain before stopping; None: never."
    )
    evaluations: int | None = Field(
        default=None, gt=0, lt=LIMIT, description="Evaluations over the run; None: one an epoch, at most 20."
    )
    slice_vocabulary: bool = Field(
        default=True, description="Train without the word rows that no symbol has; the saved model has all rows."
    )
    precision: Precision = Field(default="auto", description="auto: bf16 on devices that compute with it, else fp32.")
    report_to: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        default=[], description="Trackers of `transformers`, such as `tensorboard` or `wandb`."
    )
