"""The commands ``xdomain pretrain text`` and ``xdomain pretrain synthetic``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from xdomain.cli.options import takes
from xdomain.core.choices import Decay, Grow, Objective, Positions, Precision
from xdomain.core.errors import RecipeError

pretrain_app = typer.Typer(help="Pre-train a small encoder.", no_args_is_help=True)

CheckpointOut = Annotated[Path, typer.Option(help="Folder for the checkpoint; the same command again resumes.")]
Lengths = Annotated[str, typer.Option(help="Positions of a sequence in each stage, growing.")]
Shares = Annotated[str, typer.Option(help="Share of the tokens for each stage.")]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that both commands have: fields of `xdomain.pretraining.config.Pretraining`."""

    tokens: Annotated[int, typer.Option(min=1, help="Tokens to train on in all.")] = 24_000_000
    layers: Annotated[int, typer.Option(min=1, help="Encoder layers.")] = 4
    width: Annotated[int, typer.Option(min=8, help="Size of a hidden state; a multiple of --heads.")] = 256
    heads: Annotated[int, typer.Option(min=1, help="Attention heads.")] = 4
    lengths: Lengths = "16,32,64,128,256,512"
    shares: Shares = "0.15,0.2,0.25,0.2,0.1,0.1"
    positions: Annotated[
        Positions, typer.Option(help="A BERT with position rows, or a ModernBERT, which has none.")
    ] = "learned"
    grow: Annotated[Grow, typer.Option(help="How new positions begin: as copies of those before, or drawn.")] = "tile"
    batch_tokens: Annotated[int, typer.Option(min=8, help="Tokens a step.")] = 2048
    objective: Annotated[
        Objective, typer.Option(help="Masked-LM, alone or with next-sentence or sentence-order prediction.")
    ] = "mlm"
    mask_rate: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share of the positions to predict.")] = 0.3
    learning_rate: Annotated[float, typer.Option(min=0, help="Highest learning rate, reached after warm-up.")] = 1e-3
    warmup: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of the steps over which the learning rate rises.")
    ] = 0.03
    decay: Annotated[Decay, typer.Option(help="How the learning rate falls to 0.")] = "linear"
    weight_decay: Annotated[float, typer.Option(min=0)] = 0.01
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, batches and masks.")] = 0
    precision: Annotated[Precision, typer.Option(help="auto: bf16 where the device has it.")] = "auto"
    save_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints to resume from.")] = 1000
    licence: Annotated[str | None, typer.Option(help="For the model card, e.g. apache-2.0.")] = None

    def keywords(self) -> dict[str, Any]:
        """The arguments of `Pretraining` that these options set."""
        lengths, shares = numbers(self.lengths, int), numbers(self.shares, float)
        return {**asdict(self), "lengths": tuple(lengths), "shares": tuple(shares)}


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions(Options):
    """The same with shorter sequences."""

    lengths: Lengths = "16,32,64,128"
    shares: Shares = "0.15,0.25,0.3,0.3"


@pretrain_app.command("text")
@takes(options=Options)
def pretrain_text_command(
    files: Annotated[
        list[Path], typer.Argument(help="Plain text, UTF-8: a line a paragraph, a form feed between books.")
    ],
    *,
    out: CheckpointOut,
    vocabulary: Annotated[int, typer.Option(min=100, help="Wordpieces to learn.")] = 8192,
    tokenizer: Annotated[
        str | None, typer.Option(help="A folder or hub id of a tokenizer; default: learn wordpieces.")
    ] = None,
    options: Options,
) -> None:
    """Pre-train a text BERT by masked-language modelling on sequences that grow longer."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining, pretrain_text

    plan = Pretraining(vocabulary=vocabulary, tokenizer=tokenizer, **options.keywords())
    with progress_bar():
        made = pretrain_text(files, out, options=plan)
    print(made)


@pretrain_app.command("synthetic")
@takes(options=SyntheticOptions)
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
    options: SyntheticOptions,
) -> None:
    """Pre-train a BERT on sequences of integers that are made up as they are needed."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining, pretrain_synthetic

    plan = Pretraining(**options.keywords())
    with progress_bar():
        made = pretrain_synthetic(kind, out, options=plan, symbols=symbols, law=law, counts=counts, distinct=distinct)
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
