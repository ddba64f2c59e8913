"""Predict new records with a finished run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from xdomain.core.adapter_protocols import CutsFiles
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.memory import Need, enough_memory
from xdomain.core.progress import Silent, log, reporter
from xdomain.core.recipe import Columns, Train
from xdomain.core.run_dir import RECIPE, is_done, read_result
from xdomain.core.sequences import Adapter
from xdomain.data.dataset import Examples, check_symbols, encode_examples, warn_of_other_domain
from xdomain.data.media_files import endings, is_media, table_of_files, transcribed
from xdomain.data.pieces import Piece, load_pieces
from xdomain.metrics.scoring import predicted
from xdomain.saved_model import Saved, load_saved, saved_adapter

WHOLE = 128
"""Records of a file of several pieces are scored in multiples of this, as the last digits of a score may depend on how
many records are scored with it."""
EVERY = 60.0  # seconds between two lines about the progress, where no bar shows it


def predict(
    run_dir: str | Path,
    *files: str | Path,
    columns: Columns | None = None,
    clip: str | Path | None = None,
) -> pa.Table:
    """Predict with a run's model: the records of a file, or sound or music files.

    Parameters
    ----------
    run_dir
        A finished run's folder.
    files
        One CSV, TSV or FASTA file; or, if the domain has them, sound or music files: one per record, or for a model
        that reads two sequences the question and the passage.
    columns
        The columns by what they hold. Those left as None are named as in the run's own data, or guessed.
    clip
        File to write the answer to, cut out of the passage. Only for a question and a passage that are sound files.

    Returns
    -------
    pyarrow.Table
        In file order: id, prediction (the name of a class, a value, or a list of tags: one per symbol, for text one
        per word), score (the probability of the prediction, or the value), and for classes p(NAME) for each. For span:
        id, start and end (in the passage's own coordinate: seconds, characters, nt), answer and score.

    Raises
    ------
    UserError
        `run_dir` holds no trained model, or a record of `files` cannot be read.
    """
    return pa.concat_tables(predict_pieces(run_dir, *files, columns=columns, clip=clip))


def predict_pieces(
    run_dir: str | Path,
    *files: str | Path,
    columns: Columns | None = None,
    clip: str | Path | None = None,
) -> Iterator[pa.Table]:
    """Predict as `predict` does, some records at a time: a file of any size takes little memory.

    Parameters
    ----------
    run_dir, files, columns, clip
        As for `predict`.
    """
    model, adapter, values = finished_run(Path(run_dir))
    paths = [Path(file) for file in files]
    as_files = bool(paths) and all(is_media(path, adapter) for path in paths)
    if clip and not (as_files and model.recipe.problem == "span" and isinstance(adapter, CutsFiles)):
        raise RecipeError(f"{clip}: no answer can be cut out", expected="a question and a passage that are sound files")
    if as_files:
        table = transcribed(table_of_files(paths, paired=values["paired"]), adapter, Path())
        pieces = iter([Piece(table, 1.0)])
    elif len(paths) == 1:
        pieces = load_pieces(paths[0], model.recipe, adapter, columns=columns, paired=values["paired"])
    else:
        single = f", or files that end in {', '.join(endings(adapter))}" if endings(adapter) else ""
        raise RecipeError(f"{len(paths)} files to predict", expected=f"one CSV, TSV or FASTA file{single}")
    for place, piece in enumerate(_shown(pieces)):
        several = place > 0 or piece.done < 1
        examples, answers = answered(model, adapter, piece.table, values["classes"], several=several, first=not place)
        if clip and isinstance(adapter, CutsFiles):
            adapter.clip(paths[1], answers["start"][0].as_py(), answers["end"][0].as_py(), Path(clip))
        yield pa.table({"id": pa.array(examples.ids, pa.string()), **answers})


def _shown(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Report the progress through `pieces`: records, records a second, and how long the rest will take."""
    begun = told = time.monotonic()
    records = 0
    for place, piece in enumerate(pieces):
        yield piece
        records += piece.table.num_rows
        total = max(records, round(records / max(piece.done, 1e-9)))
        if not place:
            reporter().started("predicting", total, 0, unit="records")
        reporter().advanced(records)
        now = time.monotonic()
        if isinstance(reporter(), Silent) and now - told > EVERY:
            pace = records / (now - begun)
            left = timedelta(seconds=round((total - records) / pace))
            log.info(f"{records:,} of about {total:,} records, {pace:,.0f} a second, {left} left")
            told = now


def finished_run(folder: Path) -> tuple[Saved, Adapter, dict[str, Any]]:
    """Read the model of a finished run in `folder`, its adapter, and the contents of its ``result.json``.

    Raises
    ------
    BackboneError
        It holds no finished run.
    """
    if (folder / RECIPE).is_file() and not is_done(folder):
        raise BackboneError(f"the run in {folder} is not finished", fix="the same `xdomain run …` with --resume")
    model = load_saved(folder)
    return model, saved_adapter(folder, model.recipe), read_result(folder).values


def answered(
    model: Saved,
    adapter: Adapter,
    table: pa.Table,
    classes: Sequence[str],
    *,
    several: bool = False,
    first: bool = True,
) -> tuple[Examples, dict[str, pa.Array]]:
    """Encode the records of a raw table and predict them.

    Parameters
    ----------
    model, adapter
        Those of one run.
    table
        The records, validated, as `xdomain.data.loading.load_file` returns them.
    classes
        Names of the model's classes, in their order.
    several
        Whether the table is one of several pieces: see `WHOLE`.
    first
        Whether to look at the records as a whole, and warn: once for a file is enough.

    Returns
    -------
    tuple
        The encoded records, and the columns of `predict` except id.

    Raises
    ------
    OutOfMemoryError
        The model and the records that it reads at once need more memory than the device has.
    """
    examples = encoded(model, adapter, table, classes, first=first)
    records = np.arange(len(examples))
    filled = np.concatenate([records, np.full(-len(records) % WHOLE, records[-1])]) if several else records
    with enough_memory(lambda: scoring_need(model.recipe.train)):
        scores = model.scores(examples, filled)
    if several:
        symbols = model.recipe.problem == "tagging"
        scores = scores[: len(examples.symbols.values) if symbols else len(records)]
    return examples, predicted(examples, adapter, records, scores)


def encoded(model: Saved, adapter: Adapter, table: pa.Table, classes: Sequence[str], *, first: bool = True) -> Examples:
    """Encode the records of a raw table, with all of them in the split ``test``.

    Parameters
    ----------
    model, adapter, table, classes, first
        As for `answered`.

    Raises
    ------
    DataError
        A record cannot be encoded, has no symbols, or has a label that is none of `classes`.
    """
    split = np.full(table.num_rows, "test")
    examples = encode_examples(table, adapter, model.recipe.problem, split, classes=classes)
    check_symbols(examples)
    if first:
        warn_of_other_domain(examples, adapter)
    return examples


def scoring_need(train: Train) -> Need:
    """What scoring with the options `train` needs memory for, and how to need less."""
    from xdomain.training.arguments import scored_at_once  # which loads torch

    parts = train.gradient_accumulation_steps
    return Need(
        f"scores of {scored_at_once(train)} windows at once (train.batch_size={train.batch_size}, "
        f"train.gradient_accumulation_steps={parts}, train.max_length={train.max_length or 'the positions there are'})",
        f"a larger gradient_accumulation_steps in the run's {RECIPE}, such as {4 * parts}; where a GPU is too small, "
        "CUDA_VISIBLE_DEVICES= in front of the command scores on the CPU",
    )
