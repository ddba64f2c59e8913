"""The arm ``aligned``: word rows of the symbols, trained until states of sequences lie like those of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xdomain.core.errors import RecipeError
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe
from xdomain.data.collate import Collator
from xdomain.model.token_mapping import learned_kind

READ = ("input_ids", "attention_mask", "token_type_ids")
"""What the body of a model reads of a batch."""
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernels, as multiples of the median squared distance: what one does not see, another may."""
COMPARED = 512
"""States of each side that a step compares."""
POOL = 8192
"""States of text that are kept to draw from."""
LONGEST = 126
"""Wordpieces of a piece of text, at most; pieces are as long as the median record."""
JUDGED = 4
"""Batches on which the discrepancy is measured before and after."""
STRIDE = 0.02
"""The learning rate as a share of the standard deviation of the rows, so that it suits tables of any scale."""


@dataclass(frozen=True)
class Aligned:
    """Word rows for the symbols of a domain.

    Parameters
    ----------
    rows
        Shape (alphabet, width), float32.
    facts
        For the result: ``steps``, ``text_states`` and the ``discrepancy`` ``before`` and ``after``.
    """

    rows: Tensor
    facts: dict[str, Any]


def check_aligned(recipe: Recipe) -> None:
    """Refuse what has no rows to align, or learns them in another way.

    Parameters
    ----------
    recipe
        With the init ``aligned``.

    Raises
    ------
    RecipeError
        Its problem is ``sequence``, or its mapping is learned.
    """
    if recipe.problem == "sequence":
        raise RecipeError("init aligned for a model that writes sequences", expected="a model that reads them",
                          fix="--init pretrained")  # fmt: skip
    if learned_kind(recipe.run.mapping):
        raise RecipeError(f"init aligned with the mapping {recipe.run.mapping}: both make the rows of the symbols",
                          expected="one of the two", fix="--mapping random")  # fmt: skip


def align_rows(
    model: PreTrainedModel, ids: NDArray[np.int64], collate: Collator, tokenizer: PreTrainedTokenizerBase,
    *, records: NDArray[np.int64], steps: int, batch_size: int, seed: int, device: str,
) -> Aligned:  # fmt: skip
    """Train the word rows of symbols so that hidden states of sequences are distributed as those of English text.

    The body is frozen. Each step lowers the maximum mean discrepancy (Gretton et al. 2012) between states of the last
    layer at the symbols of some training sequences and at the wordpieces of sentences that come with xdomain. This is
    the first stage of cross-modal fine-tuning by alignment (ORCA, Shen et al. 2023; L2G, 2025) with the embedder that a
    stock checkpoint has: a row a symbol. No labels are looked at.

    Parameters
    ----------
    model
        As it starts, to be thrown away: its word rows at `ids` are changed, and its other weights need no gradient.
    ids
        Shape (alphabet,): the row of each symbol.
    collate
        Makes batches of the records, in the model's rows.
    tokenizer
        The backbone's, for the text.
    records
        Shape (n,): the training records.
    steps
        How many, 1 or more.
    batch_size
        Records of a step.
    seed
        Of the order of records and the choice of states, 0 or more.
    device
        Where to compute, as ``cpu``.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 3]))
    generator = torch.Generator().manual_seed(seed)
    model = model.to(device).eval()  # pyright: ignore[reportArgumentType]
    weight: Any = model.get_input_embeddings().weight  # pyright: ignore[reportUnknownMemberType]
    model.requires_grad_(False)
    symbols = torch.from_numpy(ids).to(device)
    text = _states_of_text(model, tokenizer, collate, device)
    rows = weight.detach()[symbols].clone().requires_grad_()
    optimizer = torch.optim.Adam([rows], lr=STRIDE * float(rows.detach().std()))
    judged = [rng.choice(records, min(batch_size, len(records)), replace=False) for _ in range(JUDGED)]

    def discrepancy(batch: Sequence[int], draw: torch.Generator) -> Tensor:
        states = _states(model, _read(collate(batch), device), symbols)
        return mmd(_some(states, draw), _some(text, draw))

    def measured() -> float:
        fixed = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return float(np.mean([float(discrepancy(batch.tolist(), fixed)) for batch in judged]))

    first = measured()
    reporter().started("aligning", steps)
    weight.requires_grad_(True)
    for step in range(steps):
        batch = rng.choice(records, min(batch_size, len(records)), replace=False)
        model.zero_grad(set_to_none=True)
        discrepancy(batch.tolist(), generator).backward()
        rows.grad = weight.grad[symbols]
        optimizer.step()
        with torch.no_grad():
            weight[symbols] = rows
        reporter().advanced(step + 1)
    last = measured()
    log.info(f"aligned to text in {steps:,} steps: discrepancy {first:.4f}, now {last:.4f}")
    facts = {"steps": steps, "text_states": len(text), "discrepancy": {"before": first, "after": last}}
    return Aligned(rows.detach().cpu().float(), facts)


def mmd(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased estimate of the squared maximum mean discrepancy, a mean over Gaussian kernels of several widths.

    Parameters
    ----------
    one, other
        Shapes (n, d) and (m, d), n and m 2 or more: draws from two distributions.

    Returns
    -------
    Tensor
        Scalar: about 0 where the distributions are the same, at most about 2.
    """
    both = torch.cat([one, other])
    apart = torch.cdist(both, both).square()
    n, m = len(one), len(other)
    usual = apart.detach()[~torch.eye(n + m, dtype=torch.bool, device=both.device)].median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-apart / (scale * usual)) for scale in SCALES]).mean(0)
    within, without = kernel[:n, :n], kernel[n:, n:]
    return (
        (within.sum() - within.diagonal().sum()) / (n * (n - 1))
        + (without.sum() - without.diagonal().sum()) / (m * (m - 1))
        - 2 * kernel[:n, n:].mean()
    )


def _read(batch: dict[str, Any], device: str) -> dict[str, Tensor]:
    return {name: batch[name].to(device) for name in READ if name in batch}


def _states(model: PreTrainedModel, batch: dict[str, Tensor], rows: Tensor) -> Tensor:
    """Shape (positions, width): the last hidden states at those positions of a batch whose row is among `rows`."""
    states: Tensor = model.base_model(**batch).last_hidden_state
    return states[torch.isin(batch["input_ids"], rows) & batch["attention_mask"].bool()].float()


def _states_of_text(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, collate: Collator, device: str
) -> Tensor:
    """Shape (positions, width): the states at ordinary wordpieces of sentences, joined to the length of the records."""
    sentences = resources.files("xdomain.training").joinpath("english.txt").read_text("utf-8").split("\n")
    whole: list[int] = tokenizer(" ".join(sentences), add_special_tokens=False, verbose=False)["input_ids"]  # pyright: ignore
    start, end = collate.layout.start, collate.layout.end
    length = max(8, min(int(np.median(collate.lengths())), LONGEST))
    parts = [[*start, *whole[i : i + length], *end] for i in range(0, len(whole) - length, length)]
    usual = torch.tensor([row for row in set(whole) if row not in set(tokenizer.all_special_ids)], device=device)
    states: list[Tensor] = []
    with torch.no_grad():
        for first in range(0, min(len(parts), POOL // length + 1), 16):
            ids = torch.tensor(parts[first : first + 16], device=device)
            states.append(_states(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, usual))
    return torch.cat(states)[:POOL]


def _some(states: Tensor, generator: torch.Generator) -> Tensor:
    """`COMPARED` of the states, drawn without replacement; all where there are fewer."""
    if len(states) <= COMPARED:
        return states
    return states[torch.randperm(len(states), generator=generator)[:COMPARED].to(states.device)]
