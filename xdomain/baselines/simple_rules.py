"""What simple rules reach on the records of a run: k-mer counts, and composition with length.

They are reported beside every encoder, so that one sees what can be reached without an encoder.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.baselines.api import fit_baseline
from xdomain.baselines.one_vs_rest import fit_labels
from xdomain.core.recipe import Recipe
from xdomain.core.sequences import Ragged
from xdomain.data.dataset import Examples
from xdomain.metrics.metrics import METRICS
from xdomain.metrics.multilabel import choose_thresholds
from xdomain.metrics.scoring import metric_values

OF_RECORDS = ("classification", "multilabel", "pair", "regression")
"""Problems in which records have labels as a whole."""
MAX_KMERS = 3_000_000
"""Training k-mers up to which counting and fitting take only seconds."""
MAX_SHARES = 64
"""Size of alphabet up to which the share of each symbol still counts as a simple rule."""
K_UP_TO = 6
KMERS, COMPOSITION = "kmer", "composition"


def simple_rules(recipe: Recipe, examples: Examples, alphabet_size: int, split: str) -> dict[str, dict[str, float]]:
    """Fit simple rules on train and compute their metrics on one split.

    Parameters
    ----------
    recipe
        The task: its problem, metrics and seed.
    examples
        All encoded records, with labels.
    alphabet_size
        How many symbols the alphabet has.
    split
        The split to judge: ``valid`` or ``test``.

    Returns
    -------
    dict
        ``{"kmer": {metric: value}, "composition": {metric: value}}``; ``composition`` is a linear model of the length
        and the share of each symbol (of the length alone where there are more than `MAX_SHARES` symbols). A rule
        that does not fit the problem, or would take long on so many records, is left out.
    """
    labels = examples.labels
    if recipe.problem not in OF_RECORDS or labels is None:
        return {}
    train, judged = examples.indices("train"), examples.indices(split)
    if recipe.problem != "regression" and len(np.unique(labels[train])) < 2:
        return {}
    scores = {COMPOSITION: _composition_scores(recipe, examples, labels, train, alphabet_size)}
    if K_UP_TO * sum(side.lengths[train].sum() for side in _sides(examples)) <= MAX_KMERS:
        scores[KMERS] = _kmer_scores(recipe, examples, labels, alphabet_size)
    valid = examples.indices("valid")
    values: dict[str, dict[str, float]] = {}
    for name, one in scores.items():
        chosen = choose_thresholds(labels[valid], one[valid]) if recipe.problem == "multilabel" else None
        values[name] = metric_values(recipe.metrics, examples, judged, one[judged], chosen)
    return values


def best_rule(rules: dict[str, dict[str, float]], metric: str) -> tuple[str, float] | None:
    """The name and value of the rule that is best by `metric`; None if none of `rules` has a finite value.

    `rules` is what `simple_rules` returns: each rule's metrics by name.
    """
    known = {name: values[metric] for name, values in rules.items() if np.isfinite(values[metric])}
    if not known:
        return None
    sign = 1 if METRICS[metric].higher_is_better else -1
    name = max(known, key=lambda one: sign * known[one])
    return name, known[name]


def _kmer_scores(recipe: Recipe, examples: Examples, labels: NDArray[Any], alphabet_size: int) -> NDArray[Any]:
    fitted = fit_baseline(
        "kmer",
        symbols=examples.symbols,
        symbols_b=examples.symbols_b,
        labels=labels,
        split=examples.split,
        alphabet_size=alphabet_size,
        problem=recipe.problem,
        n_classes=len(examples.classes),
        seed=recipe.run.seed,
        metric=recipe.metrics[0],
    )
    return fitted.scores(examples.symbols, examples.symbols_b)


def _composition_scores(
    recipe: Recipe,
    examples: Examples,
    labels: NDArray[Any],
    train: NDArray[np.int64],
    alphabet_size: int,
) -> NDArray[Any]:
    """Shape (n, k) for classes and labels, else (n,)."""
    from sklearn.linear_model import LogisticRegression, Ridge  # takes a while to load
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seen = np.hstack([_composition(side, alphabet_size) for side in _sides(examples)])
    if recipe.problem == "regression":
        model = make_pipeline(StandardScaler(), Ridge()).fit(seen[train], labels[train])
        return model.predict(seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not fully converged is good enough for a baseline
        if recipe.problem == "multilabel":
            scaled: Any = StandardScaler().fit(seen[train]).transform(seen)
            weights, bias, _ = fit_labels(scaled[train], labels[train], lambda: LogisticRegression(max_iter=200))
            return scaled @ weights + bias
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(seen[train], labels[train])
    scores = np.full((len(seen), len(examples.classes)), -1e9)  # a class that train lacks is never predicted
    scores[:, model.classes_] = model.predict_log_proba(seen)
    return scores


def _sides(examples: Examples) -> list[Ragged]:
    return [side for side in (examples.symbols, examples.symbols_b) if side is not None]


def _composition(symbols: Ragged, alphabet_size: int) -> NDArray[np.float64]:
    """Shape (n, 1 + alphabet_size): the length of each sequence and the share of each symbol in it."""
    lengths = symbols.lengths.astype(np.float64)[:, None]
    if alphabet_size > MAX_SHARES:
        return lengths
    record = np.repeat(np.arange(len(symbols)), symbols.lengths)
    code = record * alphabet_size + symbols.values.astype(np.int64)
    counts = np.bincount(code, minlength=len(symbols) * alphabet_size).reshape(len(symbols), alphabet_size)
    return np.hstack([lengths, counts / np.maximum(lengths, 1)])
