"""Simple baselines of any kind: fitted, saved and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Problem
from xdomain.core.errors import BackboneError
from xdomain.core.sequences import Ragged

Kind = Literal["kmer", "cnn"]


class Baseline(Protocol):
    """A fitted baseline."""

    history: list[dict[str, Any]]
    chosen: dict[str, Any]
    train_loss: float

    def scores(self, symbols: Ragged, symbols_b: Ragged | None = None) -> NDArray[Any]:
        """Scores of records: logits (n, k), values (n,), or logits of all symbols (total, k) for tagging."""
        ...

    def save(self, folder: Path) -> None:
        """Write as safetensors and JSON."""
        ...


def fit_baseline(
    kind: Kind,
    *,
    symbols: Ragged,
    symbols_b: Ragged | None,
    labels: NDArray[Any],
    split: NDArray[np.str_],
    alphabet_size: int,
    problem: Problem,
    n_classes: int,
    seed: int,
    metric: str,
) -> Baseline:
    """Fit on train, choose the regularisation or the epoch on validation, never look at test.

    Parameters
    ----------
    kind
        kmer or cnn.
    symbols, symbols_b
        n records, and the second sequences of pairs.
    labels
        As in `xdomain.data.dataset.Examples`.
    split
        Shape (n,): train, valid or test.
    alphabet_size
        Symbols that the alphabet has.
    problem
        What the labels are.
    n_classes
        Classes; 0 for regression.
    seed
        Of the weights and batches, 0 or more.
    metric
        What validation is judged by.
    """
    if kind == "kmer":
        from xdomain.baselines.kmer import fit_kmer  # which loads scipy

        return fit_kmer(symbols, symbols_b, labels, split, alphabet_size, problem, n_classes, seed, metric)
    from xdomain.baselines.cnn import fit_cnn  # which loads torch

    return fit_cnn(symbols, symbols_b, labels, split, alphabet_size, problem, n_classes, seed, metric)


def load_baseline(folder: Path) -> Baseline:
    """Read what `save` wrote."""
    try:
        told = json.loads((folder / "baseline.json").read_text())
    except (OSError, ValueError):
        raise BackboneError(f"{folder} holds no baseline", expected="baseline.json and model.safetensors") from None
    if told.pop("kind") == "cnn":
        from xdomain.baselines.cnn import load_cnn  # which loads torch

        return load_cnn(folder, told)
    from xdomain.baselines.kmer import load_kmer  # which loads scipy

    return load_kmer(folder, told)
