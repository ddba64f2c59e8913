"""The commands ``xdomain pretrain text`` and ``xdomain pretrain synthetic``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from xdomain.core.errors import RecipeError

pretrain_app = typer.Typer(help="Pre-train a small encoder.", no_args_is_help=True)

Tokens = Annotated[int, typer.Option(min=1, help="Tokens to train on in all.")]
Layers = Annotated[int, typer.Option(min=1, help="Encoder layers.")]
Width = Annotated[int, typer.Option(min=8, help="Size of a hidden state; a multiple of --heads.")]
Heads = Annotated[int, typer.Option(min=1, help="Attention heads.")]
Lengths = Annotated[str, typer.Option(help="Positions of a sequence in each stage, growing.")]
Shares = Annotated[str, typer.Option(help="Share of the tokens for each stage.")]
PositionsOption = Annotated[
    Literal["learned", "rotary"], typer.Option(help="A BERT with position rows, or a ModernBERT, which has none.")
]
GrowOption = Annotated[
    Literal["tile", "fresh"], typer.Option(help="How new positions begin: as copies of those before, or drawn.")
]
BatchTokens = Annotated[int, typer.Option(min=8, help="Tokens a step.")]
ObjectiveOption = Annotated[
    Literal["mlm", "mlm+nsp", "mlm+sop"],
    typer.Option(help="Masked-LM, alone or with next-sentence or sentence-order prediction."),
]
MaskRate = Annotated[float, typer.Option(min=0.01, max=0.9, help="Share of the positions to predict.")]
LearningRate = Annotated[float, typer.Option(min=0, help="Highest learning rate, reached after warm-up.")]
Warmup = Annotated[float, typer.Option(min=0, max=0.99, help="Share of the steps over which the learning rate rises.")]
DecayOption = Annotated[Literal["linear", "cosine"], typer.Option(help="How the learning rate falls to 0.")]
WeightDecay = Annotated[float, typer.Option(min=0)]
Seed = Annotated[int, typer.Option(min=0, help="Seed of weights, batches and masks.")]
PrecisionOption = Annotated[Literal["auto", "bf16", "fp32"], typer.Option(help="auto: bf16 where the device has it.")]
SaveEvery = Annotated[int, typer.Option(min=1, help="Steps between two checkpoints to resume from.")]
Licence = Annotated[str | None, typer.Option(help="For the model card, e.g. apache-2.0.")]
CheckpointOut = Annotated[Path, typer.Option(help="Folder for the checkpoint; the same command again resumes.")]


@pretrain_app.command("text")
def pretrain_text_command(
    files: Annotated[
        list[Path], typer.Argument(help="Plain text, UTF-8: a line a paragraph, a form feed between books.")
    ],
    *,
    out: CheckpointOut,
    tokens: Tokens = 24_000_000,
    vocabulary: Annotated[int, typer.Option(min=100, help="Wordpieces to learn.")] = 8192,
    tokenizer: Annotated[
        str | None, typer.Option(help="A folder or hub id of a tokenizer; default: learn wordpieces.")
    ] = None,
    layers: Layers = 4,
    width: Width = 256,
    heads: Heads = 4,
    lengths: Lengths = "16,32,64,128,256,512",
    shares: Shares = "0.15,0.2,0.25,0.2,0.1,0.1",
    positions: PositionsOption = "learned",
    grow: GrowOption = "tile",
    batch_tokens: BatchTokens = 2048,
    objective: ObjectiveOption = "mlm",
    mask_rate: MaskRate = 0.3,
    learning_rate: LearningRate = 1e-3,
    warmup: Warmup = 0.03,
    decay: DecayOption = "linear",
    weight_decay: WeightDecay = 0.01,
    seed: Seed = 0,
    precision: PrecisionOption = "auto",
    save_every: SaveEvery = 1000,
    licence: Licence = None,
) -> None:
    """Pre-train a text BERT by masked-language modelling on sequences that grow longer."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining, pretrain_text

    options = Pretraining(
        tokenizer=tokenizer,
        layers=layers,
        width=width,
        heads=heads,
        vocabulary=vocabulary,
        lengths=tuple(numbers(lengths, int)),
        shares=tuple(numbers(shares, float)),
        positions=positions,
        grow=grow,
        tokens=tokens,
        batch_tokens=batch_tokens,
        objective=objective,
        mask_rate=mask_rate,
        learning_rate=learning_rate,
        warmup=warmup,
        decay=decay,
        weight_decay=weight_decay,
        seed=seed,
        precision=precision,
        save_every=save_every,
        licence=licence,
    )
    with progress_bar():
        made = pretrain_text(files, out, options=options)
    print(made)


@pretrain_app.command("synthetic")
def pretrain_synthetic_command(
    kind: Annotated[
        str, typer.Argument(help="uniform, unigram, bigram, flat:N, nesting, shuffle:N, dyck:K, identity, reverse, …")
    ],
    *,
    out: CheckpointOut,
    symbols: Annotated[int, typer.Option(min=1, help="Integers in the alphabet.")] = 29_995,
    law: Annotated[str, typer.Option(help="How often each is drawn: uniform, zipf:S or table (--counts).")] = "uniform",
    counts: Annotated[Path | None, typer.Option(help="A text file with one count a line, for --law table.")] = None,
    distinct: Annotated[
        bool | None, typer.Option(help="Different tokens for all pairs of a sequence; default: if the law is uniform.")
    ] = None,
    tokens: Tokens = 24_000_000,
    layers: Layers = 4,
    width: Width = 256,
    heads: Heads = 4,
    lengths: Lengths = "16,32,64,128",
    shares: Shares = "0.15,0.25,0.3,0.3",
    positions: PositionsOption = "learned",
    grow: GrowOption = "tile",
    batch_tokens: BatchTokens = 2048,
    objective: ObjectiveOption = "mlm",
    mask_rate: MaskRate = 0.3,
    learning_rate: LearningRate = 1e-3,
    warmup: Warmup = 0.03,
    decay: DecayOption = "linear",
    weight_decay: WeightDecay = 0.01,
    seed: Seed = 0,
    precision: PrecisionOption = "auto",
    save_every: SaveEvery = 1000,
    licence: Licence = None,
) -> None:
    """Pre-train a BERT on sequences of integers that are made up as they are needed."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining, pretrain_synthetic

    options = Pretraining(
        layers=layers,
        width=width,
        heads=heads,
        lengths=tuple(numbers(lengths, int)),
        shares=tuple(numbers(shares, float)),
        positions=positions,
        grow=grow,
        tokens=tokens,
        batch_tokens=batch_tokens,
        objective=objective,
        mask_rate=mask_rate,
        learning_rate=learning_rate,
        warmup=warmup,
        decay=decay,
        weight_decay=weight_decay,
        seed=seed,
        precision=precision,
        save_every=save_every,
        licence=licence,
    )
    with progress_bar():
        made = pretrain_synthetic(
            kind, out, options=options, symbols=symbols, law=law, counts=counts, distinct=distinct
        )
    print(made)


def numbers(text: str, kind: Any) -> list[Any]:
    """Split `text` at commas and convert each part with `kind`, int or float.

    Raises
    ------
    RecipeError
        A part is not such a number.
    """
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise RecipeError(f"{text!r} is no list of numbers", expected="numbers with commas between") from None
