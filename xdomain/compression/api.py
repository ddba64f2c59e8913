"""Make the model of a finished run smaller, as a run of its own: what is kept, recovered, measured and written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xdomain.compression.distillation import TEMPERATURE, check_temperature, distilled
from xdomain.compression.measure import latency, sizes, weights
from xdomain.compression.original import Original, Smaller, open_original
from xdomain.compression.plot import plot_sizes
from xdomain.compression.pruning import fix_masks, mask_small_weights, remove_units
from xdomain.compression.quantisation import quantise
from xdomain.compression.recovery import as_trained, recover, save_smaller
from xdomain.compression.section import describe, section_of
from xdomain.compression.students import from_backbone, with_fewer_layers
from xdomain.compression.vocabulary import cut_vocabulary
from xdomain.core.disk import AGAIN, explaining_full_disk
from xdomain.core.errors import OutputError, RecipeError, unknown
from xdomain.core.keywords import names_misspelt_options
from xdomain.core.memory import enough_memory
from xdomain.core.progress import log
from xdomain.core.run_dir import (
    MODEL,
    SIZE_PLOT,
    check_folder,
    is_done,
    is_run,
    opened_folder,
)
from xdomain.inference.predictor import scoring_need
from xdomain.metrics.heldout import HeldOutPredictions
from xdomain.model.backbone import quiet_loading
from xdomain.runs.finish_run import finish
from xdomain.runs.result import Result
from xdomain.training.arguments import memory_need
from xdomain.training.device import Device, best_device, process_count
from xdomain.training.provenance import PeakMemory
from xdomain.training.saved_encoder import load_encoder
from xdomain.training.train_encoder import TrainResult
from xdomain.training.trainer import FitResult

OPTIONS = {
    "vocabulary": (),
    "distil": ("layers", "backbone", "temperature"),
    "prune": ("share",),
    "units": ("share",),
    "quantise": (),
}
"""The methods, and the options that each takes."""
UNTRAINED = ("vocabulary", "quantise")
SHARE = 0.5
REFUSED = {
    "heads": (
        "a stock configuration gives all heads together the width of the model, so a model with fewer loads nowhere "
        "(transformers 5 removed prune_heads)",
        "units, which removes feed-forward units, or distil, which leaves out layers",
    ),
    "factorise": (
        "no stock architecture but ALBERT's has factorised weights, and only those of its word rows",
        "vocabulary, which makes the table of word rows as small as the domain",
    ),
}
"""What is known as compression but cannot be stored as a stock checkpoint: why, and the nearest that can."""


@names_misspelt_options
def compress(
    run_dir: str | Path,
    *,
    how: str,
    out: str | Path,
    layers: int | None = None,
    backbone: str | None = None,
    temperature: float | None = None,
    share: float | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> Result:
    """Make the model of a run smaller, and write it as a run of its own.

    Parameters
    ----------
    run_dir
        A finished run of an encoder; perhaps one that was made smaller before.
    how
        vocabulary: leave out the rows of the vocabulary that no symbol has; the predictions stay the same. distil:
        train a model of fewer layers on the labels, the logits and the hidden states of the run. prune: let the
        smallest weights be 0. units: remove the least important feed-forward units. These three train on the run's
        training records, with its options of training. quantise: 8-bit integers, for onnxruntime.
    out
        The run folder to write; for quantise a folder as `xdomain.export_onnx` writes it, with predictions.
    layers
        distil: how many layers of the run's own are kept; None: half of them.
    backbone
        distil: the checkpoint to distil into, in place of layers of the run's own.
    temperature
        distil: what logits are divided by, above 0; None: 2.
    share
        prune and units: the share that is removed, between 0 and 1; None: a half.
    overrides
        Changes to the options of training, each ``train.key=value``.
    overwrite
        Whether to replace the run in `out`.

    Returns
    -------
    Result
        Its ``values["compression"]`` tells bytes, weights, time and what is lost of each test metric. After quantise
        it has test metrics and predictions, but no model that `Result.model` could read.

    Raises
    ------
    UserError
        The run cannot be made smaller so, its data is not there any more, or the folder cannot be written.
    """
    source, folder = Path(run_dir), Path(out)
    given = {"layers": layers, "backbone": backbone, "temperature": temperature, "share": share}
    options = {name: value for name, value in given.items() if value is not None}
    check_method(how, options)
    if overrides and how in UNTRAINED:
        raise RecipeError(f"options of training for how {how}", expected="none: nothing is trained", fix="no --set")
    if process_count() > 1:
        raise RecipeError("compress under torchrun", expected="one process")
    with quiet_loading():
        original = open_original(source, overrides)
        if how == "quantise":
            with enough_memory(lambda: scoring_need(original.recipe.train)), explaining_full_disk(folder, fix=AGAIN):
                return quantise(original, folder, overwrite=overwrite)
        check_place(source, folder, original, overwrite=overwrite)
        with enough_memory(lambda: memory_need(original.recipe)), explaining_full_disk(folder, fix=AGAIN):
            return _compress(original, how, options, folder, overwrite=overwrite)


def check_method(how: str, options: Mapping[str, Any]) -> None:
    """Refuse a method `how` that there is not, and `options` that it does not take.

    Raises
    ------
    RecipeError
        With the nearest that there is.
    """
    if how in REFUSED:
        why, instead = REFUSED[how]
        raise RecipeError(f"how {how}: {why}", expected=instead)
    if how not in OPTIONS:
        raise unknown("how", how, OPTIONS)
    if strange := next((name for name in options if name not in OPTIONS[how]), None):
        takers = [name for name, taken in OPTIONS.items() if strange in taken]
        raise RecipeError(f"{strange} for how {how}", expected=f"{strange} with {' or '.join(takers)} alone")
    if "layers" in options and "backbone" in options:
        raise RecipeError("layers and backbone", expected="layers of the run's own, or another checkpoint")


def check_place(source: Path, folder: Path, original: Original, *, overwrite: bool) -> None:
    """Check that what is made of the run in `source`, opened as `original`, may be written to `folder`.

    Raises
    ------
    OutputError
        It is the run itself, holds something else, or a run that `overwrite` does not allow to replace.
    """
    if folder.resolve() == source.resolve():
        raise OutputError(f"{folder} is the run itself", expected="a folder of its own", fix="another --out")
    if is_run(folder) and not is_done(folder) and not overwrite:
        raise OutputError(f"{folder} holds an interrupted run", fix="--overwrite, or another --out")
    check_folder(folder, original.recipe, overwrite=overwrite, resume=False)


def _compress(original: Original, how: str, options: Mapping[str, Any], folder: Path, *, overwrite: bool) -> Result:
    started, memory, device = time.monotonic(), PeakMemory(), best_device(original.recipe.train.precision)
    smaller = _start(original, how, options)
    recipe = original.recipe
    # nothing has been written yet: an error above leaves the folder as it was
    with opened_folder(folder, recipe, asked=recipe, overwrite=overwrite, resume=False):
        log.info(f"{how} on {device}")
        course = _learn(smaller, original, how, options, folder, device)
        save_smaller(smaller, original, folder)
        learned = TrainResult(course, _facts(smaller, original, how))
        result = finish(
            recipe, original.adapter, original.examples, learned, folder, original.counts, device, started, memory,
            facts_of=lambda held_out: _measured(original, folder, how, options, held_out),
        )  # fmt: skip
    log.info(describe(result.values["compression"], recipe.metrics[0]))
    return result


def _start(original: Original, how: str, options: Mapping[str, Any]) -> Smaller:
    """The smaller model before it is trained."""
    if how == "vocabulary":
        return cut_vocabulary(original)
    if how == "distil":
        check_temperature(options.get("temperature", TEMPERATURE))
        named = options.get("backbone")
        return from_backbone(original, named) if named else with_fewer_layers(original, options.get("layers"))
    smaller, share = original.copy(), options.get("share", SHARE)
    if how == "prune":
        mask_small_weights(smaller.model, share)
    else:
        remove_units(smaller.model, original, share)
    return smaller


def _learn(
    smaller: Smaller, original: Original, how: str, options: Mapping[str, Any], folder: Path, device: Device
) -> FitResult:
    if how == "vocabulary":
        return as_trained(original)
    if how == "distil":
        temperature = options.get("temperature", TEMPERATURE)
        with distilled(original, smaller.model, device=device, temperature=temperature) as objective:
            return recover(smaller, original, folder=folder, device=device, objective=objective)
    course = recover(smaller, original, folder=folder, device=device)
    if how == "prune":
        fix_masks(smaller.model)
    return course


def _facts(smaller: Smaller, original: Original, how: str) -> dict[str, Any]:
    """For the result, what `xdomain.training.train_encoder.train_encoder` tells of a model that it trained."""
    values, mapping = original.values, smaller.mapping
    trained = 0 if how == "vocabulary" else weights(smaller.model)["all"]
    kept = {name: values[name] for name in ("backbone", "layer_mix", "learned_mapping") if name in values}
    return {
        **(kept if smaller.backbone is None else {"backbone": smaller.backbone}),
        "arm": {**values["arm"], "label": f"{values['arm']['label']}, {how}"},
        "mapping": {"strategy": mapping.strategy, "seed": mapping.seed, "sha256": mapping.sha256},
        "parameters": {"all": weights(smaller.model)["all"], "trained": trained},
        "counts": original.saved.collator(original.examples).windows.counts,
    }


def _measured(
    original: Original, folder: Path, how: str, options: Mapping[str, Any], held_out: HeldOutPredictions
) -> dict[str, Any]:
    """What the smaller model in `folder`, with test predictions `held_out`, costs: drawn, and for the result."""
    after = load_encoder(folder, original.recipe)
    device = best_device("fp32")
    before, now = latency([original.saved, after], original.examples, device)
    costs = {
        "size": (sizes(original.folder / MODEL), sizes(folder / MODEL)),
        "weights": (weights(original.saved.model), weights(after.model)),
        "milliseconds": (before, now),
    }
    section = section_of(original, how, options, costs, device, held_out)
    recipe = original.recipe
    plot_sizes(section["points"], metric=recipe.metrics[0], path=folder / SIZE_PLOT, title=f"{recipe.name}: {how}")
    return {"compression": section}
