"""How likely a masked language model finds sequences: masked marginals and pseudo-log-likelihoods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError
from xdomain.core.memory import enough_memory
from xdomain.core.recipe import Recipe
from xdomain.core.safe_loading import load
from xdomain.core.sequences import Ids, Ragged
from xdomain.data.collate import Collator, SpecialTokenLayout, fit_windows
from xdomain.data.dataset import Examples
from xdomain.inference.embedding.open_encoder import BackboneAsIs
from xdomain.inference.predictor import scoring_need
from xdomain.model.backbone import quiet_loading
from xdomain.model.checkpoints import locate_backbone
from xdomain.model.families import max_positions
from xdomain.model.tokenizer import layout_of
from xdomain.training.arguments import scored_at_once
from xdomain.training.device import Device, best_device
from xdomain.training.predict import inputs_of

MAX_LOGITS = 2**26
"""Logits, of all positions and the whole vocabulary, that are computed at once: 256 MiB."""
WHERE_TRAINED = "such as `xdomain pretrain` writes; or a fine-tuned run in its place"


@dataclass(frozen=True, eq=False)
class MaskedLM:
    """A backbone with its masked-LM head; `load_masked_lm` makes it.

    Probabilities are those of the model over its whole vocabulary.

    Parameters
    ----------
    room
        Symbols that a sequence may have.
    """

    room: int
    _model: PreTrainedModel
    _recipe: Recipe
    _layout: SpecialTokenLayout
    _rows: NDArray[np.int64]
    _mask: int
    _device: Device

    def masked_marginal(self, ref: Sequence[Ids], alt: Sequence[Ids]) -> NDArray[np.float64]:
        """Compare sequences with others that differ in single symbols (Meier et al. 2021, masked marginals).

        All symbols that change are masked at once; then log p(alt) - log p(ref) is summed over them.

        Parameters
        ----------
        ref, alt
            n sequences of symbols each, in pairs of one length.

        Returns
        -------
        numpy.ndarray
            Shape (n,), in nats.
        """
        places = [np.flatnonzero(np.asarray(a) != np.asarray(b)) for a, b in zip(ref, alt, strict=True)]
        logs = self._log_probabilities(list(ref), places)
        return np.array([
            sum(float(row[self._rows[b[i]]] - row[self._rows[a[i]]]) for row, i in zip(rows, where, strict=True))
            for rows, where, a, b in zip(logs, places, ref, alt, strict=True)
        ])  # fmt: skip

    def pseudo_log_likelihood(self, symbols: Ids, passes: int | None = None) -> float:
        """The sum of the log-probabilities of all symbols, each masked (Salazar et al. 2020), in nats.

        Parameters
        ----------
        symbols
            Of one sequence.
        passes
            Forward passes; in the i-th every `passes`-th symbol from the i-th on is masked. None: one a symbol, each
            masked alone.
        """
        number = min(len(symbols), passes or len(symbols))
        places = [np.arange(first, len(symbols), number) for first in range(number)]
        logs = self._log_probabilities([symbols] * number, places)
        rows = self._rows[symbols]
        return sum(float(found[np.arange(len(at)), rows[at]].sum()) for found, at in zip(logs, places, strict=True))

    def _log_probabilities(
        self, sequences: list[Ids], masked: list[NDArray[np.int64]]
    ) -> Iterator[NDArray[np.float32]]:
        """Yield of each sequence, shape (masked, v), the log-probabilities of all rows where symbols are masked."""
        longest = max(map(len, sequences)) + len(self._layout.start) + len(self._layout.end)
        most = MAX_LOGITS // (longest * int(self._model.config.vocab_size))
        at_once = max(1, min(scored_at_once(self._recipe.train), most))
        for first in range(0, len(sequences), at_once):
            part = slice(first, first + at_once)
            with enough_memory(lambda: scoring_need(self._recipe.train)):
                found = self._of_batch(sequences[part], masked[part])
            yield from found

    @torch.inference_mode()
    def _of_batch(self, sequences: list[Ids], masked: list[NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        names, before = tuple(map(str, range(len(sequences)))), len(self._layout.start)
        examples = Examples(
            "classification", names, Ragged.from_lists(sequences), None, None, (), np.full(len(names), "test")
        )
        windows = fit_windows(examples, self._layout, max_positions(self._model.config), self._recipe.train)
        inputs = inputs_of(Collator(examples, None, self._rows, self._layout, windows)(range(len(names))))
        row = np.repeat(np.arange(len(names)), [len(where) for where in masked])
        place = np.concatenate(masked) + before
        inputs["input_ids"][row, place] = self._mask
        logits = self._model(**{name: value.to(self._device.name) for name, value in inputs.items()}).logits
        logs = logits[row, place].float().log_softmax(-1).cpu().numpy()
        return np.split(logs, np.cumsum([len(where) for where in masked])[:-1])


def load_masked_lm(read: BackboneAsIs) -> MaskedLM:
    """Load the masked-LM head of a backbone that was `read`.

    Raises
    ------
    BackboneError
        It has no such head, or no mask token.
    """
    name, tokenizer = read.backbone.name, read.backbone.tokenizer
    mask = tokenizer.mask_token_id
    if not isinstance(mask, int):
        raise BackboneError(f"the tokenizer of {name} has no mask token", expected="a masked language model")
    path = locate_backbone(read.backbone.name)
    with quiet_loading():
        model, info = load(
            "AutoModelForMaskedLM", path, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    if lost := sorted(key for key in info["missing_keys"] if "pooler" not in key):
        raise BackboneError(f"{name} has no masked-LM head (its weights lack {lost[0]})",
                            expected="a masked language model", fix=WHERE_TRAINED)  # fmt: skip
    device = best_device()
    model.eval().to(device.name)
    layout, train = layout_of(tokenizer), read.recipe.train
    positions = max_positions(model.config)
    room = layout.room(min(positions, train.max_length or positions), paired=False)
    return MaskedLM(room, model, read.recipe, layout, read.mapping.ids.astype(np.int64), mask, device)
