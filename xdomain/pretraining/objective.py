"""From pieces of documents to a batch, and from a batch to its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from xdomain.core.choices import Objective
from xdomain.pretraining.model import Model, mlm_logits, order, states
from xdomain.pretraining.streams import Pieces, Stream

MASKED, REPLACED = 0.8, 0.1
MASKS = 1
"""Part of the seed of a step's masks, which sets them apart from the draws of its pieces."""
TRIES = 32
"""How many rows further on a piece of another document is looked for."""


@dataclass(frozen=True)
class Masking:
    """Devlin et al. 2019, §3.1: of the chosen positions 80 % become [MASK], 10 % another token, 10 % stay.

    Parameters
    ----------
    rate
        Share of the positions that are chosen, in (0, 1).
    mask
        The row of [MASK].
    ordinary
        Rows that another token is drawn from: no special token, no ``[unused…]``.
    """

    rate: float
    mask: int
    ordinary: NDArray[np.int64]

    def apply(
        self, ids: NDArray[np.int64], free: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose positions at random and mask them, in place.

        At least one position is chosen, as a batch without any has no loss.

        Parameters
        ----------
        ids
            Shape (b, s), contiguous: changed in place.
        free
            Shape (b, s): the positions that may be chosen.
        rng
            What is drawn depends on it alone.

        Returns
        -------
        tuple
            The chosen places in ``ids.ravel()``, ascending, and the ids that stood there: both int64 of shape (m,).
        """
        draw = rng.random(ids.shape, np.float32)
        draw[~free] = 2
        flat = ids.reshape(-1)
        places = np.flatnonzero(draw.reshape(-1) < self.rate)
        if not len(places):
            places = np.array([draw.argmin()])
        wanted = flat[places]
        fate = rng.random(len(places))
        flat[places[fate < MASKED]] = self.mask
        swapped = places[fate >= 1 - REPLACED]
        flat[swapped] = self.ordinary[rng.integers(len(self.ordinary), size=len(swapped))]
        return places, wanted


@dataclass(frozen=True)
class Batch:
    """The tensors of one step.

    Parameters
    ----------
    ids
        Shape (b, s), int64: ``[CLS] piece [SEP]`` or ``[CLS] first [SEP] second [SEP]``, masked.
    types
        Shape (b, s), int64: 1 in the second segment and its [SEP]; None where there is one segment.
    places
        Shape (m,), int64: the positions to predict, in ``ids.ravel()``, ascending.
    wanted
        Shape (m,), int64: the ids that stood there.
    order
        Shape (b,), int64: 0 where the second segment follows the first in the text, else 1; None under mlm.
    """

    ids: Tensor
    types: Tensor | None
    places: Tensor
    wanted: Tensor
    order: Tensor | None

    def to(self, device: str) -> Batch:
        """The batch on `device`, such as ``cuda``; the copy to a GPU is asynchronous."""
        if device == "cpu":
            return self

        def move(tensor: Tensor | None) -> Any:
            if tensor is None:
                return None
            return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)

        return Batch(*(move(t) for t in (self.ids, self.types, self.places, self.wanted, self.order)))


@dataclass(frozen=True)
class Batches:
    """The batches of a stream, each a function of seed and step alone.

    Parameters
    ----------
    stream
        Where the tokens come from.
    masking
        How positions are chosen and masked.
    objective
        One segment under mlm, two under the others.
    cls, sep
        Rows of [CLS] and [SEP].
    seed
        Of masks and segments, 0 or more; the stream has its own.
    """

    stream: Stream
    masking: Masking
    objective: Objective
    cls: int
    sep: int
    seed: int

    def at(self, step: int, *, rows: int, length: int) -> Batch:
        """The batch of a `step`: `rows` sequences of `length` positions, special tokens included."""
        rng = np.random.Generator(np.random.PCG64([self.seed, step, MASKS]))
        specials = 2 if self.objective == "mlm" else 3
        pieces = self.stream.batch(step, rows, length - specials)
        types = order = None
        if self.objective == "mlm":
            ids = np.full((rows, pieces.tokens.shape[1] + specials), self.sep, np.int64)
            ids[:, 1:-1] = pieces.tokens
        else:
            ids, types, order = self._two_segments(pieces, rng)
        free = ids != self.sep  # those between joined records included
        ids[:, 0], free[:, 0] = self.cls, False
        places, wanted = self.masking.apply(ids, free, rng)
        made = (ids, types, places, wanted, order)
        return Batch(*(None if part is None else torch.from_numpy(part) for part in made))  # pyright: ignore[reportArgumentType]

    def _two_segments(self, pieces: Pieces, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Put two segments into each row: ids, without [CLS] yet, token types, and the order.

        Each piece is cut at a random place in its middle half. In half of the rows, on average, the second segment is
        not the one that follows (order 1): for ``mlm+sop`` the two change places, for ``mlm+nsp`` it comes from another
        row, of another document where the batch has one.
        """
        tokens = pieces.tokens
        rows, body = tokens.shape
        order = rng.integers(2, size=rows)
        cut = rng.integers(max(1, body // 4), body - max(1, body // 4), size=rows, endpoint=True)[:, None]
        columns = np.arange(body)[None]
        if self.objective == "mlm+sop":
            swapped = order[:, None] == 1
            tokens = np.where(swapped, np.take_along_axis(tokens, (columns + cut) % body, 1), tokens)
            cut = np.where(swapped, body - cut, cut)
        else:
            foreign = tokens[_partners(pieces.documents)]
            tokens = np.where((order[:, None] == 1) & (columns >= cut), foreign, tokens)
        second = columns >= cut
        ids = np.full((rows, body + 3), self.sep, np.int64)
        np.put_along_axis(ids, columns + 1 + second, tokens, 1)
        places = np.arange(body + 3)[None]
        return ids, (places > cut + 1).astype(np.int64), order


def _partners(documents: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the next one, cyclically, of another document; the very next one where there is none."""
    rows = len(documents)
    partners = (np.arange(rows) + 1) % rows
    for _ in range(min(rows - 1, TRIES)):
        same = documents[partners] == documents
        if not same.any():
            break
        partners = np.where(same, (partners + 1) % rows, partners)
    lost = documents[partners] == documents
    return np.where(lost, (np.arange(rows) + 1) % rows, partners)


@dataclass(frozen=True)
class LossOutput:
    """The loss of a batch, and the predictions to compute accuracies from.

    Parameters
    ----------
    loss, masked_loss
        Scalars: the loss to minimise, and the part of it that is masked-LM's.
    logits
        Shape (m, v), float32: at the chosen positions.
    order_logits
        Shape (b, 2), float32: of the order of segments; None under mlm.
    """

    loss: Tensor
    masked_loss: Tensor
    logits: Tensor
    order_logits: Tensor | None

    def accuracies(self, batch: Batch) -> tuple[float, float | None]:
        """Shares of right answers for the same `batch`: at the chosen positions, and about the order (None in mlm)."""
        masked = _share(self.logits, batch.wanted)
        if self.order_logits is None or batch.order is None:
            return masked, None
        return masked, _share(self.order_logits, batch.order)


def _share(logits: Tensor, wanted: Tensor) -> float:
    return (logits.argmax(-1) == wanted).float().mean().item()


def outcome(model: Model, batch: Batch) -> LossOutput:
    """Compute the loss of `model` on `batch`: mean cross-entropy at the chosen positions, plus that of the order.

    The masked-LM head is computed at the chosen positions alone.
    """
    hidden = states(model, batch.ids, batch.types)
    chosen = hidden.flatten(0, 1).index_select(0, batch.places)
    logits = mlm_logits(model, chosen).float()
    masked = cross_entropy(logits, batch.wanted)
    if batch.order is None:
        return LossOutput(masked, masked, logits, None)
    order_logits = order(model, hidden).float()
    return LossOutput(masked + cross_entropy(order_logits, batch.order), masked, logits, order_logits)
