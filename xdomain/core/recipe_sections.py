"""The sections of a recipe, each with the meaning of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xdomain.core.choices import PARTS, Baseline, Init, NegativesHow, Tune, listed
from xdomain.core.errors import unknown
from xdomain.core.yaml_config import ConfigModel


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


class Download(ConfigModel):
    """A file that can be downloaded. Its checksum is verified before it is used."""

    url: str = Field(description="Address of the file.")
    sha256: str = Field(description="Checksum of the file.")
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
    licence: str = Field(default="", description="Licence of the data.")
    citation: str = Field(default="", description="Publication to cite for the data.")


class AdapterChoice(ConfigModel):
    """The domain and its options."""

    name: str = Field(description="A domain of `xdomain ls adapters`.")
    options: dict[str, Any] = Field(default={}, description="Options of the domain: [domains.md](domains.md).")


class Columns(ConfigModel):
    """The columns of a plain table by what they hold. None: guessed, and the guess is logged."""

    id: str | None = Field(
        default=None, description="Names of the records; null: a column that looks like one, else row numbers."
    )
    sequence: str | None = Field(default=None, description="Sequences, or names of sound or MIDI files.")
    sequence_b: str | None = Field(default=None, description="Second sequences of pairs, or passages.")
    label: Annotated[str | list[str] | None, BeforeValidator(_name_or_names)] = Field(
        default=None, description="For multilabel and multioutput also a list: a column for each label or number."
    )
    tags: str | None = Field(default=None, description="A tag, or a number, for each symbol.")
    start: str | None = Field(default=None, description="Start of the answer in its passage, in seconds, characters, …")
    end: str | None = Field(default=None, description="End of the answer, exclusive.")
    answer: str | None = Field(default=None, description="Text of an answer that begins at start, instead of end.")
    split: str | None = Field(default=None, description="Train, valid or test.")
    group: str | None = Field(
        default=None, description="What belongs together: one split (`split.rule: group`), and resampled together."
    )
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


def columns_with_label(columns: Mapping[str, str | list[str]] | None, label: str | list[str] | None) -> Columns | None:
    """`Columns` from the keywords `columns` and `label`, of which the latter decides; None where neither names any."""
    names = {**(columns or {}), **({} if label is None else {"label": label})}
    return columns_of(names) if names else None


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
    seed: DrawSeed = Field(default=0, description="Seed of the draw of the splits.")
    limit: dict[str, Annotated[float, AfterValidator(_count_or_share)]] = Field(
        default={},
        description="At most this many records of a split, or, below 1, this share of them; drawn with the seed.",
    )
    fraction: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the training records that `limit` leaves: what the `fractions` of a study vary.",
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
    seed: DrawSeed = Field(default=0, description="Seed of what is drawn.")

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
    mapping_seed: DrawSeed = Field(default=0, description="Seed of the mapping's draw.")
    seed: Seed = Field(default=0, description="Seed of head, batches and dropout.")
    baseline: Baseline | None = Field(default=None, description="A simple baseline instead of the encoder.")
    cnn_rate: float | None = Field(default=None, gt=0, description="Learning rate of the baseline cnn; None: 1e-3.")


class Published(ConfigModel):
    """A value from the literature to compare with."""

    model: str = Field(description="The model, as the publication calls it.")
    metric: str = Field(description="Name of the metric.")
    value: float = Field(description="Its value.")
    source: str = Field(description="The publication.")
    note: str = Field(default="", description="What limits the comparison.")


class Landmark(ConfigModel):
    """A known motif at a fixed place in the sequences, to compare with what a model looks at."""

    name: str = Field(
        max_length=80, pattern=r"^\w[\w -]*$", description="Letters, digits, blanks: used in file names of figures."
    )
    label: str | None = Field(default=None, description="The class whose sequences have it; None: all classes.")
    at: int = Field(ge=0, description="Position of its first symbol, from 0.")
    symbols: str = Field(description="As written in the domain; ambiguity codes are allowed.")
    source: str = Field(description="Where it is described.")


class Runtime(ConfigModel):
    """A measured run of this recipe with its defaults."""

    minutes: float = Field(description="How long the run took.")
    hardware: str = Field(description="On which machine.")
    backbone: str = Field(description="With which checkpoint.")
