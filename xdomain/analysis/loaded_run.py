"""A finished run, opened to be looked into: its data, its model as it ended and as it started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from xdomain.core.errors import BackboneError
from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import load_result
from xdomain.core.sequences import Adapter
from xdomain.data.collate import Collator, fit_windows
from xdomain.data.dataset import Examples
from xdomain.model.backbone import load_backbone, max_positions, quiet_loading
from xdomain.model.reprogramming import fold_mixture, insert_mixture
from xdomain.model.token_mapping import learned_kind
from xdomain.model.vocabulary import Vocabulary
from xdomain.saved_model import SavedBaseline, load_saved, saved_adapter
from xdomain.training.predict import inputs_of
from xdomain.training.preparation import prepare
from xdomain.training.saved_encoder import SavedModel
from xdomain.training.train_encoder import start_model

BATCH = 32


@dataclass(frozen=True)
class OpenedRun:
    """A run and all that is needed to look into it.

    Parameters
    ----------
    label
        The arm with its seeds, such as ``pretrained m0 s0``; told apart by the folder where two are alike.
    examples
        The run's records in the run's own splits. What is fitted is fitted on train, what is told is told of valid:
        test is for the run's own result.
    model
        As it was saved, in float32 on the CPU, in evaluation mode, with attention that can be read.
    """

    folder: Path
    label: str
    recipe: Recipe
    adapter: Adapter
    examples: Examples
    saved: SavedModel
    values: dict[str, Any]

    @property
    def model(self) -> PreTrainedModel:
        """The fine-tuned model."""
        return self.saved.model

    @cached_property
    def start(self) -> PreTrainedModel:
        """The model as it was before its first step: same arm, seed, head and, where they are learned, mixtures.

        Raises
        ------
        BackboneError
            The checkpoint that the run started from is not the one that its name now leads to.
        """
        options = self.recipe.run
        backbone = load_backbone(options.backbone)
        if backbone.sha256 != self.values["backbone"]["sha256"]:
            raise BackboneError(
                f"{self.folder}: the run started from a checkpoint that {backbone.name} no longer is",
                expected=f"one of sha256 {self.values['backbone']['sha256'][:12]}…, this is {backbone.sha256[:12]}…",
            )
        model = start_model(self.recipe, backbone, self.examples)
        if kind := learned_kind(options.mapping):
            words: Any = model.get_input_embeddings()
            vocabulary = Vocabulary.of(backbone.tokenizer)
            insert_mixture(model, self.saved.mapping, vocabulary, words.weight, None, sparse=kind == "sparse")
            fold_mixture(model)
        return _to_look_at(model)

    @cached_property
    def collate(self) -> Collator:
        """Record numbers to the tensors that `model` and `start` read: full-vocabulary rows."""
        layout, rows = self.saved.layout, self.saved.mapping.ids.astype(np.int64)
        windows = fit_windows(self.examples, layout, max_positions(self.model.config), self.recipe.train)
        return Collator(self.examples, self.examples.labels, rows, layout, windows)

    @cached_property
    def collate_first(self) -> Collator:
        """As `collate`, but of each record the first window alone."""
        windows = self.collate.windows
        return replace(self.collate, choose=lambda record: windows.of(record)[:1])

    @property
    def before(self) -> int:
        """Positions before the first symbol: symbol i of a record's first window stands at ``before + i``."""
        return len(self.saved.layout.start)

    def some(self, split: str, most: int, *, seed: int = 0) -> NDArray[np.int64]:
        """At most `most` records of a split, drawn by `seed` and in file order: the same for all runs on one task."""
        return drawn(self.examples.indices(split), most, seed)

    def batches(
        self, records: NDArray[np.int64], *, size: int = BATCH
    ) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        """Records and the batch made of them, in the order of `records`; see `Collator.__call__` for the tensors."""
        for first in range(0, len(records), size):
            chosen = records[first : first + size].tolist()
            yield chosen, self.collate(chosen)


def drawn(records: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of some records, drawn by `seed`, in their order."""
    return np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(records)[:most])


def open_runs(folders: list[Path]) -> list[OpenedRun]:
    """Open finished runs of encoders; labels are unique.

    Raises
    ------
    BackboneError
        A folder holds no finished run, or that of a baseline, which has no layers to look into; or comes twice.
    """
    places = [folder.resolve() for folder in folders]
    if twice := next((folder for i, folder in enumerate(folders) if places[i] in places[:i]), None):
        raise BackboneError(f"{twice} comes twice", expected="every run once")
    with quiet_loading():
        opened = [_open(folder) for folder in folders]
    seen = [run.label for run in opened]
    names = [run.folder.name for run in opened]
    aside = names if len(set(names)) == len(names) else [str(run.folder) for run in opened]
    named = [f"{label} ({place})" if seen.count(label) > 1 else label for label, place in zip(seen, aside, strict=True)]
    return [replace(run, label=name) for run, name in zip(opened, named, strict=True)]


def _open(folder: Path) -> OpenedRun:
    values = load_result(folder).values
    saved = load_saved(folder)
    if isinstance(saved, SavedBaseline):
        raise BackboneError(f"{folder} holds a {saved.recipe.run.baseline} baseline",
                            expected="the run of an encoder, which has layers to look into")  # fmt: skip
    _to_look_at(saved.model)
    recipe = saved.recipe
    adapter = saved_adapter(folder, recipe)
    with muted():
        examples, _ = prepare(recipe, adapter)
    mapping = "" if recipe.run.mapping == "identity" else f" m{recipe.run.mapping_seed}"
    label = f"{values['arm']['label']}{mapping} s{recipe.run.seed}"
    return OpenedRun(folder, label, recipe, adapter, examples, saved, values)


def _to_look_at(model: PreTrainedModel) -> PreTrainedModel:
    """Evaluation mode, no gradients kept, attention computed so that it can be handed out."""
    model.set_attn_implementation("eager")
    model.requires_grad_(False)
    return model.eval()


@torch.inference_mode()
def hidden_states(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Shape (layers + 1, w, s, d), float32: the embeddings and what every layer makes of them."""
    told = model.base_model(**inputs_of(batch), output_hidden_states=True)
    return torch.stack(told.hidden_states)
