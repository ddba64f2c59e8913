"""Counted k-mers under a linear model; for tags, the symbols around each position."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy import sparse

from xdomain.baselines.one_vs_rest import fit_labels
from xdomain.baselines.selection import better, rows_of
from xdomain.core.choices import OF_VALUES, PER_SYMBOL, ClassBalance, Problem
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.run_dir import write_json
from xdomain.core.sequences import Ragged
from xdomain.data.familiar import kmer_codes
from xdomain.data.known_labels import is_known
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.scoring import judged_rows

Features = Any  # scipy.sparse has no types
MAX_FEATURES = 10_000
AT_ONCE = 1 << 17  # symbols that are scored at once: their features take a thousand times as many bytes
REACH = 7  # symbols on either side that a tag is guessed from
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse regularisation, searched on validation


@dataclass
class Linear:
    """Weights over k-mer counts, or over the symbols around a position.

    Parameters
    ----------
    weights, bias
        Shape (features, k) and (k,), with k = 1 for regression and profiles.
    problem
        What the labels are.
    alphabet_size
        How many symbols the alphabet has; it decides the features.
    chosen
        The strength that validation chose, the longest k-mers, and the metric on validation.
    train_loss
        Mean loss over the training records: cross-entropy, or the squared error for regression.
    history
        Empty: there are no epochs.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    problem: Problem
    alphabet_size: int
    chosen: dict[str, Any]
    train_loss: float
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def scores(self, symbols: Ragged, symbols_b: Ragged | None = None) -> NDArray[Any]:
        """Score the records of `symbols` and `symbols_b`; see `xdomain.baselines.api.Baseline`."""
        parts: list[NDArray[Any]] = []
        for records in _parts(symbols.lengths + (symbols_b.lengths if symbols_b else 0)):
            second = symbols_b.take(records) if symbols_b else None
            seen = features(symbols.take(records), second, self.problem, self.alphabet_size)
            parts.append(np.asarray(seen @ self.weights) + self.bias)
        scores = np.concatenate(parts)
        return scores[:, 0] if self.problem in ("regression", "profile") else scores

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``baseline.json`` into `folder`."""
        save_file({"weights": self.weights, "bias": self.bias}, folder / "model.safetensors")
        settings = {"kind": "kmer", "problem": self.problem, "alphabet_size": self.alphabet_size,
                    "chosen": self.chosen, "train_loss": self.train_loss}  # fmt: skip
        write_json(folder / "baseline.json", settings)


def _parts(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The numbers of the records in parts of about `AT_ONCE` symbols, given the symbols of each."""
    part = np.cumsum(lengths) // AT_ONCE
    return np.split(np.arange(len(lengths)), np.flatnonzero(np.diff(part)) + 1)


def load_kmer(folder: Path, settings: dict[str, Any]) -> Linear:
    """Read what `Linear.save` wrote.

    Parameters
    ----------
    folder
        Where the weights are.
    settings
        Its ``baseline.json`` as read, without ``kind``.

    Raises
    ------
    ValueError
        The weights do not fit the settings; other errors where a file is damaged.
    """
    tensors = load_file(folder / "model.safetensors")
    model = Linear(tensors["weights"], tensors["bias"], **settings)
    one = Ragged.from_lists([[0]])
    widths = [features(one, second, model.problem, model.alphabet_size).shape[1] for second in (None, one)]
    if model.weights.ndim != 2 or model.bias.shape != model.weights.shape[1:] or len(model.weights) not in widths:
        raise ValueError(f"weights of shape {model.weights.shape} for {widths[0]} features")
    if not (np.isfinite(model.weights).all() and np.isfinite(model.bias).all()):
        raise ValueError("weights that are no numbers")
    return model


def largest_k(alphabet_size: int) -> int:
    """The largest k, 1 to 6, for which all k-mers up to it over `alphabet_size` symbols stay within `MAX_FEATURES`."""
    k = 1
    while k < 6 and sum(alphabet_size**i for i in range(1, k + 2)) <= MAX_FEATURES:
        k += 1
    return k


def count_kmers(symbols: Ragged, k: int, alphabet_size: int) -> Features:
    """Count runs of `k` symbols in each of n sequences.

    Parameters
    ----------
    symbols
        n sequences of ids below `alphabet_size`.
    k
        Symbols of a run, 1 or more; a shorter sequence has none.
    alphabet_size
        How many symbols the alphabet has.

    Returns
    -------
    scipy.sparse.csr_matrix
        Shape (n, alphabet_size^k); a k-mer's column is the number that its ids spell, the first digit the highest.
    """
    record, code = kmer_codes(symbols, k, alphabet_size)
    shape = (len(symbols), alphabet_size**k)
    return sparse.csr_matrix((np.ones(len(code)), (record, code)), shape=shape)


def surroundings(symbols: Ragged, alphabet_size: int) -> Features:
    """One-hot encode the symbols around each position of `symbols`.

    Shape (total symbols, (2·REACH + 1)·(alphabet_size + 1)), sparse: a slot for each place from `REACH` before to
    `REACH` behind; in a slot a column for each of `alphabet_size` symbols, and a last one for beyond the sequence.
    """
    total, width = len(symbols.values), alphabet_size + 1
    record = np.repeat(np.arange(len(symbols)), symbols.lengths)
    columns: list[NDArray[np.int64]] = []
    for slot, shift in enumerate(range(-REACH, REACH + 1)):
        place = np.arange(total) + shift
        inside = (place >= symbols.offsets[record]) & (place < symbols.offsets[record + 1])
        seen = np.where(inside, symbols.values[np.clip(place, 0, total - 1)].astype(np.int64), alphabet_size)
        columns.append(seen + slot * width)
    indices = np.stack(columns, 1).ravel()
    pointers = np.arange(0, len(indices) + 1, 2 * REACH + 1)
    return sparse.csr_matrix((np.ones(len(indices)), indices, pointers), shape=(total, (2 * REACH + 1) * width))


def features(symbols: Ragged, symbols_b: Ragged | None, problem: Problem, alphabet_size: int) -> Features:
    """What a linear baseline sees.

    Parameters
    ----------
    symbols, symbols_b
        n sequences, and the second sequences of pairs, else None.
    problem
        Tagging and profiles are seen by `surroundings`, everything else by counts of k-mers.
    alphabet_size
        How many symbols the alphabet has.

    Returns
    -------
    scipy.sparse.csr_matrix
        A row a record, or for tagging a symbol. Counts are divided by the root of the sequence's length; pairs have
        those of both sequences and their absolute difference.
    """
    if problem in PER_SYMBOL:
        return surroundings(symbols, alphabet_size)
    one = _kmers(symbols, alphabet_size)
    if symbols_b is None:
        return one
    two = _kmers(symbols_b, alphabet_size)
    return sparse.hstack([one, two, abs(one - two)]).tocsr()


def _kmers(symbols: Ragged, alphabet_size: int) -> Features:
    each = [count_kmers(symbols, k, alphabet_size) for k in range(1, largest_k(alphabet_size) + 1)]
    scale: Features = sparse.diags(1 / np.sqrt(np.maximum(symbols.lengths, 1)))
    return (scale @ sparse.hstack(each)).tocsr()


def fit_kmer(
    symbols: Ragged, symbols_b: Ragged | None, labels: NDArray[Any], split: NDArray[np.str_], alphabet_size: int,
    problem: Problem, n_classes: int, seed: int, metric: str, balance: ClassBalance = "none",
    shares: NDArray[np.float32] | None = None,
) -> Linear:  # fmt: skip
    """Fit once for each of `STRENGTHS` and keep the one that is best on validation.

    Parameters
    ----------
    symbols, symbols_b, labels, split, alphabet_size, problem, n_classes, seed, metric, balance, shares
        See `xdomain.baselines.api.fit_baseline`.

    Raises
    ------
    DataError
        All training records have one class.
    """
    seen = features(symbols, symbols_b, problem, alphabet_size)
    train, valid = (_labelled(rows_of(symbols, split, name, problem), labels) for name in ("train", "valid"))
    if shares is None:
        shares = np.ones(len(symbols), np.float32)
    share = (np.repeat(shares, symbols.lengths) if problem in PER_SYMBOL else shares)[train].astype(np.float64)
    best: Linear | None = None
    best_value: float | None = None
    for strength in STRENGTHS:
        fitted = _linear(seen[train], labels[train], share, strength, problem, alphabet_size, n_classes, seed, balance)
        scores = np.asarray(seen[valid] @ fitted.weights) + fitted.bias
        scores = scores[:, 0] if problem in ("regression", "profile") else scores
        value = compute_metrics([metric], *judged_rows(problem, labels[valid], scores), problem)[metric]["value"]
        if best is None or better(metric, value, best_value):
            best, best_value = fitted, value if np.isfinite(value) else None
            best.chosen = {"largest_k": largest_k(alphabet_size), "strength": strength, f"valid_{metric}": value}
    if best is None:
        raise RecipeError("no baseline could be fitted")
    return best


def _labelled(rows: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[np.int64]:
    return rows if labels.ndim > 1 else rows[is_known(labels[rows])]


def _linear(
    seen: Features, labels: NDArray[Any], share: NDArray[np.float64], strength: float, problem: Problem,
    alphabet_size: int, n_classes: int, seed: int, balance: ClassBalance,
) -> Linear:  # fmt: skip
    from sklearn.linear_model import LogisticRegression  # slow to load, and not needed for scoring

    if problem in OF_VALUES:
        return _ridge(seen, labels, share, strength, problem, alphabet_size, seed)

    def logistic() -> Any:
        balanced = None if balance == "none" else "balanced"
        return LogisticRegression(C=strength, max_iter=200, random_state=seed, class_weight=balanced)

    if problem == "multilabel":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not fully converged is good enough for a baseline
            weights, bias, loss = fit_labels(seen, labels, logistic, share)
        return Linear(weights, bias, problem, alphabet_size, {}, loss)
    if len(np.unique(labels)) < 2:
        raise DataError("all training records have one class", expected="two classes or more to tell apart")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not fully converged is good enough for a baseline
        model = logistic().fit(seen, labels, sample_weight=share)
    weights, bias = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:  # two classes: one column of log-odds
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    chances = np.log(np.clip(model.predict_proba(seen), 1e-12, 1))
    places = np.searchsorted(model.classes_, labels)
    loss = float(-np.average(chances[np.arange(len(labels)), places], weights=share))
    whole = _all_classes(weights, bias, model.classes_, n_classes)
    return Linear(*whole, problem, alphabet_size, {}, loss)


def _ridge(
    seen: Features, labels: NDArray[Any], share: NDArray[np.float64], strength: float, problem: Problem,
    alphabet_size: int, seed: int,
) -> Linear:  # fmt: skip
    """A ridge regression for each target, on the records of which it is known."""
    from sklearn.linear_model import Ridge

    columns = labels.astype(np.float64).reshape(len(labels), -1)
    weights, bias = np.zeros((seen.shape[1], columns.shape[1])), np.zeros(columns.shape[1])
    total, count = 0.0, 0.0
    for place, own in enumerate(columns.T):
        known = is_known(own)
        weight = None if (share == 1).all() else share[known]
        ridge = Ridge(alpha=1 / strength, random_state=seed).fit(seen[known], own[known], weight)
        weights[:, place], bias[place] = ridge.coef_, float(ridge.intercept_)
        errors = np.square(ridge.predict(seen[known]) - own[known])
        total, count = total + float(errors @ share[known]), count + float(share[known].sum())
    return Linear(weights, bias, problem, alphabet_size, {}, total / count)


def _all_classes(
    weights: NDArray[Any], bias: NDArray[Any], present: Sequence[int], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns for all k classes; a class that training lacks is never predicted."""
    full = np.zeros((weights.shape[0], k))
    shift = np.full(k, -1e9)
    full[:, present], shift[list(present)] = weights, bias
    return full, shift
