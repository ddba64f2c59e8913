"""The folder of one run: one process writes it, over no other files; with its `result.json` the run is finished."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from xdomain.core.disk import ELSEWHERE, unwritable, writing
from xdomain.core.errors import DamagedError, OutputError, RecipeError, unknown
from xdomain.core.paths import RECIPE, RESULT
from xdomain.core.recipe import Recipe, dump_recipe, load_recipe
from xdomain.core.restore import AS_WRITTEN, REPEAT, reading
from xdomain.core.result_file import read_result_file

SCHEMA = 1
"""Version of the layout of ``result.json``."""
PREDICTIONS, HISTORY = "predictions.parquet", "history.jsonl"
MAPPING, MODEL, ADAPTER, CHECKPOINTS = "mapping.json", "model", "adapter", "checkpoints"
TARGET_ADAPTER = "target-adapter"
TARGET = "target"
"""Beside a model that writes sequences, the folder of the tokenizer for what it writes."""
HISTORY_PLOT, CONFUSION_PLOT, TENSORBOARD = "history.png", "confusion.png", "tensorboard"
CALIBRATION, RELIABILITY_PLOT, FAMILIAR = "calibration.json", "reliability.png", "training-data.safetensors"
THRESHOLDS, LABELS_PLOT, SIZE_PLOT = "thresholds.json", "labels.png", "size.png"
NEIGHBOURS = "training-embeddings.safetensors"
ANALYSIS = "analysis"
LOCK = ".lock"
"""Locked by the process that writes the folder; the file stays, so that all lock the same one."""
PATIENCE = 1.0
"""Seconds to wait for a process that only looks whether the folder is locked."""
WRITABLE = "a folder you may write to"


def as_svg(plot: str) -> str:
    """The name of the SVG beside the `plot`, a PNG."""
    return plot.removesuffix(".png") + ".svg"


PLOTS = HISTORY_PLOT, CONFUSION_PLOT, RELIABILITY_PLOT, LABELS_PLOT, SIZE_PLOT
WRITTEN = (
    RECIPE, RESULT, PREDICTIONS, HISTORY, MAPPING, MODEL, ADAPTER, TARGET_ADAPTER, CHECKPOINTS,
    TENSORBOARD, CALIBRATION, FAMILIAR, THRESHOLDS, NEIGHBOURS, ANALYSIS,
    *PLOTS, *map(as_svg, PLOTS),
)  # fmt: skip
"""All files and folders that xdomain writes into the folder of a run, beside those of its folds."""
FOLD = re.compile(r"fold-\d+")
"""Of a cross-validation, the run folders of its folds."""
SETTLED = ("epochs", "learning_rate", "evaluations")
"""Training options that a run chooses if its recipe leaves them open; the choice is written into ``recipe.yaml``."""


@dataclass(frozen=True)
class StoredResult:
    """A finished run: its folder, and the contents of its ``result.json``. `xdomain.runs.result.Result` adds to it.

    If several processes share a run, the first one writes it; in the others `values` is empty.
    """

    folder: Path
    values: dict[str, Any]

    def metric(self, name: str | None = None, split: str = "test") -> float:
        """Look up the value of a metric.

        Parameters
        ----------
        name
            None: the first of the task's metrics, by which the checkpoint was chosen.
        split
            ``test`` or ``valid``.

        Returns
        -------
        float
            NaN if it is not defined.

        Raises
        ------
        RecipeError
            The run has no such metric or split.
        """
        splits = self.values["metrics"]
        if split not in splits:
            raise unknown("split", split, splits)
        metrics = splits[split]
        name = name or next(iter(metrics))
        if name not in metrics:
            raise unknown("metric", name, metrics)
        value = metrics[name]["value"]
        return math.nan if value is None else float(value)


def is_done(folder: Path) -> bool:
    """Whether `folder` holds a finished run."""
    return (folder / RESULT).exists()


def is_run(source: str | Path) -> bool:
    """Whether `source` is the folder of a run, not a backbone."""
    return (Path(source) / RECIPE).is_file()


def refuse_for_run(source: str | Path, **given: Any) -> None:
    """Refuse options of a backbone, `given` by name and None where not, for the run in `source`.

    Raises
    ------
    RecipeError
        One is not None.
    """
    if own := next((name for name, value in given.items() if value is not None), None):
        raise RecipeError(f"{own} for the run in {source}", expected="no more than the run: it has its own",
                          fix="name a backbone for another domain or mapping")  # fmt: skip


def read_result(folder: str | Path) -> StoredResult:
    """Read ``result.json`` from the run in `folder`.

    Raises
    ------
    RecipeError
        It holds no finished run.
    DamagedError
        Its ``result.json`` is damaged.
    """
    folder = Path(folder)
    if not is_done(folder):
        raise RecipeError(f"{folder} holds no finished run", expected=f"a run folder with {RESULT}")
    return StoredResult(folder, read_result_file(folder / RESULT))


def check_folder(folder: Path, recipe: Recipe, *, overwrite: bool, resume: bool) -> None:
    """Check that a run of `recipe` may be written to `folder`, without writing anything.

    Raises
    ------
    OutputError
        The folder cannot be written to; it holds files that are not from a run; it holds a run and neither
        `overwrite` nor `resume` is true; that run, to be resumed, has another recipe; or another process writes it.
    """
    holds = _contents(folder)
    if (folder / LOCK).exists():
        with only_writer(folder):
            pass
    _allow(folder, holds, recipe, overwrite=overwrite, resume=resume)


def _contents(folder: Path) -> list[str]:
    """The names in `folder`, which may be written but need not exist, without that of its lock."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file", expected="a folder to write a run into", fix="another --out")
        holds = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise unwritable(folder, error, expected=WRITABLE) from None
    if not there.is_dir():
        raise _unwritable(folder, f"{there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"no permission to write to {there}")
    return [name for name in holds if name != LOCK]


@contextmanager
def opened_folder(folder: Path, recipe: Recipe, *, asked: Recipe, overwrite: bool, resume: bool) -> Generator[None]:
    """A context in which this process alone writes a run to `folder`, which is created, or emptied to `overwrite` it.

    Parameters
    ----------
    folder
        The run folder.
    recipe
        As it is written there, with the training options that the run chose.
    asked
        As it was asked for: a run to `resume` must be one of these options.
    overwrite, resume
        As for `check_folder`.

    Raises
    ------
    OutputError
        As for `check_folder`, judged by what is there once other processes are kept out.
    """
    with writing(folder, expected=WRITABLE):
        folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        _allow(folder, _contents(folder), asked, overwrite=overwrite, resume=resume)
        with writing(folder, expected=WRITABLE):
            for entry in folder.iterdir() if overwrite else ():
                if entry.name != LOCK:
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            write_text(folder / RECIPE, dump_recipe(recipe))
        yield


@contextmanager
def only_writer(folder: Path) -> Generator[None]:
    """A context in which no other process enters this context for the same `folder`, which exists.

    The lock ends with the process, however it ends.

    Raises
    ------
    OutputError
        Another process is in it, or the folder cannot be written to.
    """
    lock = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"another process writes to {folder}", expected="one at a time", fix="wait for it, or another --out"
        ) from None
    except OSError as error:
        raise unwritable(folder, error, expected=WRITABLE) from None
    try:
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, why: str) -> OutputError:
    return OutputError(f"{folder} cannot be written ({why})", expected=WRITABLE, fix=ELSEWHERE)


def _allow(folder: Path, holds: list[str], recipe: Recipe, *, overwrite: bool, resume: bool) -> None:
    if set(holds) <= {f"{RECIPE}.part"}:  # new, or left as its first file was being written
        return
    strange = [name for name in holds if name.removesuffix(".part") not in WRITTEN and not FOLD.fullmatch(name)]
    if RECIPE not in holds or strange:
        shown = strange or holds
        raise OutputError(
            f"{folder} holds {', '.join(shown[:3])}{' …' if len(shown) > 3 else ''}, which no run wrote",
            expected="an empty or new folder; what is no run is never overwritten",
            fix="another --out",
        )
    if overwrite:
        return
    if not resume:
        state = "a finished run" if RESULT in holds else "an interrupted run"
        fix = "--overwrite, or another --out" if RESULT in holds else "--resume to finish it, or --overwrite"
        raise OutputError(f"{folder} holds {state}", fix=fix)
    check_same(folder, recipe)


def check_same(folder: Path, recipe: Recipe) -> None:
    """Check that the run in `folder` was started with `recipe`.

    Raises
    ------
    OutputError
        It was started with other options.
    """
    if not same_run(load_recipe(folder / RECIPE), recipe):
        raise OutputError(
            f"the run in {folder} was started with other options than these",
            expected="the same command, or `"
            f"{shlex.join(['xdomain', 'run', str(folder / RECIPE), '--resume', '--out', str(folder)])}`",
        )


def same_run(written: Recipe, asked: Recipe) -> bool:
    """Whether two recipes are of the same run.

    Parameters
    ----------
    written
        The recipe that the run wrote, with the training options that it chose.
    asked
        The recipe asked for. It may have None for each of `SETTLED`, which then equals any value.
    """
    chosen = {name: getattr(written.train, name) for name in SETTLED if getattr(asked.train, name) is None}
    return written == asked.model_copy(update={"train": asked.train.model_copy(update=chosen)})


@contextmanager
def whole_or_nothing(path: Path) -> Generator[Path]:
    """A context that yields a file to write to, ``NAME.part``: it becomes `path`, or nothing if there is an error."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


def check_new_file(out: Path, known: Sequence[str], *, overwrite: bool = False) -> None:
    """Refuse a file that a command cannot write, or should not; call this before there is anything to write.

    Parameters
    ----------
    out
        The file.
    known
        The endings that it may have, as ``.csv``.
    overwrite
        Whether it may replace a file that is there.

    Raises
    ------
    OutputError
        Its name has none of these endings, its folder does not exist, or it exists and is not to be replaced.
    """
    if out.suffix.lower() not in known:
        others = ", ".join(known[:-1])
        raise OutputError(
            f"{out} ends in {out.suffix}" if out.suffix else f"{out} has no ending",
            expected=f"a file that ends in {others} or {known[-1]}" if others else f"a file that ends in {known[-1]}",
            fix=f"--out {out.with_suffix(known[0])}",
        )
    if not out.parent.is_dir():
        raise OutputError(f"{out} cannot be written (there is no folder {out.parent})", fix="another --out")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists already", fix="--overwrite to replace it, or another --out")


def write_text(path: Path, text: str) -> None:
    """Write `text` to the file `path`, whole or not at all."""
    with whole_or_nothing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write `value` to the JSON file `path`, whole or not at all. NaN and infinities become null."""
    write_text(path, json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """Copy the nested `value` for JSON, with NaN and infinities as None and numpy scalars as Python numbers."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Read what `write_history` wrote to `folder`; a cross-validation has no history but that of its folds.

    Raises
    ------
    DamagedError
        It cannot be read, or a line is no row of numbers.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    with reading(path):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("valid", {}), dict) or not _is_logged(row):  # pyright: ignore
            raise DamagedError(f"{path} is damaged (line {number} is no row of numbers)", expected=AS_WRITTEN,
                               fix=REPEAT)  # fmt: skip
    return rows


def _is_logged(row: Mapping[str, Any]) -> bool:
    """Whether `row` of a history has a step, and numbers or nulls elsewhere; those of ``valid`` are by metric."""
    told: Any = row.get("valid", {})
    values = [*(value for name, value in row.items() if name != "valid"), *(told.values() if told else ())]
    return isinstance(row.get("step"), (int, float)) and all(
        value is None or isinstance(value, (int, float)) for value in values
    )


def saved_temperature(folder: Path) -> float:
    """The temperature by which the logits of the run in `folder` are divided; 1 if it was not calibrated.

    Raises
    ------
    DamagedError
        Its file cannot be read, or holds no such number.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return 1.0
    with reading(path):
        temperature = float(json.loads(path.read_text("utf-8"))["temperature"])
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"the temperature {temperature}")
    return temperature


def tempered(scores: Any, temperature: float) -> Any:
    """The array `scores` divided by `temperature`, unchanged if that is 1."""
    return scores if temperature == 1 else scores / temperature


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write `history`, one row per logged step, to ``history.jsonl`` in `folder`, one JSON object per line."""
    write_text(folder / HISTORY, "".join(json.dumps(finite(row)) + "\n" for row in history))


def write_predictions(path: Path, columns: Mapping[str, Any]) -> None:
    """Write `columns`, Arrow arrays by name, to the Parquet file `path`, whole or not at all."""
    with whole_or_nothing(path) as part:
        pq.write_table(pa.table(dict(columns)), part)
