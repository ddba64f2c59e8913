"""A finished run, opened for analysis: its data, and its model at the end and at the start."""

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

from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.progress import muted
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import read_result
from xdomain.core.sequences import Adapter
from xdomain.data.collate import Collator, fit_windows
from xdomain.data.dataset import Examples
from xdomain.inference.saved_model import SavedBaseline, load_saved, saved_adapter
from xdomain.model.backbone import load_backbone, quiet_loading
from xdomain.model.families import max_positions
from xdomain.model.reprogramming import fold_mixture, insert_mixture
from xdomain.model.token_mapping import learned_kind
from xdomain.model.vocabulary import Vocabulary
from xdomain.training.predict import inputs_of
from xdomain.training.preparation import prepare
from xdomain.training.saved_encoder import SavedModel
from xdomain.training.train_encoder import start_model

BATCH = 32


@dataclass(frozen=True)
class OpenedRun:
    """A finished run and everything that an analysis needs of it.

    Parameters
    ----------
    folder
        The run folder.
    label
        The arm with its seeds, such as ``pretrained m0 s0``; if several runs share it, the folder is added.
    examples
        The run's records in the run's own splits. Analyses fit on train and report on valid; test is kept for the
        run's own result.
    saved
        The fine-tuned model, in float32 on the CPU, in evaluation mode, with attention weights available.
    values
        The content of ``result.json``.
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
        """The model before its first training step: of the same arm, seed, head and, if learned, mapping.

        Raises
        ------
        BackboneError
            The backbone's name now leads to another checkpoint than the one that the run started from, or the run was
            made smaller from another one, so that it has no such start.
        """
        options = self.recipe.run
        if "compression" in self.values:
            raise BackboneError(f"{self.folder} was made smaller from {self.values['compression']['of']}",
                                expected="a run that was trained from a backbone")  # fmt: skip
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
        """Turns record numbers into the tensors that `model` and `start` read, with rows of the full vocabulary."""
        layout, rows = self.saved.layout, self.saved.mapping.ids.astype(np.int64)
        windows = fit_windows(self.examples, layout, max_positions(self.model.config), self.recipe.train)
        return Collator(self.examples, self.examples.labels, rows, layout, windows)

    @cached_property
    def collate_first(self) -> Collator:
        """As `collate`, but with only the first window of each record."""
        windows = self.collate.windows
        return replace(self.collate, choose=lambda record: windows.of(record)[:1])

    @property
    def before(self) -> int:
        """Special tokens before the first symbol: symbol i of a record's first window is at position ``before + i``."""
        return len(self.saved.layout.start)

    def some(self, split: str, most: int, *, seed: int = 0) -> NDArray[np.int64]:
        """Draw at most `most` records of a `split` by `seed`, in file order: the same for all runs on one task.

        Raises
        ------
        RecipeError
            There are none.
        """
        records = drawn(self.examples.indices(split), most, seed)
        if not len(records):
            raise RecipeError(f"{self.recipe.name}: no {split} records to read", expected="2 or more")
        return records

    def batches(
        self, records: NDArray[np.int64], *, size: int = BATCH
    ) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        """Yield the numbers of `size` records and their batch, in the order of `records`.

        See `Collator.__call__` for the tensors. The last batch may be smaller.
        """
        for first in range(0, len(records), size):
            chosen = records[first : first + size].tolist()
            yield chosen, self.collate(chosen)


def drawn(records: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Draw at most `most` of `records` by `seed`, and sort them."""
    return np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(records)[:most])


def open_runs(folders: list[Path]) -> list[OpenedRun]:
    """Open the finished runs in `folders`, with unique labels.

    Raises
    ------
    BackboneError
        A folder holds the run of a baseline, which has no layers to analyse, or is listed twice.
    RecipeError
        A folder holds no finished run.
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
    values = read_result(folder).values
    saved = load_saved(folder)
    if isinstance(saved, SavedBaseline):
        raise BackboneError(f"{folder} holds a {saved.recipe.run.baseline} baseline",
                            expected="the run of an encoder, which has layers to look into")  # fmt: skip
    recipe = saved.recipe
    if recipe.problem == "sequence":
        raise RecipeError(f"{folder} holds a run for sequence", expected="a run for another problem, whose answer is "
                          "read off the layers; `xdomain embed` has the states of its encoder")  # fmt: skip
    _to_look_at(saved.model)
    adapter = saved_adapter(folder, recipe)
    with muted():
        examples, _ = prepare(recipe, adapter)
    mapping = "" if recipe.run.mapping == "identity" else f" m{recipe.run.mapping_seed}"
    label = f"{values['arm']['label']}{mapping} s{recipe.run.seed}"
    return OpenedRun(folder, label, recipe, adapter, examples, saved, values)


def _to_look_at(model: PreTrainedModel) -> PreTrainedModel:
    """Prepare a model for analysis: evaluation mode, no gradients of weights, attention weights available."""
    model.set_attn_implementation("eager")
    model.requires_grad_(False)
    return model.eval()


@torch.inference_mode()
def hidden_states(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Shape (layers + 1, w, s, d), float32: the embeddings and the states behind each layer of `model` for a `batch`.

    The batch holds inputs of shape (w, s), as a collator makes them.
    """
    outputs = model.base_model(**inputs_of(batch), output_hidden_states=True)
    return torch.stack(outputs.hidden_states)
