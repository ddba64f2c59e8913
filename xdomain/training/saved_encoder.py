"""Save a fine-tuned encoder as a stock checkpoint with a tokenizer, and load it again to score records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xdomain.core.choices import Pooling
from xdomain.core.errors import DamagedError
from xdomain.core.recipe import Recipe
from xdomain.core.restore import AS_WRITTEN, REPEAT, reading
from xdomain.core.run_dir import MAPPING, MODEL, saved_temperature, tempered
from xdomain.core.safe_loading import load
from xdomain.core.sequences import Ids
from xdomain.data.collate import Collator, SpecialTokenLayout, fit_windows
from xdomain.data.dataset import Examples
from xdomain.data.sequence_batches import SequenceCollator, fit_sequences, frame_of
from xdomain.model.backbone import quiet_loading
from xdomain.model.families import Architecture, auto_class_for, max_positions
from xdomain.model.last_layer import last_layer_at_first_position
from xdomain.model.layer_mix import attach_layer_mix
from xdomain.model.sequence_model import open_rows
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.tokenizer import layout_of
from xdomain.training.arguments import scored_at_once
from xdomain.training.attention import attend
from xdomain.training.device import Device, best_device
from xdomain.training.embed import embed
from xdomain.training.predict import predict_scores

FULL_PRECISION = "scores are written in float32, so that any machine repeats them"


ANY_LENGTH = 2**31 - 1
"""Windows that a record to be scored may have."""


@dataclass(frozen=True)
class SavedModel:
    """A fine-tuned encoder that was read back from its run folder.

    Parameters
    ----------
    recipe
        Of the run; its options of training say how records are cut into windows, and the batch size.
    model
        With its head, its layer mix where it has one, and native units for regression.
    layout
        Where the special tokens stand.
    mapping
        The row of each symbol.
    special
        The names of the special tokens, by their rows.
    temperature
        What logits are divided by, see `xdomain.metrics.calibration`.
    """

    recipe: Recipe
    model: PreTrainedModel
    layout: SpecialTokenLayout
    mapping: TokenMapping
    special: Mapping[int, str]
    temperature: float = 1.0

    @property
    def reader(self) -> PreTrainedModel:
        """What reads records and has states of them: the model, or its encoder where a decoder stands beside it."""
        return getattr(self.model, "encoder") if self.model.config.is_encoder_decoder else self.model  # noqa: B009

    def scores(self, examples: Examples, records: NDArray[np.int64], device: Device | None = None) -> NDArray[Any]:
        """Compute scores in float32, in native units; shapes as from `xdomain.training.predict.predict_scores`.

        Parameters
        ----------
        examples
            Encoded records, with or without labels.
        records
            Shape (n,): places in `examples`.
        device
            Where to compute, whatever its number format; None: the fastest device of this machine. The model stays
            there.
        """
        exact, collate = self._placed(device), self.collator(examples)
        with last_layer_at_first_position(self.model):
            scores = predict_scores(self.model, collate, records, device=exact, longest=self.recipe.train.max_answer,
                                    batch_size=scored_at_once(self.recipe.train))  # fmt: skip
        return tempered(scores, self.temperature)

    def embed(
        self,
        examples: Examples,
        records: NDArray[np.int64] | None = None,
        *,
        layer: int = -1,
        pooling: Pooling = "mean",
        device: Device | None = None,
    ) -> list[NDArray[np.float32]]:
        """Embeddings in float32 of all `examples` or the `records` of them.

        `layer` and `pooling` are those of `xdomain.training.embed.embed`, `device` as for `scores`.
        """
        exact, collate = self._placed(device), self._windowed(examples)
        places = np.arange(len(examples)) if records is None else records
        return embed(self.reader, collate, places, device=exact, batch_size=scored_at_once(self.recipe.train),
                     layer=layer, pooling=pooling)  # fmt: skip

    def attention(self, examples: Examples, *, layer: int | None) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Yield the names of the positions of each of `examples`, and its attention weights.

        Parameters
        ----------
        examples
            Encoded records.
        layer
            As for `xdomain.training.attention.attend`, which says what the weights are.
        """
        exact, collate = self._placed(None), self._windowed(examples)
        for record, weights in enumerate(attend(self.reader, collate, device=exact, layer=layer)):
            yield self._positions(collate, record), weights

    def _positions(self, collate: Collator, record: int) -> list[str]:
        """What stands at each position of a record in its only window."""
        examples, plan, layout = collate.examples, collate.windows, self.layout
        start, middle, end = ([self.special[r] for r in part] for part in (layout.start, layout.middle, layout.end))
        kept = int(plan.stop[plan.offsets[record]])
        if examples.symbols_b is None or plan.first is None:
            return [*start, *self._names(examples.symbols[record][:kept]), *end]
        first = self._names(examples.symbols[record][: plan.first[record]])
        return [*start, *first, *middle, *self._names(examples.symbols_b[record][:kept]), *end]

    def _names(self, symbols: Ids) -> list[str]:
        return [self.mapping.symbols[i] for i in symbols]

    def _placed(self, device: Device | None) -> Device:
        """Move the model to a device, and return that device with float32 as its format."""
        device = device or best_device()
        self.model.to(device.name)  # pyright: ignore[reportArgumentType]
        return Device(device.name, False, FULL_PRECISION)

    def collator(self, examples: Examples) -> Collator:
        """What makes batches of `examples` for the model's answers, by its rows."""
        return self._prompts(examples) if examples.outputs else self._windowed(examples)

    def _windowed(self, examples: Examples) -> Collator:
        train = self.recipe.train
        if train.too_long == "error":  # the limit spares the memory of training; windows are scored a few at once
            train = train.model_copy(update={"max_windows": ANY_LENGTH})
        windows = fit_windows(examples, self.layout, max_positions(self.reader.config), train)
        return Collator(examples, examples.labels, self.mapping.ids.astype(np.int64), self.layout, windows)

    def _prompts(self, examples: Examples) -> SequenceCollator:
        train = self.recipe.train
        settings: Any = self.model.generation_config  # None where its file is lost
        if settings is None or settings.max_new_tokens is None:
            raise self._damaged("no longest output")
        prefix, longest = not self.model.config.is_encoder_decoder, int(settings.max_new_tokens) - 1
        positions = max_positions(self.reader.config)
        windows = fit_sequences(examples, self.layout, positions, train, longest=longest, prefix=prefix)
        rows = self.mapping.ids.astype(np.int64)
        collate = SequenceCollator(examples, None, rows, self.layout, windows, prefix=prefix)
        if strange := open_rows(self.model) - {*collate.target_rows.tolist(), frame_of(self.layout)[1]}:
            raise self._damaged(f"outputs with row {min(strange)}, which is no symbol")
        return collate

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(f"generation_config.json of the run for {self.recipe.name} names {what}",
                            expected=AS_WRITTEN, fix=REPEAT)  # fmt: skip


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `model` and `tokenizer` to ``model`` in the run's `folder`; `transformers` alone can load both."""
    for part in (getattr(model.config, name, None) for name in ("encoder", "decoder")):
        if isinstance(part, PretrainedConfig):  # which would tell the folder of the backbone on this machine
            part.name_or_path = Path(part.name_or_path or "").name
    model.save_pretrained(folder / MODEL)
    tokenizer.save_pretrained(folder / MODEL)


def load_encoder(folder: Path, recipe: Recipe) -> SavedModel:
    """Load what `save_model` wrote into the run's `folder`, with mapping and layer mix; `recipe` is that of the run."""
    with quiet_loading(), reading(folder / MODEL, expected="the checkpoint as the run wrote it"):
        model = load(auto_class_for(recipe.problem, _kind(folder)).__name__, folder / MODEL)
        attach_layer_mix(model, folder / MODEL)
        tokenizer = load("PreTrainedTokenizerFast", folder / MODEL)
        mapping = TokenMapping.load(folder / MAPPING)
        rows = model.get_input_embeddings().weight.shape[0]
        highest = max(int(mapping.ids.max()), *layout_of(tokenizer).rows())
        if highest >= rows:
            raise ValueError(f"the mapping or the tokenizer uses row {highest} of {rows}")
        if not all(bool(one.isfinite().all()) for one in model.parameters()):
            raise ValueError("weights that are no numbers")
    return saved_model(recipe, model, tokenizer, mapping, saved_temperature(folder))


def _kind(folder: Path) -> Architecture:
    """Of the backbone that the run in `folder` started from, as far as the class of its model depends on it."""
    return "encoder" if load("AutoConfig", folder / MODEL).is_encoder_decoder else "decoder"


def saved_model(
    recipe: Recipe,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    mapping: TokenMapping,
    temperature: float = 1.0,
) -> SavedModel:
    """Put a `model` together with its `mapping`, its `temperature` and what its `tokenizer` says of special tokens.

    The options of training in `recipe` say how records are cut into windows, and how many are read at once.
    """
    layout = layout_of(tokenizer)
    special = {row: str(tokenizer.convert_ids_to_tokens(row)) for row in layout.rows()}
    return SavedModel(recipe, model, layout, mapping, special, temperature)
