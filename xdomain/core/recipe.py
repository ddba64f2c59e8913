"""The recipe of a task: where its data is, and how it is read, split, learned and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xdomain.core.choices import (
    DEFAULT_METRICS,
    OF_COLUMNS,
    PARTS,
    UNCOUNTED,
    Baseline,
    Calibration,
    ClassBalance,
    Init,
    NegativesHow,
    Problem,
    Thresholds,
    Tune,
    listed,
)
from xdomain.core.errors import RecipeError, unknown
from xdomain.core.overrides import Overrides, overridden
from xdomain.core.paths import is_file
from xdomain.core.train_options import Train
from xdomain.core.yaml_config import ConfigModel, checked, dump_yaml, read_config, read_yaml

SPLITS = ("train", "valid", "test")
NEGATIVES = "negatives"
"""The file of a source that negatives are made of."""
MAX_NAME_LENGTH = 240
"""Bytes of UTF-8 in a name that becomes a folder; file systems allow 255."""
ENCODER_FIELDS = ("init", "transfer", "tune", "mapping", "mapping_table")
"""Fields of `Run` that a baseline does not use."""


def _name_or_names(value: object) -> object:
    """Check for the name of a column, or several: pydantic alone would tell of two faults."""
    names: list[object] = value if isinstance(value, list) else [value]  # pyright: ignore
    if value is not None and not all(isinstance(name, str) for name in names):
        raise ValueError(f"columns.label: not the name of a column, or a list of names (got {value!r})")
    return value


def _count_or_share(value: float) -> float:
    """Check for a whole number of 1 or more, or a share below 1; `xdomain.data.splits` refuses values of 0 or less."""
    if value >= 1 and value != int(value):
        raise ValueError(f"{value:g} records: a whole number of them, or a share below 1")
    return int(value) if value >= 1 else value


Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Of weights and batches: numpy's own generator takes no larger one."""
DrawSeed = Annotated[int, Field(ge=0, lt=2**63)]
"""Of what is drawn with PCG64: splits, mappings, negatives."""


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


class Download(ConfigModel):
    """A file that can be downloaded. Its checksum is verified before it is used."""

    url: str
    sha256: str
    size: int | None = Field(
        default=None, gt=0, description="Bytes, for files of more than 2 GiB; a longer answer is refused."
    )
    tried: bool = Field(default=True, description="False if the author of the recipe could not try the URL.")


class Source(ConfigModel):
    """Where the raw files are."""

    files: dict[str, str] = Field(
        default={},
        description="Name to path: beside the recipe file, below XDOMAIN_DATA, or absolute. "
        "Names train, valid and test decide the split; "
        "negatives is what negatives are made of; other names are for the reader. "
        "Empty if the reader generates the data.",
    )
    downloads: dict[str, Download] = Field(default={}, description="Where to get missing files, by the same names.")
    homepage: str = Field(default="", description="Web page that describes the data set.")
    licence: str = ""
    citation: str = ""


class AdapterChoice(ConfigModel):
    """The domain and its options."""

    name: str
    options: dict[str, Any] = Field(default={})


class Columns(ConfigModel):
    """The columns of a plain table by what they hold. None: guessed, and the guess is logged."""

    id: str | None = None
    sequence: str | None = None
    sequence_b: str | None = None
    label: Annotated[str | list[str] | None, BeforeValidator(_name_or_names)] = Field(
        default=None, description="For multilabel and multioutput also a list: a column for each label or number."
    )
    tags: str | None = None
    start: str | None = Field(default=None, description="Start of the answer in its passage, in seconds, characters, …")
    end: str | None = None
    answer: str | None = Field(default=None, description="Text of an answer that begins at start, instead of end.")
    split: str | None = None
    group: str | None = None
    fold: str | None = Field(default=None, description="For `split.rule: fold`; it is not guessed.")
    weight: str | None = Field(
        default=None, description="How much a record counts in the loss, 0 or more; it is not guessed."
    )

    def weight_sentence(self) -> str:
        """Say that training records have weights, and where from."""
        return (
            f"In training, a record counts as much as the column `{self.weight}` says; in the metrics all count alike."
        )


def columns_of(names: Mapping[str, str | list[str]]) -> Columns:
    """Make `Columns` from names that the user gave.

    Parameters
    ----------
    names
        Column names by what the columns hold: ``{"label": "activity"}``; of several labels ``{"label": [NAME, NAME]}``.

    Raises
    ------
    RecipeError
        A key is not a field of `Columns`.
    """
    for role in names:
        if role not in Columns.model_fields:
            raise unknown("kind of column", role, Columns.model_fields)
    return Columns.model_validate(dict(names))


class Split(ConfigModel):
    """How records are split into train, valid and test."""

    rule: Literal["given", "random", "group", "cluster", "entity", "fold"] = Field(
        default="random",
        description="given: by the files or a split column; group: no group in two splits; cluster: no similar "
        "sequences in two splits; entity: new members in the pairs of test; fold: one fold is test.",
    )
    valid: float = Field(
        default=0.1, ge=0, lt=1, description="Share for validation; with `given`, only if none is given."
    )
    test: float = Field(default=0.1, ge=0, lt=1, description="Share for test; with `given`, only if none is given.")
    seed: DrawSeed = 0
    limit: dict[str, Annotated[float, AfterValidator(_count_or_share)]] = Field(
        default={},
        description="At most this many records of a split, or, below 1, this share of them; drawn with the seed.",
    )
    identity: float = Field(
        default=0.5, gt=0, le=1, description="With `cluster`: sequences that are at least this identical stay together."
    )
    sides: Literal["both", "one"] = Field(
        default="both", description="With `entity`: which members of a pair in test are in no pair of train."
    )
    folds: int | None = Field(
        default=None, ge=2, description="With `fold`: draw so many folds. None: as the column of `columns.fold` says."
    )
    fold: int | None = Field(
        default=None,
        ge=0,
        description="With `fold`: which of the folds is test, from 0. None: each in turn, one run each.",
    )


class Negatives(ConfigModel):
    """How records of a second class are made, where the data has one class only; docs/data.md."""

    how: NegativesHow = Field(
        default="none",
        description="shuffled: each record, dinucleotides of DNA or residues of proteins kept; background: regions of "
        "the genome source.files.negatives; proteins: those of source.files.negatives of like length.",
    )
    seed: DrawSeed = 0

    def sentence(self) -> str:
        """Say that negatives were made, and how."""
        ways = {
            "shuffled": "the other records, shuffled",
            "background": "random regions of a genome, as long as the other records",
            "proteins": "other proteins, about as long as the other records",
        }
        return f"The negatives are no measurements: they are {ways.get(self.how, 'none')} (seed {self.seed})."


class Run(ConfigModel):
    """The arm of a run: where its weights start, what is trained, and which token mapping is drawn."""

    backbone: str | None = Field(
        default=None, description="A folder or hub id; None: the checkpoint shipped with xdomain."
    )
    init: str = Field(default="pretrained", description=f"{listed(Init)}.")
    transfer: list[str] = Field(default=list(PARTS), description="Parts taken from the checkpoint.", min_length=1)
    tune: str = Field(default="full", description=f"{listed(Tune)}.")
    mapping: str = Field(default="random", description="How symbols get their wordpieces.")
    mapping_table: dict[str, str] = Field(default={}, description="Symbol to wordpiece, for the mapping `given`.")
    mapping_seed: DrawSeed = 0
    seed: Seed = 0
    baseline: Baseline | None = Field(default=None, description="A simple baseline instead of the encoder.")
    cnn_rate: float | None = Field(default=None, gt=0, description="Learning rate of the baseline cnn; None: 1e-3.")


class Published(ConfigModel):
    """A value from the literature to compare with."""

    model: str
    metric: str
    value: float
    source: str
    note: str = ""


class Landmark(ConfigModel):
    """A known motif at a fixed place in the sequences, to compare with what a model looks at."""

    name: str = Field(
        max_length=80, pattern=r"^\w[\w -]*$", description="Letters, digits, blanks: used in file names of figures."
    )
    label: str | None = Field(default=None, description="The class whose sequences have it; None: all classes.")
    at: int = Field(ge=0, description="Position of its first symbol, from 0.")
    symbols: str = Field(description="As written in the domain; ambiguity codes are allowed.")
    source: str


class Runtime(ConfigModel):
    """A measured run of this recipe with its defaults."""

    minutes: float
    hardware: str
    backbone: str


class Recipe(ConfigModel):
    """A task, as written in YAML."""

    name: Annotated[str, AfterValidator(_fit_for_a_path)]
    title: str
    version: int = 1
    source: Source
    reader: str = Field(default="table", description="A core reader (table, fasta) or one of a task package.")
    reader_options: dict[str, Any] = Field(default={})
    columns: Columns = Columns()
    adapter: AdapterChoice
    problem: Problem
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
    published: list[Published] = Field(default=[])
    landmarks: list[Landmark] = Field(default=[], description="Known places in sequences of one length.")
    runtime: list[Runtime] = Field(default=[])
    notes: str = ""

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
