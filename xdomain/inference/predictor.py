"""The model of a finished run, or of several as one, ready to predict records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.adapter_protocols import ReverseComplements
from xdomain.core.choices import OF_COLUMNS, PER_SYMBOL
from xdomain.core.errors import BackboneError, DamagedError, RecipeError
from xdomain.core.memory import Need, enough_memory
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.core.restore import REPEAT
from xdomain.core.run_dir import FAMILIAR, NEIGHBOURS, RECIPE, RESULT, is_done, read_result
from xdomain.core.sequences import Adapter, Ragged, fingerprint
from xdomain.core.train_options import Train
from xdomain.data.dataset import Examples, check_symbols, encode_examples, warn_of_other_domain
from xdomain.data.familiar import Familiar
from xdomain.data.neighbours import Neighbours
from xdomain.inference.hub_run import local_run
from xdomain.inference.saved_model import Saved, load_saved, saved_adapter, saved_target, saved_thresholds
from xdomain.metrics.ensemble import mean_scores, spread_columns
from xdomain.metrics.scoring import per_tag, predicted, prediction_columns

WHOLE = 128
"""Records of a file of several pieces are scored in multiples of this, as the last digits of a score may depend on how
many records are scored with it."""


@dataclass(frozen=True)
class Predictor:
    """One model, or several whose answers are averaged.

    Parameters
    ----------
    models, adapters
        Of each run.
    classes
        Names of the classes, in their order; empty for regression and span.
    paired
        Whether a record has two sequences.
    reverse_complement
        Whether each record is read from both strands, and the answers averaged.
    familiar
        The training data of the first run, to tell records that are unlike it; None: this is not told.
    neighbours
        The embeddings of training records of the first run, for the same; None of a baseline.
    thresholds
        For multilabel, shape (k,): the probability from which on a label is given, the mean over runs. For span, where
        some training questions had no answer, shape (1,): the probability of no answer above which none is given.
    target
        Only for sequence: the adapter of what comes out, where it is another than that of what goes in.
    """

    models: tuple[Saved, ...]
    adapters: tuple[Adapter, ...]
    classes: tuple[str, ...]
    paired: bool
    reverse_complement: bool = False
    familiar: Familiar | None = None
    neighbours: Neighbours | None = None
    thresholds: NDArray[np.float64] | None = None
    target: Adapter | None = None

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first run."""
        return self.models[0].recipe

    @property
    def adapter(self) -> Adapter:
        """The adapter of the first run."""
        return self.adapters[0]

    def answers(
        self, table: pa.Table, *, several: bool = False, first: bool = True
    ) -> tuple[Examples, dict[str, pa.Array]]:
        """Encode the records of a raw table and predict them.

        Parameters
        ----------
        table
            The records, validated, as `xdomain.data.loading.load_file` returns them.
        several
            Whether the table is one of several pieces: see `WHOLE`.
        first
            Whether to look at the records as a whole, and warn: once for a file is enough.

        Returns
        -------
        tuple
            The records as the first run encodes them, and the columns of `xdomain.inference.prediction_file.predict`
            except id.

        Raises
        ------
        DataError
            A record cannot be encoded.
        OutOfMemoryError
            A model and the records that it reads at once need more memory than the device has.
        """
        examples, scores = self._of_each(table, several, first)
        records = np.arange(len(examples))
        unlike = self._unlike(examples)
        if len(scores) == 1:
            columns = predicted(examples, self.adapter, records, scores[0], self.thresholds)
            return examples, columns | unlike
        problem = self.recipe.problem
        tagged = [per_tag(examples, records, one, np.nan) for one in scores]
        rows, lengths = [row for row, _ in tagged], tagged[0][1]
        columns = prediction_columns(problem, self.classes, mean_scores(rows, problem), lengths, self.thresholds)
        return examples, columns | spread_columns(rows, problem, lengths, self.thresholds) | unlike

    def _unlike(self, examples: Examples) -> dict[str, pa.Array]:
        """The columns that say how far `examples` are unlike the training data; none where that is not told."""
        if self.familiar is None:
            return {}
        columns = self.familiar.columns(examples)
        if self.neighbours is None:
            return columns
        from xdomain.training.saved_encoder import SavedModel  # which loads torch

        model = self.models[0]
        if not isinstance(model, SavedModel):
            return columns
        distance = self.neighbours.distances(np.stack(model.embed(examples)))
        far = distance > self.neighbours.farthest
        marks: list[str] = columns.pop("unlike").to_pylist()
        marks = [
            " ".join(filter(None, (mark, "far" * beyond))) for mark, beyond in zip(marks, far.tolist(), strict=True)
        ]
        return {**columns, "distance": pa.array(distance), "unlike": pa.array(marks, pa.string())}

    def scores(self, table: pa.Table, *, several: bool = False, first: bool = True) -> NDArray[np.float64]:
        """Score the records of a raw table, for classification, pair and regression.

        Parameters
        ----------
        table, several, first
            As for `answers`.

        Returns
        -------
        numpy.ndarray
            Logits, shape (n, k), or values, shape (n,), in float64: of one model its own, of several those of
            `xdomain.metrics.ensemble.mean_scores`.
        """
        _, scores = self._of_each(table, several, first)
        return scores[0].astype(np.float64) if len(scores) == 1 else mean_scores(scores, self.recipe.problem)

    def _of_each(self, table: pa.Table, several: bool, first: bool) -> tuple[Examples, list[NDArray[Any]]]:
        """The records as the first run encodes them, and the scores of each model."""
        examples = self.encoded(table, first=first)
        scores: list[NDArray[Any]] = []
        for model, adapter in zip(self.models, self.adapters, strict=True):
            alike = fingerprint(adapter) == fingerprint(self.adapter)
            own = examples if alike else encoded(table, adapter, self.recipe, self.classes, first=False)
            scores.append(self._scores(model, adapter, own, several))
        return examples, scores

    def encoded(self, table: pa.Table, *, first: bool = True) -> Examples:
        """The records of a raw `table` as the first run encodes them; `first` as for `answers`."""
        return encoded(table, self.adapter, self.recipe, self.classes, first=first, target=self.target)

    def _scores(self, model: Saved, adapter: Adapter, examples: Examples, several: bool) -> NDArray[Any]:
        records = np.arange(len(examples))
        filled = np.concatenate([records, np.full(-len(records) % WHOLE, records[-1])]) if several else records
        read = [examples]
        if self.reverse_complement and isinstance(adapter, ReverseComplements):
            other = Ragged.from_lists([adapter.reverse_complement(one) for one in examples.symbols])
            read.append(replace(examples, symbols=other))
        with enough_memory(lambda: scoring_need(model.recipe.train)):
            scores = [model.scores(one, filled) for one in read]
            self._check_outputs(scores[0])
        wanted = len(examples.symbols.values) if self.recipe.problem in PER_SYMBOL else len(records)
        scores = [one[:wanted] for one in scores]
        return scores[0] if len(scores) == 1 else mean_scores(scores, self.recipe.problem)

    def _check_outputs(self, scores: NDArray[Any]) -> None:
        """Refuse a model that does not answer with as many numbers as the run has classes or targets."""
        if self.recipe.problem == "sequence":
            return
        outputs = scores.shape[1] if scores.ndim > 1 else 0
        wanted = 4 if self.recipe.problem == "span" else len(self.classes)
        if outputs != wanted:
            raise DamagedError(
                f"the model gives {outputs or 1} numbers, and {RESULT} names {wanted} classes",
                expected="files of one run", fix=REPEAT,
            )  # fmt: skip


def load_predictor(
    *folders: str | Path, reverse_complement: bool = False, unlike: bool = False, overrides: Overrides = ()
) -> Predictor:
    """Read the models of one or several finished runs.

    Parameters
    ----------
    folders
        Run folders, or runs of the hub, ``hub:USER/NAME``.
    reverse_complement
        See `Predictor`.
    unlike
        Whether to tell records that are unlike the training data of the first run.
    overrides
        Changes to how records are read: see `xdomain.inference.saved_model.load_saved`.

    Raises
    ------
    BackboneError
        A folder holds no finished run.
    RecipeError
        The runs answer different questions, or cannot be averaged; or `reverse_complement` has no meaning for them.
    """
    paths = [local_run(folder) for folder in folders]
    models, adapters, values = zip(*(finished_run(path, overrides) for path in paths), strict=True)
    for path, one in zip(paths, values, strict=True):
        if not one.get("learned", True):
            log.warning(f"{path}: {next(iter(one.get('notes') or ()), 'the model did not learn')}")
    told = [_question(model.recipe, one) for model, one in zip(models, values, strict=True)]
    for path, other in zip(paths, told, strict=True):
        differing = next((name for name in told[0] if told[0][name] != other[name]), None)
        if differing:
            raise RecipeError(
                f"{path}: {differing} {other[differing]}, but {paths[0]}: {told[0][differing]}",
                expected="runs with the same domain, problem and classes as one model",
            )
    recipe: Recipe = models[0].recipe
    if len(paths) > 1:
        _check_averaged(recipe, adapters)
    if reverse_complement and not (
        all(isinstance(adapter, ReverseComplements) for adapter in adapters)
        and recipe.problem in ("classification", "regression", *OF_COLUMNS)
        and not values[0]["paired"]
    ):
        raise RecipeError(
            f"reverse_complement for {recipe.problem} of {recipe.adapter.name}",
            expected="classification, multilabel or regression of single DNA sequences",
        )
    familiar = Familiar.load(paths[0] / FAMILIAR) if unlike else None
    neighbours = Neighbours.load(paths[0] / NEIGHBOURS) if unlike else None
    classes, paired = tuple(values[0]["classes"]), bool(values[0]["paired"])
    kept = [one for one in (saved_thresholds(path, classes) for path in paths) if one is not None]
    thresholds = np.mean(kept, axis=0) if kept else None
    target = saved_target(paths[0], recipe)
    return Predictor(models, adapters, classes, paired, reverse_complement, familiar, neighbours, thresholds, target)


def finished_run(folder: Path, overrides: Overrides = ()) -> tuple[Saved, Adapter, dict[str, Any]]:
    """Read the model of a finished run in `folder`, its adapter, and the contents of its ``result.json``.

    With `overrides`, records are read otherwise: see `xdomain.inference.saved_model.load_saved`.

    Raises
    ------
    BackboneError
        It holds no finished run.
    """
    if (folder / RECIPE).is_file() and not is_done(folder):
        raise BackboneError(f"the run in {folder} is not finished", fix="the same `xdomain run …` with --resume")
    model = load_saved(folder, overrides)
    return model, saved_adapter(folder, model.recipe), read_result(folder).values


def _question(recipe: Recipe, values: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for runs whose answers are averaged."""
    return {
        "domain": recipe.adapter.name, "problem": recipe.problem, "classes": ", ".join(values["classes"]),
        "pairs": "yes" if values["paired"] else "no",
    }  # fmt: skip


def _check_averaged(recipe: Recipe, adapters: Sequence[Adapter]) -> None:
    if recipe.problem in ("span", "sequence"):
        what = "answers in a passage" if recipe.problem == "span" else "sequences"
        raise RecipeError(f"several runs for {recipe.problem}", expected=f"one run: {what} cannot be averaged")
    if recipe.problem in PER_SYMBOL and len({fingerprint(adapter) for adapter in adapters}) > 1:
        raise RecipeError(
            f"several runs for {recipe.problem} with other symbols", expected="the same adapter.options in each"
        )


def encoded(
    table: pa.Table,
    adapter: Adapter,
    recipe: Recipe,
    classes: Sequence[str],
    *,
    first: bool,
    target: Adapter | None = None,
) -> Examples:
    """Encode the records of a raw table, with all of them in the split ``test``.

    Parameters
    ----------
    table, first
        As for `Predictor.answers`.
    adapter, recipe
        Those of the run.
    classes
        Names of its classes.
    target
        As for `Predictor`.

    Raises
    ------
    DataError
        A record cannot be encoded, has no symbols, or has a label that is none of `classes`.
    """
    split = np.full(table.num_rows, "test")
    examples = encode_examples(table, adapter, recipe.problem, split, classes=classes, target=target)
    check_symbols(examples)
    if first:
        warn_of_other_domain(examples, adapter)
        _tell_unknown(examples)
    return examples


def _tell_unknown(examples: Examples) -> None:
    """Say how many symbols of the records the adapter does not know."""
    sides = [side for side in (examples.symbols, examples.symbols_b) if side is not None]
    count, total = sum(side.counts.get("unknown", 0) for side in sides), sum(len(side.values) for side in sides)
    if count:
        log.warning(f"{count:,} of {total:,} symbols are unknown to the model ({count / total:.0%}); --unlike tells in "
                    "which records")  # fmt: skip


def scoring_need(train: Train) -> Need:
    """What scoring with the options `train` needs memory for, and how to need less."""
    from xdomain.training.arguments import scored_at_once  # which loads torch

    parts = train.gradient_accumulation_steps
    return Need(
        f"scores of {scored_at_once(train)} windows at once (train.batch_size={train.batch_size}, "
        f"train.gradient_accumulation_steps={parts}, train.max_length={train.max_length or 'the positions there are'})",
        f"a larger gradient_accumulation_steps in the run's {RECIPE}, such as {4 * parts}; where a GPU is too small, "
        "CUDA_VISIBLE_DEVICES= in front of the command scores on the CPU",
    )
