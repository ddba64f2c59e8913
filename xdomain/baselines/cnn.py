"""A small convolutional network on one-hot symbols: what a domain's own first model would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xdomain.baselines.selection import better, rows_of
from xdomain.core.choices import OF_VALUES, PER_SYMBOL, ClassBalance, Problem
from xdomain.core.run_dir import write_json
from xdomain.core.sequences import Ragged
from xdomain.data.class_weights import balancing_weights, draw_chances
from xdomain.data.known_labels import IGNORED, unknown_mark
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.scoring import judged_rows
from xdomain.training.losses import count_labels, summed_loss

Scale = tuple[float, float] | tuple[list[float], list[float]]
WIDTH, KERNEL, BINS, EPOCHS, PATIENCE, BATCH, RATE = 64, 9, 16, 20, 4, 64, 1e-3


class _Net(nn.Module):
    """Two convolutions; the mean and the maximum in each of BINS equal parts of a sequence, or an answer a position."""

    def __init__(self, alphabet_size: int, outputs: int, problem: Problem, *, paired: bool) -> None:
        super().__init__()
        self.per_symbol = problem in PER_SYMBOL
        self.pad = alphabet_size
        self.first = nn.Embedding(alphabet_size + 1, WIDTH, padding_idx=alphabet_size)
        self.conv1 = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2)
        self.out = nn.Linear(WIDTH if self.per_symbol else (BINS + 1) * WIDTH * (3 if paired else 1), outputs)

    def body(self, ids: Tensor) -> Tensor:
        """(b, s) symbols to (b, s, width)."""
        mask = (ids != self.pad)[:, None]
        hidden = self.first(ids).transpose(1, 2)
        hidden = torch.relu(self.conv1(hidden)) * mask
        return (torch.relu(self.conv2(hidden)) * mask).transpose(1, 2)

    def pooled(self, ids: Tensor) -> Tensor:
        """(b, s) symbols to (b, (1 + bins) · width): the mean over a sequence, then the maximum in each part."""
        hidden = self.body(ids)
        lengths = (ids != self.pad).sum(1, keepdim=True).clamp(min=1)
        part = torch.arange(ids.shape[1]) * BINS // lengths
        into = part.clamp(max=BINS - 1)[:, :, None].expand(-1, -1, WIDTH)
        none = torch.zeros(len(ids), BINS, WIDTH)  # the body is never negative, so padding does not change a maximum
        where = none.scatter_reduce(1, into, hidden, "amax").flatten(1)
        return torch.cat((hidden.sum(1) / lengths, where), 1)

    def forward(self, ids: Tensor, second: Tensor | None = None) -> Tensor:
        if self.per_symbol:
            return self.out(self.body(ids))
        pooled = self.pooled(ids)
        if second is not None:
            other = self.pooled(second)
            pooled = torch.cat((pooled, other, (pooled - other).abs()), 1)
        return self.out(pooled)


class CNN:
    """A fitted network; see `xdomain.baselines.api.Baseline`.

    Parameters
    ----------
    net
        The network.
    problem
        What the labels are.
    shape
        Symbols of the alphabet, and outputs of the network: classes, or 1 for regression.
    scale
        For regression, mean and standard deviation of the training labels: the network predicts (value - mean) / std;
        for multioutput lists of k. Not used otherwise.
    """

    def __init__(self, net: _Net, problem: Problem, shape: tuple[int, int], scale: Scale) -> None:
        self.net, self.shape, self.scale = net, shape, scale
        self.problem: Problem = problem
        self.history: list[dict[str, Any]] = []
        self.chosen: dict[str, Any] = {}
        self.train_loss = float("nan")

    @torch.inference_mode()
    def scores(self, symbols: Ragged, symbols_b: Ragged | None = None) -> NDArray[Any]:
        """Score the records of `symbols` and `symbols_b`; see `xdomain.baselines.api.Baseline`."""
        self.net.eval()
        parts: list[NDArray[Any]] = []
        for first in range(0, len(symbols), 4 * BATCH):
            chosen = np.arange(first, min(first + 4 * BATCH, len(symbols)))
            logits = self.net(*_inputs(symbols, symbols_b, chosen, self.net.pad))
            if self.problem in PER_SYMBOL:
                lengths = symbols.lengths[chosen]
                parts += [row[:n].numpy() for row, n in zip(logits, lengths, strict=True)]
            else:
                parts.append(logits.numpy())
        scores = np.concatenate(parts)
        if self.problem not in OF_VALUES:
            return scores
        values = scores * np.asarray(self.scale[1]) + np.asarray(self.scale[0])
        return values if self.problem == "multioutput" else values[:, 0]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``baseline.json`` into `folder`."""
        save_file(self.net.state_dict(), folder / "model.safetensors")
        settings = {"kind": "cnn", "problem": self.problem, "shape": self.shape, "scale": self.scale,
                    "chosen": self.chosen, "train_loss": self.train_loss}  # fmt: skip
        write_json(folder / "baseline.json", settings)


def load_cnn(folder: Path, settings: dict[str, Any]) -> CNN:
    """Read what `CNN.save` wrote: weights from `folder`, the rest from `settings`, its ``baseline.json`` as read."""
    problem: Problem = settings["problem"]
    symbols, outputs = settings["shape"]
    state = load_file(folder / "model.safetensors")
    net = _Net(symbols, outputs, problem, paired=state["out.weight"].shape[1] > (BINS + 1) * WIDTH)
    net.load_state_dict(state)
    if not all(bool(torch.isfinite(one).all()) for one in net.parameters()):
        raise ValueError("weights that are no numbers")
    scale = tuple(settings["scale"])
    if len(scale) != 2 or any(np.shape(one) not in ((), (outputs,)) for one in np.array(scale, dtype=object)):
        raise ValueError(f"scale {scale} for {outputs} outputs")
    model = CNN(net, problem, (symbols, outputs), scale)
    model.chosen, model.train_loss = settings["chosen"], settings["train_loss"]
    return model


def fit_cnn(
    symbols: Ragged, symbols_b: Ragged | None, labels: NDArray[Any], split: NDArray[np.str_], alphabet_size: int,
    problem: Problem, n_classes: int, seed: int, metric: str, balance: ClassBalance = "none",
    shares: NDArray[np.float32] | None = None, *, learning_rate: float | None = None,
) -> CNN:  # fmt: skip
    """Train with Adam and keep the epoch that is best on validation. Deterministic by `seed` on a CPU.

    Parameters
    ----------
    symbols, symbols_b, labels, split, alphabet_size, problem, n_classes, seed, metric, balance, shares, learning_rate
        See `xdomain.baselines.api.fit_baseline`.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    outputs = 1 if problem in ("regression", "profile") else n_classes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _Net(alphabet_size, outputs, problem, paired=symbols_b is not None)
    train, valid = np.flatnonzero(split == "train"), np.flatnonzero(split == "valid")
    scale: Scale = (0.0, 1.0)
    if problem in OF_VALUES:
        own = labels[rows_of(symbols, split, "train", problem)].astype(np.float64)
        std = np.nanstd(own, axis=0)
        scale = (np.nanmean(own, axis=0).tolist(), np.where(std > 0, std, 1.0).tolist())
    model = CNN(net, problem, (alphabet_size, outputs), scale)
    optimizer = torch.optim.Adam(net.parameters(), learning_rate or RATE)
    valid_rows = rows_of(symbols, split, "valid", problem)
    valid_second = symbols_b.take(valid) if symbols_b else None
    weights = chances = None
    if balance == "weights":
        known = labels[rows_of(symbols, split, "train", problem)]
        weights = torch.from_numpy(balancing_weights(known, problem, n_classes))
    if balance == "batches":
        chances = draw_chances(labels[train], n_classes)
    best: float | None = None
    best_state = {name: value.clone() for name, value in net.state_dict().items()}
    step = waited = 0
    for epoch in range(1, EPOCHS + 1):
        net.train()
        losses: list[float] = []
        order = rng.permutation(train) if chances is None else rng.choice(train, len(train), p=chances)
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            logits = net(*_inputs(symbols, symbols_b, chosen, net.pad))
            loss = _loss(logits, symbols, labels, chosen, problem, scale, weights, shares)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        scores = model.scores(symbols.take(valid), valid_second)
        value = compute_metrics([metric], *judged_rows(problem, labels[valid_rows], scores), problem)[metric]["value"]
        model.history += [{"step": step, "epoch": epoch, "loss": float(np.mean(losses))},
                          {"step": step, "epoch": epoch, "valid": {metric: value}}]  # fmt: skip
        improved = better(metric, value, best)
        best, waited = (value, 0) if improved else (best, waited + 1)
        if improved or best is None:  # where the metric is never defined, keep the last epoch
            best_state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
            model.chosen = {"epoch": epoch, f"valid_{metric}": value}
            model.train_loss = float(np.mean(losses))
        if waited >= PATIENCE:
            break
    net.load_state_dict(best_state)
    return model


def _standardised(values: NDArray[Any], scale: Scale) -> NDArray[np.float32]:
    """`values` less the mean, over the deviation; `IGNORED` where unknown."""
    return np.nan_to_num((values - np.asarray(scale[0])) / np.asarray(scale[1]), nan=IGNORED).astype(np.float32)


def _inputs(symbols: Ragged, second: Ragged | None, chosen: NDArray[np.int64], pad: int) -> Sequence[Tensor]:
    each = [symbols] if second is None else [symbols, second]
    return [_padded(one, chosen, pad) for one in each]


def _padded(symbols: Ragged, chosen: NDArray[np.int64], pad: int) -> Tensor:
    ids = np.full((len(chosen), max(1, int(symbols.lengths[chosen].max()))), pad, np.int64)
    for row, record in enumerate(chosen):
        ids[row, : symbols.lengths[record]] = symbols[int(record)]
    return torch.from_numpy(ids)


def _loss(
    logits: Tensor, symbols: Ragged, labels: NDArray[Any], chosen: NDArray[np.int64], problem: Problem,
    scale: Scale, weights: Tensor | None, shares: NDArray[np.float32] | None,
) -> Tensor:  # fmt: skip
    wanted = labels[chosen] if problem not in PER_SYMBOL else _of_symbols(symbols, labels, chosen, logits.shape[1])
    if problem in OF_VALUES:
        wanted = _standardised(wanted, scale)
    batch = {"labels": torch.from_numpy(wanted)}
    if shares is not None:
        batch["weights"] = torch.from_numpy(shares[chosen])
    return summed_loss(problem, logits, batch, weights) / count_labels(batch).clamp(min=1)


def _of_symbols(symbols: Ragged, labels: NDArray[Any], chosen: NDArray[np.int64], width: int) -> NDArray[Any]:
    """Shape (b, width): the labels of all symbols of the records `chosen`, filled up with what is not scored."""
    wanted = np.full((len(chosen), width), unknown_mark(labels), labels.dtype)
    for row, record in enumerate(chosen):
        tags = labels[symbols.offsets[record] : symbols.offsets[record + 1]]
        wanted[row, : len(tags)] = tags
    return wanted
