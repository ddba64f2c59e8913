"""A learned mapping: each symbol a mixture of the backbone's own word rows, which folds back into plain rows.

Reprogramming, as in R2DL (Vinod et al. 2020, arXiv 2012.03460) and ReprogBERT (Melnyk et al. 2023, arXiv 2301.02120):
the rows of the words stay as they are, and training learns how much of each word a symbol is made of. In those papers
the weights are unconstrained and come from sparse coding; here they are probabilities over words, which can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError, RecipeError
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary

SHARPNESS = {"soft": 100.0, "sparse": 10.0}
"""Logits are the trained values times this. Adam moves a value by about the learning rate a step, whatever its
gradient. At a rate of 3e-4 a soft logit therefore moves by 0.03, and a sparse one, which is itself a weight, by 0.003:
one rate serves the mixture and the body. At 1000 soft mixtures collapsed onto single words, at 10 they hardly moved."""
START = 0.9
"""Weight, at the start, of the wordpiece that a random mapping would give the symbol; the others share the rest evenly.
Measured on toy/dna-classification, one seed, 400 records, full fine-tuning, validation accuracy: soft .75, sparse .83
from 0.9; .67 and .61 from 0.5; .47, soft, where all words start alike, as then no symbol differs from another."""
MAX_WEIGHTS = 100_000_000
LISTED = 5  # heaviest words of a symbol, in a result


class Mixture(nn.Module):
    """Weights of symbols over words: a softmax, or a sparsemax (Martins & Astudillo 2016, arXiv 1602.02068).

    Parameters
    ----------
    starts
        Of each symbol, the place of the word that weighs most at the start (`START`), in [0, words).
    words
        How many words there are.
    sparse
        Whether weights are a sparsemax of the logits instead of a softmax.
    """

    def __init__(self, starts: Sequence[int], words: int, *, sparse: bool) -> None:
        super().__init__()
        self.sparse, self.sharpness = sparse, SHARPNESS["sparse" if sparse else "soft"]
        # How far the first logit must lie above the rest for a weight of START:
        # log(START / (1 - START) · (words - 1)) in a softmax, START itself in a sparsemax.
        margin = START if sparse else float(np.log(START / (1 - START) * max(1, words - 1)))
        values = torch.zeros(len(starts), words)
        values[torch.arange(len(starts)), torch.tensor(starts)] = margin / self.sharpness
        self.values = nn.Parameter(values)

    def weights(self) -> Tensor:
        """The weights, shape (symbols, words), float32: each at least 0, each row in sum 1."""
        logits = self.values.float() * self.sharpness
        return sparsemax(logits) if self.sparse else logits.softmax(-1)

    def forward(self, words: Tensor) -> Tensor:
        """Mix the rows of the `words`, shape (words, d), to those of the symbols, shape (symbols, d), float32."""
        with torch.autocast(words.device.type, enabled=False):
            return self.weights() @ words.float()


class Reprogrammed(nn.Module):
    """A word-embedding table in which symbols have no rows of their own but mixtures of words.

    Parameters
    ----------
    plain
        The table as it was, for all that is no symbol, such as the separator.
    places
        Shape (symbols,): the rows of `plain` that the mixtures replace.
    words
        Shape (words, d): the rows that are mixed. Never trained, and in no checkpoint, as the backbone has them.
    mixture
        The weights, which are trained.
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
        """Shape (rows of `plain`, d): the table as the model reads it."""
        return self.plain.weight.index_copy(0, self.places, self.mixture(self.words).to(self.plain.weight.dtype))

    @property
    def padding_idx(self) -> int | None:
        """The padding's row, which gets no gradient."""
        return self.plain.padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        """Look up the rows of `ids`, shape (b, s), numbered as in `plain`; shape (b, s, d)."""
        return nn.functional.embedding(ids, self.weight, self.plain.padding_idx)

    def folded(self) -> nn.Embedding:
        """Write the mixtures into the rows of the plain table, and return that table."""
        with torch.no_grad():
            self.plain.weight.copy_(self.weight)
        return self.plain


def sparsemax(logits: Tensor) -> Tensor:
    """The point of the probability simplex nearest to each row of `logits`, shape (symbols, words): mostly zeros."""
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
    """Make each symbol that a mapping puts on an ordinary row a mixture of all ordinary rows, in place.

    Parameters
    ----------
    model
        Its embedding table is replaced by a `Reprogrammed` one.
    mapping
        The row that has most of the weight of a symbol at the start.
    vocabulary
        Says which rows are ordinary words.
    words
        Shape (v, d): the whole table at the start; the mixture copies its ordinary rows.
    compact
        Shape (v,): where each vocabulary row now is, see `xdomain.model.vocabulary.Slice`; None where the model's
        table was not sliced.
    sparse
        Whether weights are a sparsemax instead of a softmax.

    Raises
    ------
    RecipeError
        The weights would not fit into memory.
    BackboneError
        The table of the model is no plain one.
    """
    ordinary = vocabulary.ordinary
    place_of = {int(row): i for i, row in enumerate(ordinary)}
    rows = [int(row) for row in mapping.ids if int(row) in place_of]
    check_size(len(rows), len(ordinary))
    table = model.get_input_embeddings()
    if type(table) is not nn.Embedding:
        raise BackboneError(
            f"a {model.config.model_type} does more to its rows than look them up, so they cannot be mixtures",
            expected="another backbone, or a mapping that is not learned",
        )
    places = torch.from_numpy(compact[rows] if compact is not None else np.array(rows, np.int64))
    kept = words.detach()[torch.from_numpy(ordinary)].clone()
    mixture = Mixture([place_of[row] for row in rows], len(ordinary), sparse=sparse)
    model.set_input_embeddings(Reprogrammed(table, places, kept, mixture))


def check_size(symbols: int, words: int) -> None:
    """Refuse a learned mapping of so many `symbols` onto so many `words` that its weights would not fit into memory.

    Raises
    ------
    RecipeError
        There would be more than 100 million.
    """
    if symbols * words > MAX_WEIGHTS:
        raise RecipeError(
            f"a learned mapping of {symbols:,} symbols onto {words:,} words has {symbols * words / 1e6:,.0f} million "
            "weights",
            expected=f"{MAX_WEIGHTS // 10**6} million at most: a smaller alphabet, such as shorter k-mers",
            fix="--mapping random, or --mapping search:16",
        )


def mixture_of(model: nn.Module) -> Reprogrammed | None:
    """The embedding table of `model` if its mapping is learned, else None."""
    return next((part for part in model.modules() if isinstance(part, Reprogrammed)), None)


def fold_mixture(model: PreTrainedModel) -> None:
    """Make the mixtures of `model` plain rows of a stock table, in place; a model without mixtures stays as it is."""
    table: Any = model.get_input_embeddings()
    if isinstance(table, Reprogrammed):
        model.set_input_embeddings(table.folded())


def describe_mixture(model: nn.Module, mapping: TokenMapping, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """Describe the mixture of each symbol of a learned mapping, for the result.

    Parameters
    ----------
    model
        Its mixtures are not folded yet.
    mapping
        The one that `insert_mixture` got: it names the symbols.
    vocabulary
        Names the words.

    Returns
    -------
    dict
        By symbol: `pieces`, its five heaviest words as [piece, weight]; `spread`, over how many words it is spread, the
        exponential of the weights' entropy: 1 for a single word, the number of words where all weigh alike. None where
        no mapping is learned.
    """
    table = mixture_of(model)
    if table is None:
        return None
    ordinary = set(vocabulary.ordinary.tolist())
    symbols = [s for s, row in zip(mapping.symbols, mapping.ids.tolist(), strict=True) if row in ordinary]
    with torch.no_grad():
        weights = table.mixture.weights().cpu()
    names = [vocabulary.pieces[row] for row in vocabulary.ordinary]
    described: dict[str, Any] = {}
    for symbol, row in zip(symbols, weights, strict=True):
        top = row.topk(min(LISTED, len(row)))
        pieces = [[names[int(i)], float(w)] for w, i in zip(top.values, top.indices, strict=True) if w > 0]
        described[symbol] = {"pieces": pieces, "spread": float(torch.special.entr(row).sum().exp())}
    return described
