"""The recipe of a task: where its data is, and how it is read, split, learned and evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from xdomain.core.choices import (
    DEFAULT_METRICS,
    OF_COLUMNS,
    UNCOUNTED,
    Calibration,
    ClassBalance,
    Problem,
    Thresholds,
)
from xdomain.core.errors import RecipeError
from xdomain.core.overrides import Overrides, overridden
from xdomain.core.paths import is_file
from xdomain.core.recipe_sections import (
    AdapterChoice,
    Columns,
    Landmark,
    Negatives,
    Published,
    Run,
    Runtime,
    Source,
    Split,
)
from xdomain.core.train_options import Train
from xdomain.core.yaml_config import ConfigModel, checked, dump_yaml, read_config, read_yaml

SPLITS = ("train", "valid", "test")
NEGATIVES = "negatives"
"""The file of a source that negatives are made of."""
MAX_NAME_LENGTH = 240
"""Bytes of UTF-8 in a name that becomes a folder; file systems allow 255."""
ENCODER_FIELDS = ("init", "transfer", "tune", "mapping", "mapping_table")
"""Fields of `Run` that a baseline does not use."""


def _fit_for_a_path(name: str) -> str:
    """Check the name of a task, which names folders: ``task`` or ``domain/task``; it may be that of a user's file."""
    parts = name.split("/")
    for part in parts:
        if not part.strip() or part.startswith(".") or not part.isprintable() or "\\" in part:
            shown = name if len(name) <= 60 else name[:60] + "…"
            raise ValueError(f"name: a task or domain/task, of letters, digits, - and _ (got {shown!r})")
    if len(parts) > 2 or any(len(part.encode("utf-8", "replace")) > MAX_NAME_LENGTH for part in parts):
        raise ValueError(f"name: at most domain/task, of up to {MAX_NAME_LENGTH} bytes each (got {name[:60]!r} …)")
    return name


class Recipe(ConfigModel):
    """A task, as written in YAML."""

    name: Annotated[str, AfterValidator(_fit_for_a_path)] = Field(
        description="`task` or `domain/task`; it names the run folders. A shipped recipe is named after its file."
    )
    title: str = Field(description="One line for lists, cards and figures.")
    version: int = Field(default=1, description="Version of the recipe, for its author.")
    source: Source
    reader: str = Field(default="table", description="A core reader (table, fasta) or one of a task package.")
    reader_options: dict[str, Any] = Field(
        default={},
        description="Options of the reader, such as `names`, `skip` and `delimiter` of `table`: [data.md](data.md).",
    )
    columns: Columns = Columns()
    adapter: AdapterChoice
    problem: Problem = Field(description="What the model is asked: [problems.md](problems.md).")
    target: AdapterChoice | None = Field(
        default=None, description="For sequence: the domain of what comes out; None: that of what goes in."
    )
    negatives: Negatives = Negatives()
    split: Split = Split()
    metrics: list[str] = Field(
        min_length=1,
        description="The first one chooses the checkpoint that is kept. Left out: those usual for the problem.",
    )
    positive: str | bool | int | float | None = Field(
        default=None,
        description="The positive one of two classes, for f1_binary and average_precision; None: the second in order. "
        "YAML takes no and 1 for other things than text; a class of that name is meant all the same.",
    )
    calibration: Calibration = Field(
        default="none", description="temperature: scale the logits so that probabilities fit validation."
    )
    thresholds: Thresholds = Field(
        default="validation",
        description="For multilabel, the probability from which on a label is given; for span, that above which no "
        "answer is given. validation: that with the best F1 (FF1) on validation; half: 0.5.",
    )
    class_balance: ClassBalance = Field(
        default="none",
        description="weights: in the loss, each training record or tag counts n / (classes x n of its class). batches: "
        "records are drawn with replacement, so that each class comes equally often.",
    )
    train: Train = Train()
    run: Run = Run()
    published: list[Published] = Field(default=[], description="Values from the literature, to compare with.")
    landmarks: list[Landmark] = Field(default=[], description="Known places in sequences of one length.")
    runtime: list[Runtime] = Field(default=[], description="Measured runs of this recipe as it is.")
    notes: str = Field(default="", description="Anything else a reader should know.")

    @model_validator(mode="before")
    @classmethod
    def _usual_metrics(cls, tree: Any) -> Any:
        """The metrics usual for the problem, where none are named."""
        if not isinstance(tree, Mapping) or tree.get("metrics") not in (None, []):  # pyright: ignore
            return tree  # pyright: ignore
        usual = DEFAULT_METRICS.get(str(tree.get("problem")))  # pyright: ignore
        return {**tree, "metrics": usual} if usual else tree

    @model_validator(mode="after")
    def _answerable(self) -> Recipe:
        if self.run.cnn_rate and self.run.baseline != "cnn":
            raise ValueError("run.cnn_rate: goes with the baseline cnn; an encoder has train.learning_rate")
        if self.problem in UNCOUNTED and self.run.baseline:
            does = "finds no spans; every result has random ones" if self.problem == "span" else "writes no sequences"
            raise ValueError(f"run.baseline: a {self.run.baseline} {does}")
        if self.target and self.problem != "sequence":
            raise ValueError(f"target: another domain comes out of the problem sequence alone, not of {self.problem}")
        return self

    @model_validator(mode="after")
    def _can_have_negatives(self) -> Recipe:
        how, domain = self.negatives.how, self.adapter.name
        domains = {"background": ("dna",), "proteins": ("protein",)}.get(how, ("dna", "protein"))
        if how != "none" and (self.problem != "classification" or domain not in domains):
            wanted = f"classification of {' or '.join(domains)}"
            raise ValueError(f"negatives.how: {how} is for {wanted}, not {self.problem} of {domain}")
        if how in ("background", "proteins") and NEGATIVES not in self.source.files:
            raise ValueError(f"negatives.how: {how} needs a file (source.files.{NEGATIVES}, --negatives {how}=FILE)")
        return self

    @model_validator(mode="after")
    def _of_classes(self) -> Recipe:
        able = ["classification", "pair"]
        if self.class_balance == "weights":
            able += ["tagging", "multilabel"]
        if self.class_balance != "none" and self.problem not in able:
            named = f"{', '.join(able[:-1])} or {able[-1]}"
            raise ValueError(f"class_balance: {self.class_balance} is for {named}, not {self.problem}")
        if self.calibration != "none" and self.problem not in ("classification", "pair"):
            raise ValueError(f"calibration: {self.calibration} is for classification and pair, not {self.problem}")
        return self

    @model_validator(mode="after")
    def _augmentable(self) -> Recipe:
        single = self.problem in ("classification", "regression", *OF_COLUMNS)
        if self.train.augment == "reverse_complement" and (self.adapter.name != "dna" or not single):
            raise ValueError("train.augment: reverse_complement is for dna, and neither for tagging nor for pairs")
        if self.train.augment == "transpose" and (self.adapter.name != "music" or not single):
            raise ValueError("train.augment: transpose is for music, and neither for tagging nor for pairs")
        if self.train.augment == "reverse_complement" and self.adapter.options.get("tokens") == "bpe":
            raise ValueError(
                "train.augment: the pieces of a BPE are others on the other strand; use nucleotide or kmer"
            )
        return self


def parse_recipe(text: str, *, where: str, overrides: Overrides = ()) -> Recipe:
    """Read a recipe from YAML.

    Parameters
    ----------
    text
        The YAML.
    where
        Name of its source, for messages.
    overrides
        Changes, each ``key.sub=value``.

    Raises
    ------
    RecipeError
        It is not a valid recipe, or a change is invalid. The message lists all invalid fields.
    """
    tree = read_yaml(text, where=where, kind="recipe", see="see `xdomain show dna/splice`")
    return recipe_from(tree, where=where, overrides=overrides)


def recipe_from(tree: Mapping[str, Any], *, where: str, overrides: Overrides = ()) -> Recipe:
    """Make a recipe from nested mappings.

    Parameters
    ----------
    tree
        The parts of the recipe, as YAML would give them. It is not changed.
    where, overrides
        As for `parse_recipe`.

    Raises
    ------
    RecipeError
        As for `parse_recipe`.
    """
    whole = overridden(Recipe, tree, overrides)
    return checked(Recipe, whole, where=where, fix=f"edit {where}, or --set key=value")


def encoder_options(
    *,
    backbone: str | None,
    transfer: Sequence[str] | None,
    tune: str | None,
    mapping: str | None,
    mapping_table: Mapping[str, str] | None,
    mapping_seed: int | None,
    seed: int | None,
) -> dict[str, Any]:
    """The keywords that runs and comparisons share, as fields of `Run` for `with_arm`.

    Parameters
    ----------
    backbone, transfer, tune, mapping, mapping_table, mapping_seed, seed
        As for `xdomain.run`.
    """
    return {
        "backbone": backbone, "transfer": list(transfer) if transfer is not None else None, "tune": tune,
        "mapping": mapping, "mapping_table": dict(mapping_table) if mapping_table is not None else None,
        "mapping_seed": mapping_seed, "seed": seed,
    }  # fmt: skip


def with_arm(recipe: Recipe, arm: dict[str, Any]) -> Recipe:
    """Set the arm of a recipe.

    Parameters
    ----------
    recipe
        Any recipe. It is not changed.
    arm
        Fields of `Run`. Those with the value None keep the value in `recipe`.

    Raises
    ------
    RecipeError
        A field has an invalid value, or is of no use for the given baseline (`ENCODER_FIELDS`).
    """
    given = {key: value for key, value in arm.items() if value is not None}
    if not given:
        return recipe
    unused = [key for key in ENCODER_FIELDS if key in given and given.get("baseline")]
    if unused:
        raise RecipeError(
            f"a {given['baseline']} baseline has no {', '.join(unused)}", expected="those go with an encoder",
            fix="leave them out, or leave --baseline out",
        )  # fmt: skip
    tree = recipe.model_dump(mode="json")
    tree["run"] |= given
    return recipe_from(tree, where=recipe.name)


def load_recipe(path: Path, *, overrides: Overrides = ()) -> Recipe:
    """Read the recipe file `path` and apply `overrides`, as `parse_recipe` does; files beside it are found there.

    Raises
    ------
    RecipeError
        The file cannot be read, or as for `parse_recipe`.
    """
    recipe = parse_recipe(read_config(path, kind="recipe"), where=str(path), overrides=overrides)
    beside = {
        name: str(place.resolve())
        for name, file in recipe.source.files.items()
        if not Path(file).is_absolute() and is_file(place := path.parent / file)
    }
    source = recipe.source.model_copy(update={"files": recipe.source.files | beside})
    return recipe.model_copy(update={"source": source}) if beside else recipe


def dump_recipe(recipe: Recipe) -> str:
    """Write `recipe` as YAML, from which `parse_recipe` makes an equal recipe."""
    return dump_yaml(recipe.model_dump(mode="json"))
