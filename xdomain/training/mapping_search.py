"""Choose among random mappings before training, by linear probes on the frozen encoder's states under each of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from xdomain.core.choices import PER_SYMBOL
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.formatting import number
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe
from xdomain.data.collate import Collator, SpecialTokenLayout
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import is_known
from xdomain.data.windows import Windows
from xdomain.metrics.metrics import METRICS, compute_metrics
from xdomain.metrics.scoring import judged_rows
from xdomain.model.initialise import EncoderArm
from xdomain.model.token_mapping import TokenMapping
from xdomain.training.device import best_device, join, of_first
from xdomain.training.predict import inputs_of, pool

RECORDS, SYMBOLS, FOLDS, BATCH = 512, 65_536, 5, 32


def check_search(recipe: Recipe, arm: EncoderArm) -> None:
    """Refuse a search where a probe cannot compare mappings, or where all of them are equally good.

    Parameters
    ----------
    recipe
        Its mapping is a search.
    arm
        That of the recipe.

    Raises
    ------
    RecipeError
        The problem is span, or the arm draws word rows anew or shuffles them.
    """
    name = f"mapping {recipe.run.mapping}"
    if recipe.problem == "span":
        raise RecipeError(
            f"{name}: a linear probe finds no answers in passages, so mappings cannot be compared",
            expected="classification, pair, regression or tagging",
            fix="--mapping random, or --mapping learned",
        )
    if "words" not in arm.parts or arm.init in ("shuffled", "rescaled"):
        raise RecipeError(
            f"{name}: the arm {arm.label} draws its word rows at random, so one mapping is as good as another",
            expected="an arm that takes the checkpoint's word rows over",
            fix="--mapping random",
        )


def choose_mapping(
    candidates: Sequence[TokenMapping],
    model: PreTrainedModel,
    recipe: Recipe,
    examples: Examples,
    layout: SpecialTokenLayout,
    windows: Windows,
) -> tuple[TokenMapping, dict[str, Any]]:
    """Choose the candidate under which frozen features predict the labels of training records best.

    Features are the last layer's states, averaged over the positions of a record, or for tagging those of each
    symbol. A ridge regression on them, onto one-hot labels where there are classes, is scored by the task's first
    metric on training records that it did not see, in five folds. Validation and test are not looked at. Of equally
    good candidates the first is taken. All candidates are scored on the same records, drawn by the first one's seed.

    Where processes share a run, each scores all candidates on its own device, and all take the scores of the first
    process. So they choose the same mapping even if their devices round differently.

    Parameters
    ----------
    candidates
        One mapping or more.
    model
        As it is before its first step. It is moved to the device and back to the CPU, and left in evaluation mode.
    recipe
        The task: its metrics, and the precision to choose a device by.
    examples
        All encoded records, of which those of train are used.
    layout
        Where the special tokens stand.
    windows
        The windows of all of `examples`.

    Returns
    -------
    tuple
        The mapping, and for the result: the metric, the records used, seed and score of every candidate, the seed
        chosen, the seconds it took.

    Raises
    ------
    DataError
        There are fewer than 10 training records.
    """
    started = time.monotonic()
    records = _some(examples, candidates[0].seed)
    metric = recipe.metrics[0]
    folds = np.arange(len(records)) % FOLDS
    if examples.problem in PER_SYMBOL:
        labels, lengths = examples.labels_of(records), examples.symbols.lengths[records]
        folds = np.repeat(folds, lengths)  # all symbols of a record are in one fold
    else:
        labels = examples.labels_of(records)
    chosen = best_device(recipe.train.precision)
    join(chosen)
    device = chosen.name
    model.eval().to(device)  # pyright: ignore[reportArgumentType]
    scores: list[float] = []
    reporter().started("choosing a mapping", len(candidates))
    for done, mapping in enumerate(candidates, 1):
        collate = Collator(examples, None, mapping.ids.astype(np.int64), layout, windows)
        seen = _features(model, collate, records, device)
        scores.append(_score(seen, labels, folds, metric, examples))
        reporter().advanced(done)
    reporter().finished()
    model.cpu()
    scores = of_first(scores)
    value = np.array(scores) if METRICS[metric].higher_is_better else -np.array(scores)
    known = [score for score in scores if np.isfinite(score)]
    best = int(np.nanargmax(value)) if known else 0
    scored = [{"seed": m.seed, "score": s} for m, s in zip(candidates, scores, strict=True)]
    log.info(f"mapping: draw {candidates[best].seed} is the best of {len(candidates)}, probe {metric} "
        f"{number(scores[best])} (median {number(float(np.median(known)) if known else None)})")  # fmt: skip
    return candidates[best], {
        "metric": metric,
        "records": len(records),
        "candidates": scored,
        "chosen": candidates[best].seed,
        "seconds": time.monotonic() - started,
    }


def _some(examples: Examples, seed: int) -> NDArray[np.int64]:
    """Training records drawn by `seed`: 512, or fewer where they are so long that memory would run short."""
    lengths = examples.symbols.lengths + (examples.symbols_b.lengths if examples.symbols_b else 0)
    train = examples.indices("train")
    if len(train) < 2 * FOLDS:
        raise DataError(f"{len(train)} training records are too few to choose a mapping by",
                        expected=f"{2 * FOLDS} or more", fix="--mapping random")  # fmt: skip
    drawn = np.random.Generator(np.random.PCG64([seed, 3])).permutation(train)[:RECORDS]
    within = np.cumsum(lengths[drawn]) <= SYMBOLS
    return drawn[: max(2 * FOLDS, int(within.sum()))]


@torch.inference_mode()
def _features(model: PreTrainedModel, collate: Collator, records: NDArray[np.int64], device: str) -> NDArray[Any]:
    """Shape (n, d), or (total symbols, d) for tagging, in the order of `records`; NaN for symbols in no window."""
    tagging = collate.examples.problem in PER_SYMBOL
    lengths = collate.lengths()[records]
    features: list[NDArray[Any]] = [np.empty(0)] * len(records)
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), BATCH):
        places = order[first : first + BATCH]
        batch = {name: value.to(device) for name, value in collate(records[places].tolist()).items()}
        states = model.base_model(**inputs_of(batch)).last_hidden_state.float()
        if not tagging:
            mask = batch["attention_mask"][..., None].float()
            means = pool((states * mask).sum(1) / mask.sum(1), batch["windows"]).cpu().numpy()
            for place, row in zip(places, means, strict=True):
                features[place] = row
            continue
        rows = torch.repeat_interleave(torch.arange(len(places), device=device), batch["windows"])
        for i, place in enumerate(places):
            mine = rows == i
            own = states[mine][batch["owned"][mine]].cpu().numpy()  # each symbol once, though windows overlap
            missing = int(lengths[place]) - len(own)
            features[place] = np.pad(own, ((0, missing), (0, 0)), constant_values=np.nan)
    return np.concatenate(features) if tagging else np.stack(features)


def _score(
    seen: NDArray[Any], labels: NDArray[Any], folds: NDArray[np.int64], metric: str, examples: Examples
) -> float:
    """The metric of predictions for each fold by a ridge regression on the other folds; NaN where it is undefined."""
    from sklearn.linear_model import Ridge  # slow to load, and few runs search
    from sklearn.preprocessing import StandardScaler

    usable = np.isfinite(seen).all(1)
    if labels.dtype.kind == "f":
        wanted = labels.astype(np.float64).reshape(len(labels), -1)
        known = is_known(wanted)
        if examples.problem != "multioutput":
            usable &= known.all(axis=1)
        patterns, alike = np.unique(known, axis=1, return_inverse=True)  # targets of the same known rows: one fit
        parts = [(usable & rows, np.flatnonzero(alike.ravel() == place)) for place, rows in enumerate(patterns.T)]
        wanted = np.nan_to_num(wanted)
    else:
        known = is_known(labels)
        if examples.problem == "multilabel":
            wanted = np.where(known, labels, 0).astype(np.float64)
        else:
            usable &= known
            wanted = np.eye(len(examples.classes))[np.where(usable, labels, 0)]
        parts = [(usable, np.arange(wanted.shape[1]))]
    predicted = np.full(wanted.shape, np.nan)
    for fold, (rows, columns) in itertools.product(range(FOLDS), parts):
        learn, judge = rows & (folds != fold), usable & (folds == fold)
        if not learn.any() or not judge.any():
            continue
        scale = StandardScaler().fit(seen[learn])
        probe = Ridge(alpha=seen.shape[1]).fit(scale.transform(seen[learn]), wanted[learn][:, columns])
        predicted[np.ix_(judge, columns)] = probe.predict(scale.transform(seen[judge])).reshape(-1, len(columns))
    labels, predicted = labels[usable], predicted[usable]
    scores = predicted[:, 0] if examples.problem in ("regression", "profile") else predicted
    return compute_metrics([metric], *judged_rows(examples.problem, labels, scores), examples.problem)[metric]["value"]
