"""Simple baselines of any kind: fitted, saved and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xdomain.core.choices import Baseline as Kind
from xdomain.core.choices import ClassBalance, Problem
from xdomain.core.errors import BackboneError
from xdomain.core.restore import reading
from xdomain.core.sequences import Ragged


class Baseline(Protocol):
    """A fitted baseline.

    Parameters
    ----------
    history
        Rows {step, epoch, loss} and {step, epoch, valid: {metric: value}}, in order of step; empty for k-mers, which
        are fitted in one go.
    chosen
        What validation decided, and its value there.
    train_loss
        Mean loss over the training records.
    problem
        What the labels are.
    """

    problem: Problem
    history: list[dict[str, Any]]
    chosen: dict[str, Any]
    train_loss: float

    def scores(self, symbols: Ragged, symbols_b: Ragged | None = None) -> NDArray[Any]:
        """Score records: logits (n, k), values (n,), or logits of all symbols (total, k) for tagging.

        Parameters
        ----------
        symbols, symbols_b
            n sequences, and the second sequences of pairs; None unless the baseline was fitted on pairs.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``baseline.json`` into `folder`, which exists."""
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
    balance: ClassBalance = "none",
    shares: NDArray[np.float32] | None = None,
    learning_rate: float | None = None,
) -> Baseline:
    """Fit on train, choose the regularisation or the epoch on validation, never look at test.

    Parameters
    ----------
    kind
        kmer or cnn.
    symbols, symbols_b
        n records, and the second sequences of pairs.
    labels
        Class indices, values or tags, as in `xdomain.data.dataset.Examples`.
    split
        Shape (n,): train, valid or test.
    alphabet_size
        How many symbols the alphabet has.
    problem
        What the labels are.
    n_classes
        How many classes; 0 for regression.
    seed
        Seed of the weights and batches, 0 or more.
    metric
        Name of the metric by which validation chooses.
    balance
        As ``class_balance`` in a recipe. k-mer counts, which see all records at once, take weights for batches, too.
    shares
        Shape (n,): how much each record counts in the loss, as in `xdomain.data.dataset.Examples.shares`; None: alike.
    learning_rate
        Of the CNN, above 0; None: its own.
    """
    data = (symbols, symbols_b, labels, split, alphabet_size, problem, n_classes, seed, metric, balance, shares)
    match kind:
        case "kmer":
            from xdomain.baselines.kmer import fit_kmer  # loads scipy

            return fit_kmer(*data)
        case "cnn":
            from xdomain.baselines.cnn import fit_cnn  # loads torch

            return fit_cnn(*data, learning_rate=learning_rate)


def load_baseline(folder: Path) -> Baseline:
    """Read the baseline that `Baseline.save` wrote into `folder`.

    Raises
    ------
    BackboneError
        The folder has no ``baseline.json``.
    DamagedError
        A file of the baseline is damaged.
    """
    if not (folder / "baseline.json").is_file():
        raise BackboneError(f"{folder} holds no baseline", expected="baseline.json and model.safetensors")
    with reading(folder, expected="baseline.json and model.safetensors of one baseline"):
        settings = json.loads((folder / "baseline.json").read_text("utf-8"))
        match settings.pop("kind"):
            case "kmer":
                from xdomain.baselines.kmer import load_kmer  # loads scipy

                return load_kmer(folder, settings)
            case "cnn":
                from xdomain.baselines.cnn import load_cnn  # loads torch

                return load_cnn(folder, settings)
            case kind:
                raise ValueError(f"a baseline of the kind {kind!r}")
