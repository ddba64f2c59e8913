"""The commands ``xdomain pretrain text``, ``… sequences`` and ``… synthetic``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from xdomain.cli import complete
from xdomain.cli.examples import epilog
from xdomain.cli.options import ColumnOption, columns_by_role, mapping_arguments, takes
from xdomain.core.choices import Decay, Grow, Objective, Positions, Precision
from xdomain.core.errors import RecipeError

pretrain_app = typer.Typer(help="Pre-train a small encoder.", no_args_is_help=True)

CheckpointOut = Annotated[Path, typer.Option(help="Folder for the checkpoint; repeat the command to resume.")]
Lengths = Annotated[str, typer.Option(help="Positions of a sequence in each stage, growing.")]
Shares = Annotated[str, typer.Option(help="Share of the tokens for each stage.")]


KINDS = (
    "uniform, unigram, bigram:N, flat:N, nesting:P, shuffle:N, dyck:K, identity, reverse, sort, set:N, union:N, "
    "delete:N, stack:P, automaton:K, automaton2d:K (a number may be left out); a mixture, flat:64*0.5+nesting*0.5; "
    "or a stream of your own."
)
SHAPE = ("layers", "width", "heads", "positions")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that all these commands have: fields of `xdomain.pretraining.config.Pretraining`."""

    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A checkpoint folder or hub id to continue from, which decides the shape.",
            autocompletion=complete.backbones,
        ),
    ] = None
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

    def keywords(self, context: typer.Context) -> dict[str, Any]:
        """The arguments of `Pretraining` that these options set; `context` knows which of them were typed.

        Raises
        ------
        RecipeError
            A list holds no numbers, or a shape is asked for that is not that of --from.
        """
        lengths, shares = numbers(self.lengths, int), numbers(self.shares, float)
        if self.start is not None and (shape := {name: getattr(self, name) for name in SHAPE if _typed(context, name)}):
            from xdomain.model.backbone import load_backbone
            from xdomain.pretraining.start import check_shape

            check_shape(load_backbone(self.start).config, shape)
        return {**asdict(self), "lengths": tuple(lengths), "shares": tuple(shares)}


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions(Options):
    """The same with shorter sequences."""

    lengths: Lengths = "16,32,64,128"
    shares: Shares = "0.15,0.25,0.3,0.3"


@pretrain_app.command("text", epilog=epilog("pretrain text"))
@takes(options=Options)
def pretrain_text_command(
    context: typer.Context,
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

    plan = Pretraining(vocabulary=vocabulary, tokenizer=tokenizer, **options.keywords(context))
    with progress_bar():
        made = pretrain_text(files, out, options=plan)
    print(made)


@pretrain_app.command("sequences", epilog=epilog("pretrain sequences"))
@takes(options=Options)
def pretrain_sequences_command(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(help="FASTA, tables, units, lines of tokens, …; or sound or music files, or folders of them."),
    ],
    *,
    domain: Annotated[
        str,
        typer.Option(
            help="What the files hold: dna, protein, speech, music, tokens, …", autocompletion=complete.domains
        ),
    ],
    out: CheckpointOut,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="With --from: random, identity, given:FILE, …, as for xdomain run; default: random.",
            autocompletion=complete.mappings,
        ),
    ] = None,
    mapping_seed: Annotated[int | None, typer.Option(min=0, help="With --from: seed of the mapping's draw.")] = None,
    column: ColumnOption = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="How records are read: adapter.options.tokens=kmer. Repeatable."),
    ] = None,
    options: Options,
) -> None:
    """Pre-train a BERT on unlabelled records of a domain, with the symbols of the domain as its vocabulary.

    Stages that are longer than nine of ten records need are left out, unless --lengths are given.
    """
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining
    from xdomain.pretraining.sequences import pretrain_sequences

    plan = Pretraining(**options.keywords(context))
    with progress_bar():
        made = pretrain_sequences(
            files, out, domain=domain, options=plan, fit_lengths=not _typed(context, "lengths"),
            **mapping_arguments(mapping), mapping_seed=mapping_seed, columns=columns_by_role(column),
            overrides=changes or (),
        )  # fmt: skip
    print(made)
    use = f"xdomain run FILE --domain {domain} --backbone {shlex.quote(str(made))} --mapping {mapping or 'own'}"
    print(f"next: {use}  # each symbol by the row that it learned", file=sys.stderr)


@pretrain_app.command("synthetic", epilog=epilog("pretrain synthetic"))
@takes(options=SyntheticOptions)
def pretrain_synthetic_command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help=KINDS)],
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
    """Pre-train a BERT on sequences of integers that are generated during training."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.pretraining.api import Pretraining, pretrain_synthetic

    plan = Pretraining(**options.keywords(context))
    with progress_bar():
        made = pretrain_synthetic(kind, out, options=plan, symbols=symbols, law=law, counts=counts, distinct=distinct)
    print(made)


def _typed(context: typer.Context, option: str) -> bool:
    """Whether `option` was given on the command line of `context`, though perhaps with its default."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


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
