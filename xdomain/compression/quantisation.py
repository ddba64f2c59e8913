"""Store the weights of a run as 8-bit integers: an ONNX file that onnxruntime alone reads."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from xdomain.compression.measure import latency, sizes, weights
from xdomain.compression.original import Original
from xdomain.compression.plot import plot_sizes
from xdomain.compression.section import describe, section_of
from xdomain.core.disk import writing
from xdomain.core.formatting import number
from xdomain.core.progress import log, muted
from xdomain.core.run_dir import MODEL, PREDICTIONS, SIZE_PLOT, as_svg, write_json, write_predictions, write_text
from xdomain.export.onnx import MODEL_FILE, README, check_folder, export_onnx, whole_folder
from xdomain.inference.saved_model import saved_thresholds
from xdomain.metrics.heldout import held_out_of, resampled_metric
from xdomain.runs.finish_run import predictions_of
from xdomain.runs.result import Result
from xdomain.training.device import Device
from xdomain.training.saved_encoder import SavedModel

SECTION = "compression.json"
BESIDE = (SECTION, PREDICTIONS, SIZE_PLOT, as_svg(SIZE_PLOT))
"""What lies beside the files of an export."""
FLOAT = "float32.onnx"
CPU = Device("cpu", False, "onnxruntime computes there")
NOTE = """
## int8

The weights of `{model}` are 8-bit integers, one scale for each output of a layer, and activations become such integers
as they are computed (onnxruntime's dynamic quantisation). Its answers are not quite those of the run: test {metric}
{before}, here {after}; see `{section}`.
"""


def quantise(original: Original, folder: Path, *, overwrite: bool) -> Result:
    """Write the model of a run as int8 ONNX, with its test predictions and what is lost.

    Parameters
    ----------
    original
        The run.
    folder
        The folder to write: as an export, with `BESIDE`.
    overwrite
        Whether to replace what an earlier export wrote there.

    Returns
    -------
    Result
        With test metrics alone.

    Raises
    ------
    MissingError
        The packages of the extra ``onnx`` are not installed.
    BackboneError
        The family cannot be exported.
    OutputError
        The folder holds other files or cannot be written.
    """
    recipe, examples, how = original.recipe, original.examples, "quantise"
    check_folder(folder, overwrite=overwrite, beside=BESIDE)
    with writing(folder), whole_folder(folder) as part:
        log.info(f"{how} on {CPU}")
        after = _as_integers(original, part)
        before, now, exported = latency(
            [original.saved, after, in_onnxruntime(original.saved, part / FLOAT)], examples, CPU
        )
        (part / FLOAT).unlink()
        count = weights(original.saved.model)
        costs = {
            "size": (sizes(original.folder / MODEL), sizes(part)),
            "weights": (count, count),
            "milliseconds": (before, now),
        }
        scores = {"test": after.scores(examples, examples.indices("test"), CPU)}
        thresholds = saved_thresholds(original.folder, examples.classes)
        predictions = predictions_of(examples, original.adapter, scores, thresholds)
        held_out = held_out_of(pa.table(predictions), recipe.problem, examples.classes)
        section = section_of(original, how, {}, costs, CPU, held_out)
        section["milliseconds"]["float32_in_onnxruntime"] = exported
        metrics = {name: vars(resampled_metric(name, held_out).interval()) for name in section["metrics"]}
        values = {"task": recipe.name, "arm": original.values["arm"], "metrics": {"test": metrics}}
        write_predictions(part / PREDICTIONS, predictions)
        write_json(part / SECTION, {**values, "compression": section})
        _tell_in_readme(part, section, recipe.metrics[0])
        plot_sizes(section["points"], metric=recipe.metrics[0], path=part / SIZE_PLOT, title=f"{recipe.name}: {how}")
    log.info(describe(section, recipe.metrics[0]))
    log.info(f"{folder / README} shows how to use it without xdomain")
    return Result(folder, {**values, "compression": section})


def _as_integers(original: Original, part: Path) -> SavedModel:
    """Export the run's model to the empty folder `part`, as `FLOAT` and as integers, which are returned."""
    with muted():
        export_onnx(original.folder, part, overwrite=True)
    from onnxruntime.quantization import QuantType, quantize_dynamic

    (part / MODEL_FILE).rename(part / FLOAT)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # by which onnxruntime says that a model could be prepared before
    try:
        quantize_dynamic(part / FLOAT, part / MODEL_FILE, per_channel=True, weight_type=QuantType.QInt8)
    finally:
        root.setLevel(level)
    _forget_traces(part / MODEL_FILE)
    return in_onnxruntime(original.saved, part / MODEL_FILE)


def _forget_traces(path: Path) -> None:
    """Leave out of the exported file `path` where in torch's code each node comes from: 0.1 MB a layer."""
    import onnx

    model: Any = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, path)


def in_onnxruntime(saved: SavedModel, path: Path) -> SavedModel:
    """The same as `saved` with its model computed by onnxruntime, on the CPU, from the exported file `path`."""
    model: Any = _Session(path, saved.model.config)
    return replace(saved, model=model)


def _tell_in_readme(folder: Path, section: dict[str, Any], metric: str) -> None:
    """Say in the README of the export in `folder` what the integers cost in `metric`, the first of the run."""
    told = section["metrics"].get(metric, {"before": None, "after": None})
    note = NOTE.format(model=MODEL_FILE, metric=metric, before=number(told["before"]), after=number(told["after"]),
                       section=SECTION)  # fmt: skip
    write_text(folder / README, (folder / README).read_text("utf-8") + note)


class _Session(nn.Module):
    """An exported model, called as the model that it was exported from."""

    def __init__(self, path: Path, config: Any) -> None:
        super().__init__()
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.config = config
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._outputs = [one.name for one in self._session.get_outputs()]

    def forward(self, **inputs: Tensor) -> ModelOutput:
        found = self._session.run(None, {name: inputs[name].numpy() for name in self._inputs})
        return ModelOutput(dict(zip(self._outputs, map(torch.from_numpy, found), strict=True)))
