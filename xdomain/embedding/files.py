"""Files of embeddings and of attention weights, written as they come and whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xdomain.core.choices import Pooling
from xdomain.core.errors import DataError, OutputError
from xdomain.core.run_dir import check_new_file, whole_or_nothing

VECTOR_FILES, ATTENTION_FILES = (".npy", ".parquet"), (".npz",)
Batch = tuple[Sequence[str], Sequence[NDArray[np.float32]]]
"""Ids of some records, and a vector, or a matrix with a row for each symbol, of each."""


def check_vector_file(out: Path, pooling: Pooling, *, overwrite: bool = False) -> None:
    """Refuse a file `out` that `write_vectors` could not write; call this before anything is computed.

    Parameters
    ----------
    out, pooling
        As for `write_vectors`.
    overwrite
        Whether it may replace a file that is there.

    Raises
    ------
    OutputError
        It ends neither in .npy nor in .parquet, or in .npy where `pooling` is none, its folder does not exist, or it
        exists and is not to be replaced.
    """
    check_new_file(out, VECTOR_FILES, overwrite=overwrite)
    if pooling == "none" and out.suffix.lower() == ".npy":
        raise OutputError(
            f"{out}: records have as many vectors as symbols, and an array has rows of one length",
            expected="a file that ends in .parquet",
            fix=f"--out {out.with_suffix('.parquet')}",
        )


def ids_file(out: Path) -> Path:
    """The file of ids beside the array `out`: ``x.ids.txt`` beside ``x.npy``."""
    return out.with_suffix(".ids.txt")


def write_vectors(out: Path, batches: Iterable[Batch], *, records: int, width: int, pooling: Pooling) -> None:
    """Write embeddings to a file, one batch at a time.

    Parameters
    ----------
    out
        ``.npy``: an array, shape (n, width), float32, with an id a line in `ids_file` beside it. ``.parquet``: the
        columns ``id`` and ``embedding``, a list of `width` float32, or where nothing is pooled a list of such lists;
        a row group for each batch.
    batches
        In file order.
    records
        How many there are in all batches together.
    width
        Of a vector.
    pooling
        With ``none`` there is a matrix for each record.

    Raises
    ------
    OutputError
        The file cannot be written.
    DataError
        An id has a line break, which a file of ids cannot hold.
    """
    try:
        if out.suffix.lower() == ".npy":
            with whole_or_nothing(ids_file(out)) as names, whole_or_nothing(out) as part:
                _write_array(part, names, batches, (records, width))
        else:
            with whole_or_nothing(out) as part:
                _write_parquet(part, batches, width, pooling)
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror})", fix="another --out") from None


def _write_array(part: Path, names: Path, batches: Iterable[Batch], shape: tuple[int, int]) -> None:
    array = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
    row = 0
    with names.open("w", encoding="utf-8", newline="\n") as file:
        for ids, vectors in batches:
            array[row : row + len(ids)] = vectors
            array.flush()
            row += len(ids)
            for name in ids:
                if len(name.splitlines()) > 1:
                    raise DataError(f"the id {name!r} has a line break", expected="an id on one line",
                                    fix="a file that ends in .parquet holds such ids")  # fmt: skip
                file.write(f"{name}\n")


def _write_parquet(part: Path, batches: Iterable[Batch], width: int, pooling: Pooling) -> None:
    vector = pa.list_(pa.float32(), width)
    kind = pa.list_(vector) if pooling == "none" else vector
    schema = pa.schema([("id", pa.string()), ("embedding", kind)])
    with pq.ParquetWriter(part, schema, use_dictionary=False) as writer:
        for ids, vectors in batches:
            rows = pa.array(np.concatenate([np.ravel(one) for one in vectors]), pa.float32())
            column: pa.Array = pa.FixedSizeListArray.from_arrays(rows, width)
            if pooling == "none":
                ends = np.cumsum([0, *(len(one) for one in vectors)]).astype(np.int32)
                column = pa.ListArray.from_arrays(pa.array(ends), column, type=kind)
            writer.write_table(pa.table([pa.array(ids, pa.string()), column], schema=schema))


def write_attention(out: Path, records: Iterable[tuple[str, Sequence[str], NDArray[np.float32]]]) -> None:
    """Write attention weights to an ``.npz`` file, one record at a time.

    Parameters
    ----------
    out
        ``numpy.load`` reads it: ``attention/ID``, shape (layers, heads, s, s), and ``positions/ID``, shape (s,).
    records
        The id of each record, the names of its positions, and its weights.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    try:
        with whole_or_nothing(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, positions, weights in records:
                for kind, array in (("attention", weights), ("positions", np.array(positions, np.str_))):
                    with archive.open(f"{kind}/{name}.npy", "w", force_zip64=True) as file:
                        _write(file, array)
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror})", fix="another --out") from None


def _write(file: IO[bytes], array: NDArray[np.float32] | NDArray[np.str_]) -> None:
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
