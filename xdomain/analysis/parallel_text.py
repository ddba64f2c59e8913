"""Lines of two languages in one encoder: their mean states, and the head's answers after states are moved."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xdomain.analysis.loaded_run import hidden_states
from xdomain.model.families import max_positions

ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
BATCH = 32
DEPTHS = (0, 1 / 2, 10 / 12, 1)  # as shares of all layers; the source moved states in the 10th layer of 12
Batch = tuple[dict[str, Tensor], Tensor]


@dataclass(frozen=True)
class Coded:
    """Tokenized lines.

    Parameters
    ----------
    batches
        In the order of the lines: the inputs of the model, each (b, s), and which positions hold text, bool (b, s).
    unknown
        The share of pieces that the tokenizer does not know, in [0, 1].
    truncated
        The number of lines that were cut.
    unknown_row
        The id of the unknown piece, which belongs to neither language; None if the tokenizer has none.
    """

    batches: tuple[Batch, ...]
    unknown: float
    truncated: int
    unknown_row: int | None


@dataclass(frozen=True)
class Converted:
    """The answers of the head after the states behind one layer are moved.

    Parameters
    ----------
    layer
        The layer; 0: the embeddings.
    positions
        The number of positions at which the head answers, those that hold a piece of only the first language.
    first, second
        Shape (alphas,): the share of answers that are pieces of only the first, or of only the second language.
    twin, stranger
        Shape (alphas,): the share of answers that are pieces of only the second language and occur in the line's
        counterpart; or in the counterpart of the next line, which shows how much of that is due to frequent pieces.
    """

    layer: int
    positions: int
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    twin: NDArray[np.float64]
    stranger: NDArray[np.float64]


def encode(tokenizer: PreTrainedTokenizerBase, config: Any, lines: Sequence[str]) -> Coded:
    """Tokenize and pad `lines` with a checkpoint's `tokenizer`.

    Lines with more pieces than the model of this `config` has positions are cut.
    """
    most = max_positions(config)
    whole = tokenizer(list(lines), return_special_tokens_mask=True, verbose=False)
    full: list[list[int]] = whole["input_ids"]  # pyright: ignore[reportAssignmentType]
    special: list[list[int]] = whole["special_tokens_mask"]  # pyright: ignore[reportAssignmentType]
    # The tokenizer counts the unknown token as special, but here it stands for text.
    text = [[row == tokenizer.unk_token_id or not s for row, s in zip(*both, strict=True)]
            for both in zip(full, special, strict=True)]  # fmt: skip
    pieces = [row for ids, kept in zip(full, text, strict=True) for row, here in zip(ids, kept, strict=True) if here]
    batches = tuple(
        _padded(tokenizer, full[i : i + BATCH], text[i : i + BATCH], most) for i in range(0, len(full), BATCH)
    )
    unknown_row: Any = tokenizer.unk_token_id
    unknown = sum(row == unknown_row for row in pieces) / max(1, len(pieces))
    return Coded(batches, unknown, sum(len(ids) > most for ids in full), unknown_row)


def _padded(tokenizer: PreTrainedTokenizerBase, rows: list[list[int]], text: list[list[bool]], most: int) -> Batch:
    width = min(most, max(map(len, rows)))
    pad: Any = tokenizer.pad_token_id
    ids = torch.full((len(rows), width), int(pad))
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    here = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, (row, kept) in enumerate(zip(rows, text, strict=True)):
        if len(row) > width:  # the closing token is kept
            row, kept = [*row[: width - 1], row[-1]], [*kept[: width - 1], kept[-1]]
        ids[i, : len(row)], mask[i, : len(row)], here[i, : len(row)] = torch.tensor(row), 1, torch.tensor(kept)
    return {"input_ids": ids, "attention_mask": mask}, here


@torch.inference_mode()
def line_vectors(model: PreTrainedModel, coded: Coded) -> NDArray[np.float32]:
    """Shape (layers + 1, lines, d): the mean hidden state that `model` gives to the pieces of each line of `coded`.

    Special tokens are left out.
    """
    parts: list[Tensor] = []
    for inputs, here in coded.batches:
        states = hidden_states(model, inputs)
        share = here / here.sum(1, keepdim=True).clamp(min=1)
        parts.append(torch.einsum("lbsd,bs->lbd", states, share))
    return torch.cat(parts, dim=1).numpy()


def places(model: PreTrainedModel) -> list[nn.Module] | None:
    """The modules of `model` that return the embeddings and each layer's states, in order.

    None if the layers share a module, as in ALBERT, or if no such modules are known.
    """
    base = model.base_model
    layers = int(model.config.num_hidden_layers)
    stacks = [m for m in base.modules() if isinstance(m, nn.ModuleList) and len(m) == layers]
    embeddings = getattr(base, "embeddings", None)
    if model.config.model_type == "albert" or not stacks or not isinstance(embeddings, nn.Module):
        return None
    return [embeddings, *stacks[0]]


def _states(given: Any) -> Tensor:
    return given[0] if isinstance(given, tuple) else given


@contextmanager
def moved(module: nn.Module, by: Tensor) -> Generator[None]:
    """A context in which `by`, shape (d,), is added to every state that `module` returns."""

    def add(_module: nn.Module, _inputs: Any, given: Any) -> Any:
        return (given[0] + by, *given[1:]) if isinstance(given, tuple) else given + by

    handle = module.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


@torch.inference_mode()
def means(model: PreTrainedModel, modules: Sequence[nn.Module], coded: Coded, lines: int) -> Tensor:
    """Shape (modules, d): the mean state behind each of some modules, over all pieces of some lines.

    Parameters
    ----------
    model
        The model that holds the modules.
    modules
        As `places` returns them.
    coded
        The lines of one language.
    lines
        How many of the lines to read, from the first on.
    """
    kept: dict[int, Tensor] = {}

    def keep(number: int) -> Any:
        return lambda _module, _inputs, given: kept.update({number: _states(given)})

    handles = [module.register_forward_hook(keep(number)) for number, module in enumerate(modules)]
    total, count, left = torch.zeros(()), 0, lines
    try:
        for inputs, here in coded.batches:
            if left <= 0:
                break
            model.base_model(**inputs)
            chosen = here.clone()
            chosen[left:] = False
            left -= len(here)
            # Longformer pads lines to whole windows
            states = [kept[number][:, : here.shape[1]] for number in range(len(modules))]
            total = total + torch.stack([state[chosen].sum(0) for state in states])
            count += int(chosen.sum())
    finally:
        for handle in handles:
            handle.remove()
    return total / max(1, count)


@torch.inference_mode()
def converted(model: PreTrainedModel, coded: tuple[Coded, Coded], fitted: int) -> list[Converted] | None:
    """Move states of the first language towards the second, behind one of a few layers at a time.

    Parameters
    ----------
    model
        A masked language model.
    coded
        The tokenized lines of both languages.
    fitted
        The number of lines, from the first on, that give the means; the others are tested.

    Returns
    -------
    list of Converted or None
        One for each layer tried, in order; None if `places` finds no modules of layers (ALBERT).
    """
    modules = places(model)
    if modules is None:
        return None
    towards = means(model, modules, coded[1], fitted) - means(model, modules, coded[0], fitted)
    read = [_pieces(side, int(model.config.vocab_size)) for side in coded]
    only = [read[i].any(0) & ~read[1 - i].any(0) for i in (0, 1)]
    layers = sorted({round(depth * (len(modules) - 1)) for depth in DEPTHS})
    return [
        _at_layer(model, modules[layer], layer, towards[layer], coded[0], only, read[1], fitted) for layer in layers
    ]


def _pieces(coded: Coded, vocabulary: int) -> Tensor:
    """Shape (lines, vocabulary), bool: the pieces that each line holds, the unknown piece left out."""
    held: list[Tensor] = []
    for inputs, here in coded.batches:
        rows = torch.zeros((len(here), vocabulary), dtype=torch.bool)
        line, position = here.nonzero(as_tuple=True)
        rows[line, inputs["input_ids"][line, position]] = True
        held.append(rows)
    pieces = torch.cat(held)
    if coded.unknown_row is not None:
        pieces[:, coded.unknown_row] = False
    return pieces


def _at_layer(
    model: PreTrainedModel, module: nn.Module, layer: int, by: Tensor, coded: Coded, only: list[Tensor],
    counterparts: Tensor, fitted: int,
) -> Converted:  # fmt: skip
    counts = np.zeros((4, len(ALPHAS)))
    positions = 0
    for number, (inputs, here) in enumerate(coded.batches):
        asked = here & only[0][inputs["input_ids"]]
        asked[: max(0, fitted - number * BATCH)] = False
        line, position = asked.nonzero(as_tuple=True)
        if not len(line):
            continue
        positions += len(line)
        twin = line + number * BATCH
        stranger = fitted + (twin - fitted + 1) % (len(counterparts) - fitted)
        for i, alpha in enumerate(ALPHAS):
            with moved(module, alpha * by):
                said = model(**inputs).logits[line, position].argmax(-1)
            second = only[1][said]
            kinds = (only[0][said], second, second & counterparts[twin, said], second & counterparts[stranger, said])
            counts[:, i] += [int(kind.sum()) for kind in kinds]
    return Converted(layer, positions, *(counts / max(1, positions)))
