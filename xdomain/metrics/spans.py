"""Answers in passages: the best span of each window, and reference points to judge it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xdomain.data.answers import NONE
from xdomain.data.dataset import Examples
from xdomain.metrics.no_answer import given_spans

if TYPE_CHECKING:  # a baseline is judged without importing torch
    from torch import Tensor

RANDOM_DRAWS = 20


def best_spans(logits: Tensor, owned: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """The likeliest answer in each window.

    Parameters
    ----------
    logits
        Shape (w, s, 2): of the first and of the last symbol of the answer. The start token stands for "not here".
    owned
        Shape (w, s): the positions that hold a symbol of the passage.
    longest
        Symbols that an answer may have.

    Returns
    -------
    tuple
        Shape (w,): log P(first) + log P(last), over the window's passage and its start token, so that windows can be
        compared; shape (w, 2): the span in symbols of the passage piece that the window holds, half-open.
        Exact: the best of all spans of at most `longest` symbols.
    """
    import torch

    chances = torch.log_softmax(candidates_only(logits, owned), dim=1)
    first, last = chances.masked_fill(~owned[..., None], -torch.inf).unbind(-1)
    reach = min(longest, last.shape[1])
    ahead = torch.nn.functional.pad(last, (0, reach - 1), value=-torch.inf)
    best_last, place = torch.nn.functional.max_pool1d(ahead[:, None], reach, stride=1, return_indices=True)
    total, start = (first + best_last[:, 0]).max(dim=1)
    end = place[:, 0].gather(1, start[:, None])[:, 0]
    before = owned.long().argmax(dim=1)
    return total, torch.stack([start - before, end + 1 - before], dim=-1)


def candidates_only(logits: Tensor, owned: Tensor) -> Tensor:
    """The same `logits`, shape (w, s, 2), with the lowest finite value at positions that cannot answer.

    The start token and the positions that are `owned`, shape (w, s), can; question, separators and padding cannot.
    """
    import torch

    candidate = owned.clone()
    candidate[:, 0] = True
    return logits.masked_fill(~candidate[..., None], torch.finfo(logits.dtype).min)


def none_scores(logits: Tensor, owned: Tensor) -> Tensor:
    """Shape (w,): log P(first) + log P(last) of the start token of each window, that is of "not here".

    `logits`, shape (w, s, 2), and `owned`, shape (w, s), as well as the probabilities, are as in `best_spans`.
    """
    import torch

    return torch.log_softmax(candidates_only(logits, owned), dim=1)[:, 0].sum(dim=-1)


def found_spans(
    examples: Examples,
    records: NDArray[np.int64],
    scores: NDArray[np.float64],
    threshold: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Shape (n, 2): the predicted answers in the passage's own coordinate; NaN where none is given.

    Parameters
    ----------
    examples
        The records, with their passages.
    records
        Shape (n,): places in `examples`.
    scores
        Shape (n, 4), as `xdomain.training.predict.predict_scores` returns them: start and end in symbols come first.
    threshold
        See `xdomain.metrics.no_answer.given_spans`.
    """
    return _to_native(examples, records, given_spans(scores, threshold))


def oracle_spans(examples: Examples, records: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shape (n, 2): the learned references of `records` in `examples`, rounded to whole symbols; NaN where none is.

    They are the best that a model can do.
    """
    return _to_native(examples, records, examples.labels_of(records))


def random_spans(examples: Examples, records: NDArray[np.int64], draw: int) -> NDArray[np.float64]:
    """Shape (n, 2): random spans of the passages of `records` in `examples`, in the passage's own coordinate.

    Each is as long as a random answer in train, and lies anywhere in its passage; where the random question has no
    answer, it is NaN. `draw` numbers the random draw, 0 or more.
    """
    rng = np.random.Generator(np.random.PCG64([0, draw]))
    known = examples.labels_of(examples.indices("train"))
    symbols = examples.symbols_b.lengths[records] if examples.symbols_b is not None else np.zeros(len(records), int)
    length = np.minimum(rng.choice(known[:, 1] - known[:, 0], len(records)), symbols)
    start = rng.integers(0, symbols - length + 1)
    drawn = np.column_stack([start, start + length])
    return _to_native(examples, records, np.where(length[:, None] > 0, drawn, NONE))


def _to_native(examples: Examples, records: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.float64]:
    if examples.symbols_b is None or examples.edges is None:
        raise ValueError("no passages")
    there = spans[:, 0] != NONE
    places = spans[there] + examples.symbols_b.offsets[:-1][records[there]][:, None]
    native = np.full((len(spans), 2), np.nan)
    native[there] = np.column_stack([examples.edges[places[:, 0], 0], examples.edges[places[:, 1] - 1, 1]])
    return native
