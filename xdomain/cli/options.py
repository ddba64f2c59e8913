"""The options that several commands share: kinds of options, and groups that a command takes in one piece."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from xdomain.cli import complete
from xdomain.core import choices
from xdomain.core.choices import listed
from xdomain.core.errors import RecipeError

if TYPE_CHECKING:
    from xdomain.core.recipe import Recipe
    from xdomain.core.recipe_sections import Columns

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change the recipe: key.sub=value. Repeatable.")]
SetReading = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change how records are read: adapter.options.unknown=count. Repeatable."),
]
Task = Annotated[
    str | None,
    typer.Argument(help="A data file, a recipe, or a shipped task (see `xdomain ls`).", autocompletion=complete.tasks),
]
RunFolder = Annotated[Path, typer.Argument(help="A finished run.", autocompletion=complete.runs)]
OverwriteFile = Annotated[bool, typer.Option("--overwrite", help="Replace the file --out.")]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", help="Which column holds what: label=NAME. Repeatable.")
]


def takes(**groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command so that typer offers the fields of the dataclasses `groups` as options of it.

    The command has one keyword-only argument for each group, by its name in `groups`, and gets an instance of the
    dataclass. A field is annotated as an option of a command is, and has a default.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            group = groups.get(parameter.name)
            parameters += [parameter] if group is None else _options(group)

        @functools.wraps(command)
        def whole(**given: Any) -> None:
            made = {name: group(**{f.name: given.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
            command(**given, **made)

        whole.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        whole.__annotations__ = {p.name: p.annotation for p in parameters}  # typer reads both
        return whole

    return decorate


def _options(group: type[Any]) -> list[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=kinds[field.name],
        )
        for field in fields(group)
    ]


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """The options that name one's own records instead of a task and say what they hold, and changes to the recipe."""

    data: Annotated[
        list[str] | None, typer.Option(help="Your own table, sequences, folder or hub:NAME instead of a task.")
    ] = None
    train: Annotated[Path | None, typer.Option(help="Your own training records, in place of --data.")] = None
    valid: Annotated[Path | None, typer.Option(help="Records to choose by; default: a tenth of --train.")] = None
    test: Annotated[Path | None, typer.Option(help="Records to judge by; default: a tenth of --train.")] = None
    labels: Annotated[Path | None, typer.Option(help="A table of ids and labels, where --data has none.")] = None
    genome: Annotated[Path | None, typer.Option(help="A genome as FASTA, where --data holds intervals (BED, GTF).")] = (
        None
    )
    domain: Annotated[
        str | None,
        typer.Option(
            help="What --data holds: dna, protein, speech, music, text, or tokens of any kind.",
            autocompletion=complete.domains,
        ),
    ] = None
    drop_incomplete: Annotated[
        bool, typer.Option("--drop-incomplete", help="Leave out rows without a sequence or a label.")
    ] = False
    negatives: Annotated[
        str | None,
        typer.Option(
            help="Where --data has one class: make the other, shuffled, background=GENOME.fa or proteins=FILE.fasta.",
            autocompletion=complete.words("shuffled"),
        ),
    ] = None
    column: ColumnOption = None
    problem: Annotated[choices.Problem | None, typer.Option(help="The problem, in place of the guessed one.")] = None
    changes: Set = None

    def recipe(self, task: str | None, backbone: str | None = None) -> Recipe:
        """Make the recipe that was asked for; a wrong name is reported here, before torch is loaded.

        Parameters
        ----------
        task
            A shipped task, a recipe file or a data file; None where these options name the records.
        backbone
            The checkpoint that replaces the recipe's, if any.

        Returns
        -------
        Recipe
            With all changes.

        Raises
        ------
        UserError
            Names or options do not go together, or something is not found.
        """
        from xdomain.data.own_data import task_of
        from xdomain.model.checkpoints import locate_backbone

        recipe = task_of(
            task,
            self._records(),
            self.domain,
            columns=columns_by_role(self.column),
            problem=self.problem,
            labels=self.labels,
            genome=self.genome,
            drop_incomplete=self.drop_incomplete,
            negatives=self.negatives,
            overrides=self.changes or (),
        )
        locate_backbone(backbone or recipe.run.backbone)
        return recipe

    def _records(self) -> str | Mapping[str, Path] | None:
        """What --data names, or the files of --train, --valid and --test."""
        by_split = {"train": self.train, "valid": self.valid, "test": self.test}
        given = {name: path for name, path in by_split.items() if path is not None}
        if given and self.data:
            raise RecipeError(
                f"--data and --{next(iter(given))}", expected="--data alone, or --train, --valid and --test"
            )
        if self.data and len(self.data) > 1:
            raise RecipeError(
                f"--data {len(self.data)} times",
                expected="one file or folder",
                fix="--train, --valid and --test for several",
            )
        return given or (self.data[0] if self.data else None)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The options of every command that trains: the encoder, how it is tuned, how long, and where the runs go."""

    backbone: Annotated[
        str | None,
        typer.Option(
            help="A checkpoint folder or hub id; default: the one shipped.", autocompletion=complete.backbones
        ),
    ] = None
    transfer: Annotated[
        str | None,
        typer.Option(
            help=f"Parts taken from the checkpoint: {','.join(choices.PARTS)}.",
            autocompletion=complete.several(*choices.PARTS),
        ),
    ] = None
    tune: Annotated[
        str | None,
        typer.Option(help=f"What is trained: {listed(choices.Tune)}.", autocompletion=complete.choices(choices.Tune)),
    ] = None
    mapping: Annotated[
        str | None,
        typer.Option(
            help="random, own, frequent, rare, identity, permute, shift, block:N, given:FILE (JSON or YAML), "
            "search:N (the best of N draws), learned or learned:sparse.",
            autocompletion=complete.mappings,
        ),
    ] = None
    mapping_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the mapping's draw.")] = None
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of head, batches and dropout.")] = None
    minutes: Annotated[
        float | None, typer.Option(help="About how long it may take: steps are chosen by the measured pace, and shown.")
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write; default: runs/TASK/ARM-mM-sS, plus a hash if options differ; for compare "
            "runs/TASK/compare."
        ),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")] = False
    resume: Annotated[bool, typer.Option("--resume", help="Finish the interrupted run in the output folder.")] = False

    def keywords(self) -> dict[str, Any]:
        """The arguments of `xdomain.run` and `xdomain.compare` that these options set."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**options, "transfer": names_in(self.transfer), **mapping_arguments(self.mapping)}


def mapping_arguments(text: str | None) -> dict[str, Any]:
    """The arguments that --mapping `text` sets. A table is read from its file."""
    if text is None or not text.startswith("given:"):
        return {"mapping": text}
    from xdomain.model.make_mapping import load_given

    return {"mapping": "given", "mapping_table": load_given(Path(text.removeprefix("given:")))}


def names_in(text: str | None) -> list[str] | None:
    """Split `text` at commas; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def columns_by_role(pairs: list[str] | None) -> Columns | None:
    """The columns by what they hold, from `pairs` ROLE=NAME; None where there are no pairs.

    Raises
    ------
    RecipeError
        A pair has no such role.
    """
    from xdomain.core.recipe_sections import Columns, columns_of

    if not pairs:
        return None
    names: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in Columns.model_fields:
            raise RecipeError(f"--column {pair}", expected=f"ROLE=NAME, ROLE one of {', '.join(Columns.model_fields)}")
        names[role] = name
    return columns_of(names)
