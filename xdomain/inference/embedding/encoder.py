"""What the encoder of a run, or a backbone as it is, makes of records: embeddings and attention weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from xdomain.core.choices import Pooling
from xdomain.core.errors import RecipeError
from xdomain.core.memory import enough_memory
from xdomain.core.progress import log
from xdomain.core.recipe_sections import Columns
from xdomain.core.run_dir import check_new_file
from xdomain.core.sequences import Adapter, object_array
from xdomain.data.dataset import Examples
from xdomain.data.pieces import Piece, with_progress
from xdomain.data.records import pieces_of, records_in_memory
from xdomain.inference.embedding.files import ATTENTION_FILES, check_vector_file, write_attention, write_vectors
from xdomain.inference.predictor import encoded, scoring_need
from xdomain.inference.saved_model import Saved
from xdomain.training.saved_encoder import SavedModel

pc: Any = pyarrow.compute  # its functions are made at import and have no types
Data = str | Path | Sequence[str] | Sequence[tuple[str, str]]
"""A file of records, or sequences in memory: strings, or pairs of strings for a model that reads two."""
AT_ONCE = 2**24
"""Values of float32 that the vectors of one batch may have, if each character is a symbol with a vector: 64 MiB."""
MAX_RECORDS = 8192
WORDS = {
    "mean": "mean over symbols",
    "max": "largest over symbols",
    "cls": "the first token",
    "none": "one for each symbol",
}


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The embeddings of n records.

    Parameters
    ----------
    ids
        Of the records: the file's own, or numbers from 1.
    vectors
        Shape (n, width), float32; with the pooling ``none`` an object array of n matrices, shape (symbols, width).
    """

    ids: tuple[str, ...]
    vectors: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Attention:
    """The attention weights of one record.

    Parameters
    ----------
    id
        Of the record.
    positions
        What stands at each of the s positions: a symbol, or a special token of the backbone.
    weights
        Shape (layers, heads, s, s), float32: how much of its attention the position of the third axis pays to that of
        the fourth; the fourth axis sums to 1.
    """

    id: str
    positions: tuple[str, ...]
    weights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Encoder:
    """What reads records: the fine-tuned encoder of a run, or a backbone that was not fine-tuned.

    `xdomain.inference.embedding.open_encoder.open_encoder` makes it.

    Parameters
    ----------
    width
        Values of a vector.
    layers
        How many the encoder has.
    """

    width: int
    layers: int
    _saved: SavedModel
    _adapter: Adapter
    _classes: tuple[str, ...]
    _paired: bool

    def embed(
        self, data: Data, *, columns: Columns | None = None, layer: int = -1, pooling: Pooling = "mean"
    ) -> Embeddings:
        """Compute the embedding of each record.

        Parameters
        ----------
        data
            A file of records, or sequences.
        columns
            The columns of a file by what they hold; None: guessed.
        layer
            As in the ``hidden_states`` of `transformers`: 0 is the embedding layer, -1 the last layer.
        pooling
            ``mean``: over the symbols of a record, special tokens left out. ``max``: the largest value of each
            dimension over the same symbols. ``cls``: the state of the first token, averaged over windows. ``none``:
            one vector per symbol.

        Raises
        ------
        RecipeError
            The encoder has no such layer, or there is no such pooling.
        DataError
            A record cannot be read.
        """
        ids: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        for some, found in self._embedded(self._pieces(data, columns), layer, pooling):
            ids += some
            vectors += found
        return Embeddings(tuple(ids), object_array(vectors) if pooling == "none" else np.stack(vectors))

    def write_embeddings(
        self,
        out: str | Path,
        *files: str | Path,
        columns: Columns | None = None,
        layer: int = -1,
        pooling: Pooling = "mean",
        overwrite: bool = False,
    ) -> None:
        """Compute the embeddings of the records of a file, and write them as they come.

        Memory holds one batch of vectors and, of tables, FASTA and FASTQ, a part of the file.

        Parameters
        ----------
        out
            A ``.npy`` or ``.parquet`` file, see `xdomain.inference.embedding.files.write_vectors`.
        files
            A file of records, or sound or music files that are a record each.
        columns, layer, pooling
            As for `embed`.
        overwrite
            Whether to replace a file that is there.

        Raises
        ------
        OutputError
            `out` cannot be written, has another ending, or is there already.
        RecipeError, DataError
            As for `embed`.
        """
        out = Path(out)
        check_vector_file(out, pooling, overwrite=overwrite)
        batches = self._embedded(self._pieces_of(files, columns), layer, pooling)
        records = write_vectors(out, batches, width=self.width, pooling=pooling)
        number = layer if layer >= 0 else self.layers + 1 + layer
        log.info(
            f"{records:,} records: vectors of width {self.width}, layer {number} of {self.layers}, "
            f"{WORDS[pooling]} -> {out}"
        )

    def attention(self, data: Data, *, columns: Columns | None = None, layer: int | None = None) -> list[Attention]:
        """Compute the attention weights of each record.

        Parameters
        ----------
        data, columns
            As for `embed`. Every record must fit one window.
        layer
            1 is the first layer, -1 the last. None: all of them.

        Raises
        ------
        DataError
            A record is longer than a window, or cannot be read.
        RecipeError
            The encoder has no such layer.
        BackboneError
            The encoder is a Longformer.
        """
        return list(self._attention(self._pieces(data, columns), layer))

    def write_attention(
        self,
        out: str | Path,
        *files: str | Path,
        columns: Columns | None = None,
        layer: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Compute the attention weights of the records of a file, and write them as they come.

        Parameters
        ----------
        out
            An ``.npz`` file, see `xdomain.inference.embedding.files.write_attention`.
        files
            A file of records, or sound or music files that are a record each.
        columns, layer
            As for `attention`.
        overwrite
            Whether to replace a file that is there.

        Raises
        ------
        OutputError
            `out` cannot be written, has another ending, or is there already.
        DataError, RecipeError, BackboneError
            As for `attention`.
        """
        out = Path(out)
        check_new_file(out, ATTENTION_FILES, overwrite=overwrite)
        found = self._attention(self._pieces_of(files, columns), layer)
        records = write_attention(out, ((one.id, one.positions, one.weights) for one in found))
        log.info(f"{records:,} records: attention weights -> {out}")

    def _pieces(self, data: Data, columns: Columns | None) -> Iterable[Piece]:
        if isinstance(data, (str, Path)):
            return self._pieces_of([data], columns)
        return [Piece(records_in_memory(data, self._adapter, paired=self._paired), 1.0)]

    def _pieces_of(self, files: Sequence[str | Path], columns: Columns | None) -> Iterable[Piece]:
        paths = [Path(file) for file in files]
        return pieces_of(paths, self._saved.recipe, self._adapter, columns=columns, paired=self._paired)

    def _embedded(
        self, pieces: Iterable[Piece], layer: int, pooling: Pooling
    ) -> Iterator[tuple[list[str], list[NDArray[np.float32]]]]:
        for examples in self._encoded(pieces, "embedding"):
            with enough_memory(lambda: scoring_need(self._saved.recipe.train)):
                vectors = self._saved.embed(examples, layer=layer, pooling=pooling)
            yield list(examples.ids), vectors

    def _attention(self, pieces: Iterable[Piece], layer: int | None) -> Iterator[Attention]:
        for examples in self._encoded(pieces, "attention"):
            with enough_memory(lambda: scoring_need(self._saved.recipe.train)):
                found = self._saved.attention(examples, layer=layer)
                for name, (positions, weights) in zip(examples.ids, found, strict=True):
                    yield Attention(name, tuple(positions), weights)

    def _encoded(self, pieces: Iterable[Piece], doing: str) -> Iterator[Examples]:
        """The records of `pieces`, encoded a batch at a time, with the progress of what is done with them."""
        first = True
        for piece in with_progress(_batches(pieces, AT_ONCE // self.width), doing):
            yield encoded(piece.table, self._adapter, self._saved.recipe, self._classes, first=first)
            first = False


def encoder_of(saved: Saved, adapter: Adapter, classes: tuple[str, ...], paired: bool, *, what: str) -> Encoder:
    """Make an encoder of a trained model.

    Parameters
    ----------
    saved, adapter, classes
        Those of a run.
    paired
        Whether the model reads two sequences per record.
    what
        What is asked of it, for the message.

    Raises
    ------
    RecipeError
        The model is a simple baseline.
    """
    if not isinstance(saved, SavedModel):
        raise RecipeError(f"{what} of a {saved.recipe.run.baseline} baseline", expected="the run of an encoder")
    config = saved.reader.config
    return Encoder(int(config.hidden_size), int(config.num_hidden_layers), saved, adapter, classes, paired)


def _batches(pieces: Iterable[Piece], most: int) -> Iterator[Piece]:
    """The records of `pieces`, cut into `_parts`."""
    before = 0.0
    for piece in pieces:
        rows = 0
        for part in _parts(piece.table, most):
            rows += part.num_rows
            yield Piece(part, before + (piece.done - before) * rows / piece.table.num_rows)
        before = piece.done


def _parts(table: pa.Table, most: int) -> Iterator[pa.Table]:
    """Slices of `table` with at most `most` characters each, or one record, in file order."""
    lengths = sum(
        pc.utf8_length(table.column(name)).to_numpy().astype(np.int64)
        for name in ("sequence", "sequence_b")
        if name in table.column_names
    )
    ends: NDArray[np.int64] = np.cumsum(lengths)
    first = 0
    while first < table.num_rows:
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + most, side="right")))
        last = min(last, first + MAX_RECORDS)
        yield table.slice(first, last - first)
        first = last
