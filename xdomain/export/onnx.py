"""Export the model of a run to ONNX, with its tokenizer and a page that shows how both are used without torch."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xdomain.core.adapter_protocols import SpacesTokens
from xdomain.core.disk import writing
from xdomain.core.errors import BackboneError, MissingError, OutputError, RecipeError
from xdomain.core.formatting import number
from xdomain.core.progress import log, reporter
from xdomain.core.run_dir import MODEL, write_text
from xdomain.core.sequences import Adapter
from xdomain.export.render import render
from xdomain.inference.predictor import finished_run
from xdomain.model.families import max_positions
from xdomain.runs.in_words import sample_record
from xdomain.training.saved_encoder import SavedModel

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
MODEL_FILE, README = "model.onnx", "README.md"
COPIED = ("tokenizer.json", "config.json")
OUTPUTS = {"span": ("start_logits", "end_logits")}
"""By problem, what the model returns where it is not ``logits``."""
UNSUPPORTED = ("longformer",)
"""Families whose attention torch cannot export."""
SINGLE_FILE = 1_900_000_000  # bytes of weights that fit beside the graph into one file, which may have 2 GiB
TOLERANCE = 1e-4
"""The largest difference to the run's own logits, relative to them or to 1, with which a model is handed out."""
TRIED = ((1, 3), (2, 12), (3, 7))
"""Batches that the exported model is compared on: records and positions."""


def export_onnx(run_dir: str | Path, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the model of a run as ``model.onnx``, with ``tokenizer.json``, ``config.json`` and a ``README.md``.

    The model is the run's whole one, with its head: LoRA, bottlenecks and learned mappings are part of its weights, and
    a mix of layers is part of the graph. Batch and length may be any. It is compared with the run's own in onnxruntime.

    Parameters
    ----------
    run_dir
        A finished run of an encoder.
    out
        The folder to write, which is made.
    overwrite
        Whether to replace what an earlier export wrote there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    MissingError
        The packages of the extra ``onnx`` are not installed.
    RecipeError
        The run is of a simple baseline.
    BackboneError
        There is no finished run, or its family of models cannot be exported.
    OutputError
        The folder holds other files or cannot be written.
    """
    out = Path(out)
    _check_packages()
    check_folder(out, overwrite=overwrite)
    saved, adapter, values = finished_run(Path(run_dir))
    if not isinstance(saved, SavedModel):
        raise RecipeError(
            f"ONNX of a {saved.recipe.run.baseline} baseline", expected="the run of an encoder",
            fix="such a baseline is counts and a linear model of scikit-learn, see its folder `model`",
        )  # fmt: skip
    if saved.recipe.problem == "sequence":
        raise RecipeError("ONNX of a run for sequence", expected="a run for another problem: one pass of a model is "
                          "exported, and an output is written in many")  # fmt: skip
    family = saved.model.config.model_type
    if family in UNSUPPORTED:
        raise BackboneError(
            f"torch cannot export the attention of a {family} to ONNX", expected="a run of another family",
        )  # fmt: skip
    reporter().phase("exporting")
    graph = _Graph(saved)
    with writing(out), whole_folder(out) as part:
        graph.write(part / MODEL_FILE)
        for name in COPIED:
            shutil.copyfile(Path(run_dir) / MODEL / name, part / name)
        difference = graph.compare(part / MODEL_FILE)
        write_text(part / README, _page(saved, adapter, values, graph))
    log.info(f"{out / MODEL_FILE}: in onnxruntime it differs from the run's own logits by {difference:.0e} at most")
    if saved.temperature != 1:
        log.info(
            f"the run is calibrated: the logits of {MODEL_FILE} are those before its temperature, so divide them by "
            f"{number(saved.temperature)}, as {README} shows"
        )
    return out


def _check_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingError(f"ONNX needs the packages {', '.join(missing)}", fix="pip install 'xdomain[onnx]'")


def check_folder(out: Path, *, overwrite: bool, beside: Sequence[str] = ()) -> None:
    """Refuse a folder `out` that holds other files than an export does, or an export unless `overwrite` is true.

    The names `beside` are those of further files that may be there.

    Raises
    ------
    OutputError
        `out` is a file, or holds something.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", expected="a folder to write", fix="another --out")
    holds = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    strange = [name for name in holds if not name.startswith(MODEL_FILE) and name not in (*COPIED, README, *beside)]
    if strange:
        raise OutputError(f"{out} holds {', '.join(strange[:3])}, which no export wrote", fix="another --out")
    if holds and not overwrite:
        raise OutputError(f"{out} holds an export", fix="--overwrite, or another --out")


@contextlib.contextmanager
def whole_folder(out: Path) -> Generator[Path]:
    """A context that yields a folder to write to, which takes the place of `out` if nothing was raised."""
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    if out.is_dir():
        shutil.rmtree(out)
    part.rename(out)


class _Graph:
    """The model of a run as a function of tensors, in the order of its inputs."""

    def __init__(self, saved: SavedModel) -> None:
        model = saved.model.eval().requires_grad_(False)
        model.set_attn_implementation("eager")
        self.pad = saved.layout.pad
        self.positions = max_positions(model.config)
        self.symbols = saved.mapping.ids.astype(np.int64)
        types = () if saved.layout.second_type is None else ("token_type_ids",)
        self.inputs = ("input_ids", "attention_mask", *types)
        self.outputs = OUTPUTS.get(saved.recipe.problem, ("logits",))
        self.module = _InOrder(model, self.inputs, self.outputs)

    def example(self, records: int, positions: int) -> tuple[Tensor, ...]:
        """A batch of records of several lengths, the longest with so many positions."""
        rng = np.random.Generator(np.random.PCG64(0))
        ids = rng.choice(self.symbols, (records, positions))
        mask = np.ones_like(ids)
        for record in range(1, records):
            mask[record, max(2, positions - record * 2) :] = 0
        ids[mask == 0] = self.pad
        tensors = (ids, mask, np.zeros_like(ids))
        return tuple(torch.from_numpy(tensor) for tensor in tensors[: len(self.inputs)])

    def write(self, path: Path) -> None:
        """Write the graph to the file `path`, and weights that are too large for one file beside it."""
        large = sum(value.nbytes for value in self.module.parameters()) > SINGLE_FILE
        batch, length = torch.export.Dim("batch"), torch.export.Dim("positions", max=self.positions)
        sizes = tuple({0: batch, 1: length} for _ in self.inputs)
        with _quiet():
            torch.onnx.export(
                self.module,
                self.example(2, min(8, self.positions)),
                str(path),
                input_names=list(self.inputs),
                output_names=list(self.outputs),
                dynamic_shapes=(sizes,),
                dynamo=True,  # the older exporter fixes the length where padding is masked, without saying so
                external_data=large,
                verbose=False,
            )

    def compare(self, path: Path) -> float:
        """The largest difference between the graph in the file `path` and the model, relative to the logits or to 1."""
        import onnxruntime

        session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        worst = 0.0
        for records, positions in (*TRIED, (2, self.positions)):
            batch = self.example(records, min(positions, self.positions))
            with torch.inference_mode():
                expected = self.module(*batch)
            found = session.run(None, {name: one.numpy() for name, one in zip(self.inputs, batch, strict=True)})
            for ours, theirs in zip(expected, found, strict=True):
                scale = max(1.0, float(ours.abs().max()))
                worst = max(worst, float(np.abs(ours.numpy() - theirs).max()) / scale)
        if not worst <= TOLERANCE:
            raise BackboneError(
                f"the exported model differs from the run's own by {worst:.1e}", expected=f"at most {TOLERANCE:.0e}",
                fix="other versions of torch and onnxscript, such as those of requirements/dev.txt",
            )  # fmt: skip
        return worst


class _InOrder(nn.Module):
    """A model whose inputs and outputs are tensors without names."""

    def __init__(self, model: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.inputs, self.outputs = model, tuple(inputs), tuple(outputs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = self.model(**dict(zip(self.inputs, tensors, strict=True)))
        return tuple(found[name] for name in self.outputs)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """A context without what the exporter says of its own steps."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _page(saved: SavedModel, adapter: Adapter, values: dict[str, Any], graph: _Graph) -> str:
    """The README, with a snippet for the problem of the run."""
    recipe, layout = saved.recipe, saved.layout
    _, sample = sample_record(adapter)
    limit = recipe.train.max_length or graph.positions
    return render(
        "onnx.md.j2",
        recipe=recipe,
        values=values,
        inputs=graph.inputs,
        outputs=graph.outputs,
        positions=min(limit, graph.positions),
        pad=layout.pad,
        before=len(layout.start),
        after=len(layout.end),
        sample=sample,
        spaced=isinstance(adapter, SpacesTokens) and " " in sample,
        temperature=saved.temperature,
    )
