"""Predict new records with a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from xdomain.core.adapter_protocols import CutsFiles
from xdomain.core.errors import RecipeError
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log
from xdomain.core.recipe_sections import Columns
from xdomain.data.label_sets import with_joint
from xdomain.data.pieces import with_progress
from xdomain.data.records import are_media, pieces_of
from xdomain.inference.predictor import load_predictor
from xdomain.metrics.outputs import SYMBOLS


def predict(
    run_dir: str | Path | Sequence[str | Path],
    *files: str | Path,
    columns: Columns | None = None,
    clip: str | Path | None = None,
    reverse_complement: bool = False,
    unlike: bool = False,
    overrides: Overrides = (),
) -> pa.Table:
    """Predict with a run's model: the records of a file, or sound or music files.

    Parameters
    ----------
    run_dir
        A finished run's folder; or several, whose probabilities or values are averaged. They must have the same
        domain, problem and classes, and not be for span.
    files
        One CSV, TSV or FASTA file; or, if the domain has them, sound or music files: one per record, or for a model
        that reads two sequences the question and the passage.
    columns
        The columns by what they hold. Those left as None are named as in the run's own data, or guessed.
    clip
        File to write the answer to, cut out of the passage. Only for a question and a passage that are sound files.
    reverse_complement
        Whether to average the answers for both strands of each DNA sequence; for classification and regression.
    unlike
        Whether to tell records that are unlike the training data.
    overrides
        Changes to how the files are read, such as ``reader_options.names=id,sequence`` or
        ``adapter.options.unknown=count``; the symbols of the model stay.

    Returns
    -------
    pyarrow.Table
        In file order: id, prediction (the name of a class, a list of labels, a value, the text of an output, or a list
        of tags: one per symbol, for text one per word), score (the probability of the prediction, or the value; not
        for multilabel), and for classes and labels p(NAME) for each. For span: id, start and end (in the passage's own
        coordinate: seconds, characters, nt; null where there is no answer), answer and score; if training questions
        had no answer also
        ``p(no answer)``. For several runs also std (the standard deviation over runs of that
        probability or value; for multilabel the mean over labels) and, where there are classes or labels, agreement
        (the share of runs that predict the same); for tagging one of each per tag. With `unlike` also length, unknown,
        unseen and unlike, see `xdomain.data.familiar.Familiar.columns`.

    Raises
    ------
    UserError
        `run_dir` holds no trained model, or a record of `files` cannot be read.
    """
    pieces = predict_pieces(
        run_dir, *files, columns=columns, clip=clip, reverse_complement=reverse_complement, unlike=unlike,
        overrides=overrides,
    )  # fmt: skip
    return pa.concat_tables(pieces)


def predict_pieces(
    run_dir: str | Path | Sequence[str | Path],
    *files: str | Path,
    columns: Columns | None = None,
    clip: str | Path | None = None,
    reverse_complement: bool = False,
    unlike: bool = False,
    overrides: Overrides = (),
) -> Iterator[pa.Table]:
    """Predict as `predict` does, some records at a time: a file of any size takes little memory.

    Parameters
    ----------
    run_dir, files, columns, clip, reverse_complement, unlike, overrides
        As for `predict`.
    """
    folders = [run_dir] if isinstance(run_dir, (str, Path)) else run_dir
    model = load_predictor(*folders, reverse_complement=reverse_complement, unlike=unlike, overrides=overrides)
    adapter = model.adapter
    paths = [Path(file) for file in files]
    if clip and not (are_media(paths, adapter) and model.recipe.problem == "span" and isinstance(adapter, CutsFiles)):
        raise RecipeError(f"{clip}: no answer can be cut out", expected="a question and a passage that are sound files")
    pieces = pieces_of(paths, model.recipe, adapter, columns=columns, paired=model.paired)
    for place, piece in enumerate(with_progress(pieces, "predicting")):
        several = place > 0 or piece.done < 1
        examples, answers = model.answers(piece.table, several=several, first=not place)
        if clip and isinstance(adapter, CutsFiles):
            start, end = answers["start"][0].as_py(), answers["end"][0].as_py()
            if start is None:
                log.warning(f"the passage holds no answer: {clip} is not written")
            else:
                adapter.clip(paths[1], start, end, Path(clip))
        answers.pop(SYMBOLS.format("prediction"), None)  # which judge an output, and say no more than its text
        table = pa.table({"id": pa.array(examples.ids, pa.string()), **answers})
        if model.recipe.problem == "multilabel":  # whose names may hold blanks
            table = with_joint(table, model.classes, model.recipe.reader_options)
        yield table
