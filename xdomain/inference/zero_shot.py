"""A run judged on another task through that task's own mapping, without training again: the command transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xdomain.core.errors import RecipeError
from xdomain.core.formatting import number
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe, with_arm
from xdomain.data.dataset import Examples
from xdomain.data.own_data import task_of
from xdomain.inference.saved_model import load_saved
from xdomain.metrics.bootstrap import Interval, Resampled
from xdomain.metrics.heldout import HeldOutPredictions, check_comparable, resampled_metric
from xdomain.metrics.learned import majority_baseline
from xdomain.metrics.scoring import metric_inputs
from xdomain.model.token_mapping import TokenMapping, is_drawn
from xdomain.training.preparation import adapter_of, prepare

PROBLEMS = ("classification", "pair", "regression")
PERMUTED = 1
"""Part of the seed of a permutation, which sets it apart from the draws of mappings."""


@dataclass(frozen=True)
class Transfer:
    """How a run does on a task that it was not trained on.

    Parameters
    ----------
    metric
        The first of the task's.
    value
        Its mean over the mappings, with a 95 % interval over the test records.
    permuted
        The same where each mapping's rows are permuted among the symbols: what the model makes of the sequences
        whichever symbol has which of these words.
    difference
        `value` less `permuted`, paired over the test records.
    each, each_permuted
        The values by mapping.
    majority
        Of a constant answer.
    n
        Test records.
    classes
        The class of the task that each class of the run was taken for; empty for regression.
    """

    metric: str
    value: Interval
    permuted: Interval
    difference: Interval
    each: tuple[float, ...]
    each_permuted: tuple[float, ...]
    majority: float
    n: int
    classes: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        intervals = {name: vars(getattr(self, name)) for name in ("value", "permuted", "difference")}
        rest = {"each": list(self.each), "each_permuted": list(self.each_permuted), "classes": dict(self.classes)}
        return {"metric": self.metric, "n": self.n, **intervals, "majority": self.majority, **rest}


def transfer(
    run_dir: str | Path,
    task: str | Path | Recipe | None = None,
    *,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    draws: int = 10,
    **own: Any,
) -> Transfer:
    """Judge the model of a run on the test records of another task, whose symbols get words of the run's vocabulary.

    Parameters
    ----------
    run_dir
        The run of an encoder for classification, pair or regression.
    task
        A shipped task, a recipe file or a `Recipe` for the same problem; None with ``data=…``.
    mapping, mapping_table, mapping_seed
        Which words stand for the task's symbols, as for `xdomain.run`; None: as its recipe says.
    draws
        Mappings: of one that is drawn, the first has `mapping_seed`, the next that and 1, …. Each is compared with one
        whose rows are permuted; where the mapping is fixed, all `draws` permutations are of the same.
    own
        Own records and how they are read, as for `xdomain.run`: ``data``, ``domain``, ``columns``, ``overrides``, ….

    Raises
    ------
    UserError
        The run or the task cannot be read, or they do not fit each other.
    """
    from xdomain.model.backbone import load_backbone  # which loads torch
    from xdomain.model.vocabulary import Vocabulary
    from xdomain.training.saved_encoder import SavedModel
    from xdomain.training.train_encoder import mappings_of

    if draws < 1:
        raise RecipeError(f"{draws} draws", expected="1 or more")
    saved = load_saved(Path(run_dir))
    if not isinstance(saved, SavedModel):
        raise RecipeError(f"{run_dir} is a {saved.recipe.run.baseline} baseline", expected="the run of an encoder")
    asked = task_of(task, own.pop("data", None), own.pop("domain", None), **own)
    named = {"mapping": mapping, "mapping_table": dict(mapping_table) if mapping_table else None}
    recipe = with_arm(asked, {**named, "mapping_seed": mapping_seed, "backbone": saved.recipe.run.backbone})
    _check(saved.recipe, recipe)
    adapter = adapter_of(recipe)
    examples, _ = prepare(recipe, adapter)
    names: dict[Any, str] = dict(saved.model.config.id2label or {})  # pyright: ignore[reportAssignmentType]
    order, classes = _classes_of([names[i] for i in sorted(names)], examples) if examples.classes else ([], {})
    vocabulary = Vocabulary.of(load_backbone(recipe.run.backbone).tokenizer)
    options, records, metric = recipe.run, examples.indices("test"), recipe.metrics[0]

    alike: list[bool] = []

    def judged(one: TokenMapping) -> Resampled:
        scores = replace(saved, mapping=one).scores(examples, records)
        labels, given = metric_inputs(examples, records, scores[:, order] if order else scores)
        alike.append(len(np.unique(given.argmax(-1) if given.ndim == 2 else given)) == 1)
        whole = HeldOutPredictions(recipe.problem, labels, given, np.arange(len(records) + 1))
        return resampled_metric(metric, whole)

    seeds = range(options.mapping_seed, options.mapping_seed + draws)
    arms = [with_arm(recipe, {"mapping_seed": seed}) for seed in (seeds if is_drawn(options.mapping) else seeds[:1])]
    mappings = [mappings_of(arm, vocabulary, adapter)[0] for arm in arms]
    others = [permuted(mappings[i % len(mappings)], seed) for i, seed in enumerate(seeds)]
    reporter().phase("scoring")
    given, shuffled = ([judged(one) for one in some] for some in (mappings, others))
    value, null = _mean(given), _mean(shuffled)
    difference = Resampled(value.value - null.value, value.draws - null.draws, value.units)
    if all(alike):
        log.warning("the model gives all records one answer, under every mapping: nothing can be told")
    constant = _constant(recipe, examples)
    log.info(
        f"{recipe.name} by a run of {saved.recipe.name}, {len(records):,} test records, mapping {options.mapping}: "
        f"{metric} {value.interval()}, rows permuted {null.interval()}, a constant answer {number(constant)}"
    )
    return Transfer(
        metric, value.interval(), null.interval(), difference.interval(), tuple(one.value for one in given),
        tuple(one.value for one in shuffled), constant, len(records), classes,
    )  # fmt: skip


def permuted(mapping: TokenMapping, seed: int) -> TokenMapping:
    """The same rows as in `mapping`, given to other symbols, by `seed`; at least one symbol gets another row."""
    rng = np.random.Generator(np.random.PCG64([seed, PERMUTED]))
    order = np.arange(len(mapping.ids))
    while len(order) > 1 and (order == np.arange(len(order))).all():
        order = rng.permutation(len(order))
    pieces = tuple(mapping.pieces[i] for i in order)
    return replace(mapping, ids=mapping.ids[order], pieces=pieces, lacking=frozenset())


def _check(before: Recipe, recipe: Recipe) -> None:
    if recipe.problem != before.problem or recipe.problem not in PROBLEMS:
        raise RecipeError(
            f"{recipe.name} is {recipe.problem}, and the run was trained for {before.problem}",
            expected=f"the same problem, one of {', '.join(PROBLEMS)}",
        )
    check_comparable(recipe.metrics[0], recipe.problem)


def _classes_of(own: Sequence[str], examples: Examples) -> tuple[list[int], dict[str, str]]:
    """Which class of the run answers for each class of the task: that of the same name; of two, the positive one."""
    theirs = examples.classes
    if set(own) == set(theirs):
        return [own.index(name) for name in theirs], {name: name for name in own}
    if len(own) != 2 or len(theirs) != 2:
        raise RecipeError(f"the run has the classes {', '.join(own[:10])}, the task {', '.join(theirs[:10])}",
                          expected="the same classes, or two in both")  # fmt: skip
    log.info(
        f"classes by their order: {own[0]} is taken for {theirs[0]}, {own[1]} for {theirs[1]}, the positive "
        "one (--set positive=NAME names the other class of the task)"
    )
    return [0, 1], dict(zip(own, theirs, strict=True))


def _mean(parts: Sequence[Resampled]) -> Resampled:
    """The mean over mappings; resamples of the same records go together."""
    value = float(np.mean([one.value for one in parts]))
    return Resampled(value, np.mean([one.draws for one in parts], axis=0), parts[0].units, parts[0].possible)


def _constant(recipe: Recipe, examples: Examples) -> float:
    train, test = (examples.labels_of(examples.indices(split)) for split in ("train", "test"))
    classes = len(examples.classes) or None
    return majority_baseline(train, test, recipe.metrics, recipe.problem, n_classes=classes)[recipe.metrics[0]]
