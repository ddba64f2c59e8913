"""A learned mapping: each symbol a mixture of the backbone's own word rows, which folds back into plain rows.

Reprogramming, as in R2DL (Vinod et al. 2020, arXiv 2012.03460) and ReprogBERT (Melnyk et al. 2023, arXiv 2301.02120):
the rows of the words stay as they are, and what is learned is how much of each a symbol is made of. There the weights
are free and found by sparse coding; here they are a probability over words, so that they can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.core.errors import RecipeError
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary

SHARPNESS = {"soft": 100.0, "sparse": 10.0}
"""Logits are this many times the trained values. Adam moves a value by about the learning rate a step, whatever its
gradient: a soft logit by 0.03, and a sparse one, which is itself a weight, by 0.003 at 3e-4. So one rate does for the
mixture and for the body. At 1000 soft mixtures collapsed onto single words, at 10 they hardly moved."""
START = 0.9
"""Weight, at the start, of the wordpiece that a random mapping would give the symbol; the rest is even over the others.
Measured on toy/dna-classification, one seed, 400 records, full fine-tuning, validation accuracy: soft .75, sparse .83
from 0.9; .67 and .61 from 0.5; .47, soft, where all words start alike, as then no symbol differs from another."""
MOST_WEIGHTS = 100_000_000
TOLD = 5


class Mixture(nn.Module):
    """Weights of s symbols over v words: a softmax, or a sparsemax (Martins & Astudillo 2016, arXiv 1602.02068)."""

    def __init__(self, starts: Sequence[int], words: int, *, sparse: bool) -> None:
        super().__init__()
        self.sparse, self.sharpness = sparse, SHARPNESS["sparse" if sparse else "soft"]
        # softmax: weight START for a logit of log(START / (1 - START) · (words - 1)) above the rest; sparsemax: START
        margin = START if sparse else float(np.log(START / (1 - START) * max(1, words - 1)))
        values = torch.zeros(len(starts), words)
        values[torch.arange(len(starts)), torch.tensor(starts)] = margin / self.sharpness
        self.values = nn.Parameter(values)

    def weights(self) -> Tensor:
        """Shape (s, v), float32: each row at least 0 and in sum 1."""
        logits = self.values.float() * self.sharpness
        return sparsemax(logits) if self.sparse else logits.softmax(-1)

    def forward(self, words: Tensor) -> Tensor:
        """The rows (v, d) of the words to those (s, d) of the symbols."""
        with torch.autocast(words.device.type, enabled=False):
            return self.weights() @ words.float()


class Reprogrammed(nn.Module):
    """A word-embedding table in which symbols have no rows of their own but mixtures of words.

    Parameters
    ----------
    plain
        The table as it was, for what is no symbol, such as the separator.
    places
        Shape (s,): rows of `plain` that the mixtures stand in for.
    words
        Shape (v, d): what is mixed; never trained, and in no checkpoint, as it is what the run starts from.
    """

    words: Tensor
    places: Tensor

    def __init__(self, plain: nn.Embedding, places: Tensor, words: Tensor, mixture: Mixture) -> None:
        super().__init__()
        self.plain, self.mixture = plain, mixture
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("words", words, persistent=False)

    @property
    def weight(self) -> Tensor:
        """Shape (rows, d): the table as the model reads it."""
        return self.plain.weight.index_copy(0, self.places, self.mixture(self.words).to(self.plain.weight.dtype))

    @property
    def padding_idx(self) -> int | None:
        """The padding's row, which gets no gradient."""
        return self.plain.padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.weight, self.plain.padding_idx)

    def folded(self) -> nn.Embedding:
        """The plain table with the mixtures as rows."""
        with torch.no_grad():
            self.plain.weight.copy_(self.weight)
        return self.plain


def sparsemax(logits: Tensor) -> Tensor:
    """The nearest point of the probability simplex to each row of (s, v): most of its entries are exactly 0."""
    ordered = logits.sort(-1, descending=True)[0]
    counts = torch.arange(1, logits.shape[-1] + 1, device=logits.device)
    excess = ordered.cumsum(-1) - 1
    support = (ordered * counts > excess).sum(-1, keepdim=True)
    threshold = excess.gather(-1, support - 1) / support
    return (logits - threshold).clamp(min=0)


def insert_mixture(
    model: PreTrainedModel,
    mapping: TokenMapping,
    vocabulary: Vocabulary,
    words: Tensor,
    compact: NDArray[np.int64] | None,
    *,
    sparse: bool,
) -> None:
    """Make every symbol that a mapping gives an ordinary row a mixture of all ordinary rows, in place.

    Parameters
    ----------
    model
        With the embedding table to replace.
    mapping
        Where every symbol starts.
    vocabulary
        Says which rows are ordinary words.
    words
        Shape (vocabulary, d): the whole table at the start, of which the ordinary rows are kept.
    compact
        Where each vocabulary row now is, if the model's table was sliced.
    sparse
        Whether weights are a sparsemax instead of a softmax.

    Raises
    ------
    RecipeError
        The weights would not fit into memory.
    """
    ordinary = vocabulary.ordinary
    place_of = {int(row): i for i, row in enumerate(ordinary)}
    rows = [int(row) for row in mapping.ids if int(row) in place_of]
    check_size(len(rows), len(ordinary))
    table = model.get_input_embeddings()
    if not isinstance(table, nn.Embedding):
        raise TypeError(f"{type(table).__name__} is no table of rows")
    places = torch.from_numpy(compact[rows] if compact is not None else np.array(rows, np.int64))
    kept = words.detach()[torch.from_numpy(ordinary)].clone()
    mixture = Mixture([place_of[row] for row in rows], len(ordinary), sparse=sparse)
    model.set_input_embeddings(Reprogrammed(table, places, kept, mixture))


def check_size(symbols: int, words: int) -> None:
    """Refuse an alphabet whose mixtures would not fit into memory."""
    if symbols * words > MOST_WEIGHTS:
        raise RecipeError(
            f"a learned mapping of {symbols:,} symbols onto {words:,} words has {symbols * words / 1e6:,.0f} million "
            "weights",
            expected=f"{MOST_WEIGHTS // 10**6} million at most: a smaller alphabet, such as shorter k-mers",
            fix="--mapping random, or --mapping search:16",
        )


def mixture_of(model: nn.Module) -> Reprogrammed | None:
    """The table of a learned mapping, where the model has one."""
    return next((part for part in model.modules() if isinstance(part, Reprogrammed)), None)


def fold_mixture(model: PreTrainedModel) -> None:
    """Make the mixtures plain rows of a stock table, in place; nothing happens where there are none."""
    table: Any = model.get_input_embeddings()
    if isinstance(table, Reprogrammed):
        model.set_input_embeddings(table.folded())


def describe_mixture(model: nn.Module, mapping: TokenMapping, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """Of each symbol of a learned mapping the five heaviest words, and how many words it is spread over.

    `spread` is the exponential of the weights' entropy: 1 for a single word, v for all alike.
    """
    table = mixture_of(model)
    if table is None:
        return None
    ordinary = set(vocabulary.ordinary.tolist())
    symbols = [s for s, row in zip(mapping.symbols, mapping.ids.tolist(), strict=True) if row in ordinary]
    with torch.no_grad():
        weights = table.mixture.weights().cpu()
    names = [vocabulary.pieces[row] for row in vocabulary.ordinary]
    told: dict[str, Any] = {}
    for symbol, row in zip(symbols, weights, strict=True):
        top = row.topk(min(TOLD, len(row)))
        pieces = [[names[int(i)], float(w)] for w, i in zip(top.values, top.indices, strict=True) if w > 0]
        told[symbol] = {"pieces": pieces, "spread": float(torch.special.entr(row).sum().exp())}
    return told
