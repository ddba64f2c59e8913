"""A study as a person writes it: which tasks, arms, seeds and rates are crossed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from xdomain.core.choices import ARMS, PARTS, Baseline, Init, Problem, Tune
from xdomain.core.errors import clipped, nearest
from xdomain.core.paths import expanded
from xdomain.core.recipe_sections import DrawSeed, Seed
from xdomain.core.yaml_config import ConfigModel, checked, read_config, read_yaml
from xdomain.model.initialise import EncoderArm

SEE = "see examples/studies/"
MAX_SEEDS = 100_000
MAX_CELLS = 1_000_000
SAME_FOR_ALL = ("name", "source", "reader", "reader_options", "columns", "problem", "metrics", "split")
"""Parts of a recipe that decide which records are judged, and by which metrics."""


class RunSeeds(NamedTuple):
    """The seeds of one run."""

    mapping: int
    seed: int
    split: int | None = None
    """None: the one that the recipe names."""


def _counted(value: object, about: ValidationInfo) -> object:
    """``5`` means 0, 1, 2, 3, 4."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value > MAX_SEEDS:
        raise ValueError(f"{about.field_name}: more than {MAX_SEEDS:,} of them")
    return list(range(value))


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _distinct(values: list[Any]) -> list[Any]:
    twice = next((value for value, count in Counter(values).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{clipped(str(twice), 200)} comes twice")
    return values


Seeds = Annotated[
    list[Seed], BeforeValidator(_counted), AfterValidator(_distinct), Field(min_length=1, max_length=MAX_SEEDS)
]
MappingSeeds = Annotated[
    list[DrawSeed], BeforeValidator(_counted), AfterValidator(_distinct), Field(min_length=1, max_length=MAX_SEEDS)
]
SplitSeeds = Annotated[
    list[DrawSeed], BeforeValidator(_counted), AfterValidator(_distinct), Field(max_length=MAX_SEEDS)
]
Rates = Annotated[
    list[Annotated[float, Field(gt=0)]],
    BeforeValidator(_one_or_many),
    AfterValidator(_distinct),
    AfterValidator(sorted),
]
Shares = Annotated[
    list[Annotated[float, Field(gt=0, le=1)]],
    BeforeValidator(_one_or_many), AfterValidator(_distinct), AfterValidator(sorted), Field(min_length=1),
]  # fmt: skip


class LocalTask(ConfigModel):
    """A data file of the user's own as a task."""

    data: str | dict[str, str] = Field(
        description="A file or folder, or train: FILE, test: FILE; here and below beside the study file, or absolute."
    )
    domain: str
    name: str = Field(default="", description="For the report. None: that of the file.", max_length=80)
    problem: Problem | None = None
    columns: dict[str, str | list[str]] = Field(
        default={}, description="Which column holds what: label: NAME, or several: label: [NAME, NAME]."
    )
    labels: str | None = Field(default=None, description="A table of ids and labels, where the data have none.")
    genome: str | None = Field(default=None, description="A genome as FASTA, where the data are intervals.")
    drop_incomplete: bool = Field(default=False, description="Leave out rows without a sequence or a label.")
    negatives: str | None = Field(
        default=None, description="For data of one class: shuffled, background=GENOME.fa or proteins=FILE.fasta."
    )
    set: dict[str, Any] = Field(default={}, description="Changes to the recipe, for this task alone.")

    @property
    def described(self) -> str:
        """Its file in its folder, and the column of its labels if that is named: what tells it from its like."""
        lead = self.data if isinstance(self.data, str) else next(iter(self.data.values()))
        label = self.columns.get("label", "")
        named = label if isinstance(label, str) else " ".join(label)
        return "/".join(Path(lead).parts[-2:]) + (f", {named}" if named else "")


class Arm(ConfigModel):
    """What is compared: where the encoder starts, what is trained, how symbols get their wordpieces."""

    name: str = Field(default="", description="None: the init or baseline, with the other fields that are set.")
    init: Init = "pretrained"
    transfer: list[str] = Field(default=list(PARTS), min_length=1)
    tune: Tune = "full"
    mapping: str | None = Field(default=None, description="None: as the task's recipe says.")
    backbone: str | None = Field(default=None, description="None: that of the study.")
    baseline: Baseline | None = None
    learning_rates: Rates = Field(default=[], description="Searched for this arm. None: the study's; a baseline's own.")
    set: dict[str, Any] = Field(default={}, description="Changes to the recipe, for this arm alone.")

    @property
    def label(self) -> str:
        """Its name; without one, a label made of the fields that are set."""
        if self.name:
            return self.name
        parts = [self.baseline or EncoderArm(self.init, tuple(self.transfer), self.tune).label]
        parts += [self.mapping] if self.mapping else []
        parts += [f"{key.split('.')[-1]}={value}" for key, value in self.set.items()]
        return " ".join(parts)


def _arm(value: object) -> object:
    """An arm may be given as a word: the name of a baseline or of an init."""
    if not isinstance(value, str):
        return value
    if value not in ARMS:
        near = nearest(value, ARMS)
        raise ValueError(
            f"arms: unknown arm {value!r}, expected one of {', '.join(ARMS)}" + f"; did you mean {near}?" * bool(near)
        )
    return {"baseline": value} if value in get_args(Baseline) else {"init": value}


class Search(ConfigModel):
    """How the learning rate of an arm is chosen: by the mean on validation over a few seeds, then kept for all."""

    rule: Literal["full", "halving"] = Field(
        default="full",
        description="full: a run of each rate; halving: a run of a third of the steps of each, then, of the better "
        "third of the rates, a full one. Baselines are searched in full.",
    )
    seeds: int = Field(default=1, gt=0, description="The first so many of the seeds.")
    mapping_seeds: int = Field(default=1, gt=0, description="The first so many of the mapping seeds.")


class Resources(ConfigModel):
    """What a cell needs of a Ray cluster."""

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)


Task = Annotated[
    Annotated[str, Tag("name")] | Annotated[LocalTask, Tag("data")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "data"),
]
"""A task by its name or recipe file, or data of one's own."""


class Grid(ConfigModel):
    """A study: the axes that are crossed, and the settings that are the same for all cells."""

    name: str = Field(
        default="",
        pattern=r"^([\w-][\w.-]*)?$",
        max_length=80,
        description="None: that of the file. Names the report's folder.",
    )
    question: str = ""
    tasks: Annotated[list[Task], BeforeValidator(_one_or_many), Field(min_length=1)]
    arms: Annotated[list[Annotated[Arm, BeforeValidator(_arm)]], Field(min_length=1)]
    reference: str = Field(default="", description="The arm that all are compared with. None: the first.")
    seeds: Seeds = Field(default=[0, 1, 2])
    mapping_seeds: MappingSeeds = Field(default=[0])
    split_seeds: Literal["seeds"] | SplitSeeds = Field(
        default=[], description="Splits drawn anew. None: the recipe's. seeds: one for each seed, by the seed's number."
    )
    design: Literal["crossed", "paired"] = Field(
        default="crossed", description="paired: the i-th mapping seed and split seed go with the i-th seed alone."
    )
    learning_rates: Rates = Field(default=[], description="None: that of the task's recipe, for every arm.")
    search: Search = Search()
    fractions: Shares = Field(default=[1.0], description="Of the training records.")
    backbone: str | None = Field(default=None, description="None: the checkpoint shipped with xdomain.")
    set: dict[str, Any] = Field(default={}, description="Changes to every recipe: train.epochs: 3.")
    resources: Resources = Resources()
    max_cells: int = Field(
        default=1000, gt=0, le=MAX_CELLS, description="A larger grid is refused as a likely mistake."
    )

    @model_validator(mode="after")
    def _possible(self) -> Grid:
        labels = [arm.label for arm in self.arms]
        _distinct(labels)
        _distinct([str(task) for task in self.tasks])
        _distinct([task.name for task in self.tasks if isinstance(task, LocalTask) and task.name])
        if self.reference and self.reference not in labels:
            raise ValueError(f"reference: {self.reference} is none of the arms {', '.join(labels)}")
        if self.design == "paired":
            for what, others in (("mapping seeds", self.mapping_seeds), ("split seeds", self._splits())):
                if others and len(self.seeds) != len(others):
                    raise ValueError(f"design: {len(self.seeds)} seeds cannot be paired with {len(others)} {what}")
        varied = [
            "run.seed",
            "run.mapping_seed",
            "train.learning_rate",
            "run.cnn_rate",
            "split.fraction",
            "run.init",
        ]
        for key in (*varied, *(["split.seed"] if self.split_seeds else [])):
            if key in self.set or any(key in arm.set for arm in self.arms):
                raise ValueError(f"set: {key} is what a study varies; name it where its axis is")
        self._check_size()
        for arm in self.arms:
            if arm.learning_rates and arm.baseline == "kmer":
                raise ValueError(f"arms: {arm.label}: learning_rates: k-mer counts have none")
            if records := [key for key in arm.set if key.split(".")[0] in SAME_FOR_ALL]:
                raise ValueError(
                    f"arms: {arm.label}: set: {records[0]} may change which records are judged, and arms are compared "
                    f"record by record; give it under the study's own set"
                )
        return self

    def _check_size(self) -> None:
        """Refuse axes that no study has, before any cell is made; `max_cells` is for those that really differ."""
        seeds, splits = len(self.seeds), len(self._splits()) if self.split_seeds != "seeds" else 1
        crossed = seeds if self.design == "paired" else seeds * len(self.mapping_seeds) * max(1, splits)
        runs = crossed + self._most_rates() * self.search.seeds * self.search.mapping_seeds
        cells = len(self.tasks) * len(self.arms) * len(self.fractions) * runs
        if cells > min(100 * self.max_cells, MAX_CELLS):
            raise ValueError(
                f"{cells:,} cells ({len(self.tasks):,} tasks × {len(self.arms):,} arms × {len(self.fractions):,} "
                f"fractions × {crossed:,} seeds, and a search over {self._most_rates():,} learning rates); "
                f"max_cells: {self.max_cells:,}"
            )

    def _most_rates(self) -> int:
        return max(len(self.learning_rates), *(len(arm.learning_rates) for arm in self.arms))

    @property
    def reference_arm(self) -> str:
        """The label of the reference arm."""
        return self.reference or self.arms[0].label

    def run_seeds(self, *, search: bool = False) -> Iterator[RunSeeds]:
        """The seeds of each cell of an arm; with `search`, only of those that choose its learning rate."""
        mappings, seeds, splits = self.mapping_seeds, self.seeds, self._splits()
        if search:
            mappings, seeds = mappings[: self.search.mapping_seeds], seeds[: self.search.seeds]
        if self.design == "paired":
            together = zip(self.mapping_seeds, self.seeds, splits or [None] * len(self.seeds), strict=True)
            yield from [RunSeeds(*one) for one in together][: max(len(mappings), len(seeds))]
        elif self.split_seeds == "seeds":
            yield from (RunSeeds(mapping, seed, seed) for mapping in mappings for seed in seeds)
        else:
            own = (splits[:1] if search else splits) or [None]
            yield from (RunSeeds(*one) for one in product(mappings, seeds, own))

    def _splits(self) -> list[int]:
        return self.seeds if self.split_seeds == "seeds" else self.split_seeds


def load_grid(path: Path) -> Grid:
    """Read a study file.

    Parameters
    ----------
    path
        A YAML file. Data files and recipe files that it names are relative to its folder; a study without a name
        takes the name of the file.

    Raises
    ------
    RecipeError
        The file cannot be read, or the study is impossible; the message lists all faults at once.
    """
    tree = read_yaml(read_config(path, kind="study", see=SEE), where=str(path), kind="study", see=SEE)
    grid = checked(Grid, tree, where=str(path), fix=f"edit {path}")
    tasks = [_beside(task, path.parent) for task in grid.tasks]
    return grid.model_copy(update={"name": grid.name or path.stem, "tasks": tasks})


def _beside(task: str | LocalTask, folder: Path) -> str | LocalTask:
    def beside(file: str) -> str:
        return file if file.startswith("hub:") else str((folder / expanded(file)).resolve())

    if isinstance(task, str):
        return beside(task) if task.endswith((".yaml", ".yml")) else task
    data = (
        {part: beside(file) for part, file in task.data.items()} if isinstance(task.data, dict) else beside(task.data)
    )
    how, equals, file = (task.negatives or "").partition("=")
    files = {"labels": task.labels and beside(task.labels), "genome": task.genome and beside(task.genome),
             "negatives": f"{how}={beside(file)}" if equals else task.negatives}  # fmt: skip
    return task.model_copy(update={"data": data, **files})
