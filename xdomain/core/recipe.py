"""What a task is: where its data lies, how it is read, split, learned and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from xdomain.core.choices import PARTS, Baseline, Init, Problem, Tune, listed
from xdomain.core.errors import RecipeError, nearest, unknown
from xdomain.core.yaml_config import ConfigModel, checked, read_yaml

SPLITS = ("train", "valid", "test")
ENCODER_FIELDS = ("init", "transfer", "tune", "mapping", "mapping_table")
"""Fields of `Run` that a baseline has no use for."""


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _count_or_share(value: float) -> float:
    """A whole number from 1 on, or a share below; `xdomain.data.splits` refuses what is not above 0."""
    if value >= 1 and value != int(value):
        raise ValueError(f"{value:g} records: a whole number of them, or a share below 1")
    return int(value) if value >= 1 else value


class Download(ConfigModel):
    """A file that can be fetched: its checksum is compared before it is used."""

    url: str
    sha256: str
    tried: bool = Field(default=True, description="False where the URL could not be tried by whoever wrote the recipe.")


class Source(ConfigModel):
    """Where the raw files lie."""

    files: dict[str, str] = Field(
        default={},
        description="Name to path below XDOMAIN_DATA, or absolute. Names train, valid and test decide the split; "
        "other names are the reader's. Empty for data that the reader makes up.",
    )
    downloads: dict[str, Download] = Field(default={}, description="By the same names: where to get what is missing.")
    homepage: str = Field(default="", description="Where a person finds the data set described.")
    licence: str
    citation: str


class AdapterChoice(ConfigModel):
    """The domain and its options."""

    name: str
    options: dict[str, Any] = Field(default={})


class Columns(ConfigModel):
    """Which columns of a plain table hold what; None is guessed and the guess is said."""

    id: str | None = None
    sequence: str | None = None
    sequence_b: str | None = None
    label: str | None = None
    tags: str | None = None
    start: str | None = Field(default=None, description="Of an answer in its passage: seconds, characters, …")
    end: str | None = None
    split: str | None = None
    group: str | None = None
    fold: str | None = Field(default=None, description="For `split.rule: fold`; it is not guessed.")


def columns_of(names: Mapping[str, str]) -> Columns:
    """Check which columns hold what, as a person told it.

    Parameters
    ----------
    names
        The name of a column, by what it holds: ``{"label": "activity"}``.

    Raises
    ------
    RecipeError
        Nothing of that kind can be held.
    """
    for role in names:
        if role not in Columns.model_fields:
            raise unknown("kind of column", role, Columns.model_fields)
    return Columns(**names)


class Split(ConfigModel):
    """How records become train, valid and test."""

    rule: Literal["given", "random", "group", "cluster", "entity", "fold"] = Field(
        default="random",
        description="given: as the files or a split column say; group: no group in two splits; cluster: no similar "
        "sequences in two splits; entity: new members in the pairs of test; fold: one fold is test.",
    )
    valid: float = Field(
        default=0.1, ge=0, lt=1, description="Share for validation; with `given`, only if none is given."
    )
    test: float = Field(default=0.1, ge=0, lt=1, description="Share for test; with `given`, only if none is given.")
    seed: int = Field(default=0, ge=0)
    limit: dict[str, Annotated[float, AfterValidator(_count_or_share)]] = Field(
        default={},
        description="At most this many records of a split, or this share of them below 1; drawn with the seed.",
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
    fold: int = Field(default=0, ge=0, description="With `fold`: which of the folds is test, from 0.")


class Train(ConfigModel):
    """Options of fine-tuning."""

    epochs: float | None = Field(default=None, gt=0, description="None: 6, or as many as make 300 steps.")
    max_steps: int = Field(default=-1, description="Overrides epochs where positive.")
    batch_size: int = Field(default=16, gt=0, description="Records a step, whatever number of devices shares them.")
    gradient_accumulation_steps: int = Field(
        default=1, gt=0, description="Parts that a batch is worked off in, one after another, where memory is short."
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="None: 5e-4 for backbones of up to 256 units, the one shipped; less for wider."
    )
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    weight_decay: float = Field(default=0.0, ge=0)
    attention_dropout: float = Field(default=0.0, ge=0, lt=1, description="Above 0 it is slow on a CPU.")
    hidden_dropout: float = Field(default=0.1, ge=0, lt=1)
    max_length: int | None = Field(
        default=None, description="Positions a window, specials included; None: the backbone's."
    )
    window_overlap: int = Field(default=0, ge=0, description="Symbols that two neighbouring windows share.")
    max_windows: int = Field(default=32, gt=0, description="A sequence that needs more is `too_long`.")
    too_long: Literal["error", "truncate"] = "error"
    max_answer: int = Field(default=275, gt=0, description="Symbols that a predicted answer may have.")
    augment: Literal["none", "reverse_complement", "transpose"] = Field(
        default="none", description="Anew for each record and epoch: the other strand, or -5 to +6 semitones."
    )
    patience: int | None = Field(
        default=None, gt=0, description="Evaluations without gain before stopping; None: never."
    )
    evaluations: int | None = Field(
        default=None, gt=0, description="Evaluations over the run; None: one an epoch, at most 20."
    )
    slice_vocabulary: bool = True
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    report_to: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(default=[])


class Run(ConfigModel):
    """Which arm of a comparison a run is: what starts where, what is trained, which draw of the mapping."""

    backbone: str | None = Field(
        default=None, description="A folder or hub id; None: the checkpoint shipped with xdomain."
    )
    init: str = Field(default="pretrained", description=f"{listed(Init)}.")
    transfer: list[str] = Field(
        default=list(PARTS), description="Which parts come over from the checkpoint.", min_length=1
    )
    tune: str = Field(default="full", description=f"{listed(Tune)}.")
    mapping: str = Field(default="random", description="How symbols get their wordpieces.")
    mapping_table: dict[str, str] = Field(default={}, description="Symbol to wordpiece, for the mapping `given`.")
    mapping_seed: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)
    baseline: Baseline | None = Field(default=None, description="A simple baseline instead of the encoder.")


class Published(ConfigModel):
    """A value from the literature to stand beside ours."""

    model: str
    metric: str
    value: float
    source: str
    note: str = ""


class Landmark(ConfigModel):
    """What is known of a fixed place in the sequences, to lay beside what a model looks at."""

    name: str = Field(pattern=r"^\w[\w -]*$", description="Letters, digits, blanks: pictures are named by it.")
    label: str | None = Field(default=None, description="The class that has it; None: all.")
    at: int = Field(ge=0, description="Where its first symbol lies, from 0.")
    symbols: str = Field(description="As the domain writes them, ambiguity codes allowed.")
    source: str


class Runtime(ConfigModel):
    """A measured run of this recipe with its defaults."""

    minutes: float
    hardware: str
    backbone: str


class Recipe(ConfigModel):
    """A task, as a person writes it in YAML."""

    name: str
    title: str
    version: int = 1
    source: Source
    reader: str = Field(default="table", description="A core reader (table, fasta) or one of a task package.")
    reader_options: dict[str, Any] = Field(default={})
    columns: Columns = Columns()
    adapter: AdapterChoice
    problem: Problem
    split: Split = Split()
    metrics: list[str] = Field(min_length=1, description="The first decides which checkpoint is kept.")
    train: Train = Train()
    run: Run = Run()
    published: list[Published] = Field(default=[])
    landmarks: list[Landmark] = Field(default=[], description="Known places in sequences of one length.")
    runtime: list[Runtime] = Field(default=[])
    notes: str = ""

    @model_validator(mode="after")
    def _answerable(self) -> Recipe:
        if self.problem == "span" and self.run.baseline:
            raise ValueError(f"run.baseline: a {self.run.baseline} finds no spans; every result has random ones")
        return self

    @model_validator(mode="after")
    def _augmentable(self) -> Recipe:
        single = self.problem in ("classification", "regression")
        if self.train.augment == "reverse_complement" and (self.adapter.name != "dna" or not single):
            raise ValueError("train.augment: reverse_complement is for dna, and neither for tagging nor for pairs")
        if self.train.augment == "transpose" and (self.adapter.name != "music" or not single):
            raise ValueError("train.augment: transpose is for music, and neither for tagging nor for pairs")
        if self.train.augment == "reverse_complement" and self.adapter.options.get("tokens") == "bpe":
            raise ValueError(
                "train.augment: the pieces of a BPE are others on the other strand; use nucleotide or kmer"
            )
        return self


def parse_recipe(text: str, *, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from YAML text, with ``key.sub=value`` overrides applied; all faults reported at once."""
    tree = read_yaml(text, where=where, kind="recipe", see="see `xdomain show dna/splice`")
    return recipe_from(tree, where=where, overrides=overrides)


def recipe_from(tree: Mapping[str, Any], *, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from nested mappings, with ``key.sub=value`` overrides applied; all faults at once."""
    whole = _deep_copy(tree)
    for override in overrides:
        _override(whole, override)
    return checked(Recipe, whole, where=where, fix=f"edit {where}, or --set key=value")


def with_arm(recipe: Recipe, arm: dict[str, Any]) -> Recipe:
    """The recipe with the given fields of its `run` part; None means: as the recipe says."""
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


def load_recipe(path: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a file."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read ({error})", expected="a recipe in YAML") from None
    return parse_recipe(text, where=str(path), overrides=overrides)


def dump_recipe(recipe: Recipe) -> str:
    """YAML that `parse_recipe` reads back to an equal recipe."""
    tree = recipe.model_dump(mode="json")
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    if "\x85" in text:  # a line break to YAML, which PyYAML leaves unquoted
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=False, width=100)
    return text


def _deep_copy(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _deep_copy(value) for key, value in tree.items()}
    return tree


def _override(tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override}", expected="key=value, e.g. train.epochs=3")
    *path, last = key.strip().split(".")
    model: Any = Recipe
    for step in (*path, last):
        if model is None:
            break
        fields = model.model_fields
        if step not in fields:
            near = nearest(step, fields)
            full = ".".join([*path[: path.index(step)], near]) if near and step in path else near
            if near and step == last:
                full = ".".join([*path, near])
            raise RecipeError(f"--set {key}: no such option", expected=f"one of {', '.join(fields)}", nearest=full)
        kind = fields[step].annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    place: Any = tree
    for step in path:
        if place.get(step) is None:
            place[step] = {}
        place = place[step]
        if not isinstance(place, dict):
            raise RecipeError(f"--set {key}: {step} is a value, not a group of options", expected=f"{step}=VALUE")
    downloads = tree["source"].get("downloads") if path == ["source", "files"] else None
    if isinstance(downloads, dict):
        downloads.pop(last, None)  # what can be had there is not the file that is named now
    try:
        place[last] = _scalar(value)
    except (yaml.YAMLError, ValueError):
        place[last] = value


def _scalar(value: str) -> Any:
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", value.strip()):
        return float(value)  # YAML 1.1 reads 1e-4 as a string
    return yaml.safe_load(value)
