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
from xdomain.core.disk import writing
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


def write_vectors(out: Path, batches: Iterable[Batch], *, width: int, pooling: Pooling) -> int:
    """Write embeddings to a file, one batch at a time.

    Parameters
    ----------
    out
        ``.npy``: an array, shape (n, width), float32, with an id a line in `ids_file` beside it. ``.parquet``: the
        columns ``id`` and ``embedding``, a list of `width` float32, or where nothing is pooled a list of such lists;
        a row group for each batch.
    batches
        In file order.
    width
        Of a vector.
    pooling
        With ``none`` there is a matrix for each record.

    Returns
    -------
    int
        How many records there were.

    Raises
    ------
    OutputError
        The file cannot be written.
    DataError
        An id has a line break, which a file of ids cannot hold.
    """
    with writing(out):
        if out.suffix.lower() == ".npy":
            with whole_or_nothing(ids_file(out)) as names, whole_or_nothing(out) as part:
                return _write_array(part, names, batches, width)
        with whole_or_nothing(out) as part:
            return _write_parquet(part, batches, width, pooling)


def _write_array(part: Path, names: Path, batches: Iterable[Batch], width: int) -> int:
    rows = 0
    with part.open("wb") as array, names.open("w", encoding="utf-8", newline="\n") as lines:
        _write_header(array, 0, width)
        for ids, vectors in batches:
            array.write(np.stack(vectors).astype("<f4", copy=False).tobytes())
            rows += len(ids)
            for name in ids:
                if len(name.splitlines()) > 1:
                    raise DataError(f"the id {name!r} has a line break", expected="an id on one line",
                                    fix="a file that ends in .parquet holds such ids")  # fmt: skip
                lines.write(f"{name}\n")
        array.seek(0)
        _write_header(array, rows, width)  # as long as the first: numpy leaves room for the number of rows to grow
    return rows


def _write_header(file: IO[bytes], rows: int, width: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, header)


def _write_parquet(part: Path, batches: Iterable[Batch], width: int, pooling: Pooling) -> int:
    records = 0
    vector = pa.list_(pa.float32(), width)
    kind = pa.list_(vector) if pooling == "none" else vector
    schema = pa.schema([("id", pa.string()), ("embedding", kind)])
    with pq.ParquetWriter(part, schema, use_dictionary=False) as writer:
        for ids, vectors in batches:
            records += len(ids)
            rows = pa.array(np.concatenate([np.ravel(one) for one in vectors]), pa.float32())
            column: pa.Array = pa.FixedSizeListArray.from_arrays(rows, width)
            if pooling == "none":
                ends = np.cumsum([0, *(len(one) for one in vectors)]).astype(np.int32)
                column = pa.ListArray.from_arrays(pa.array(ends), column, type=kind)
            writer.write_table(pa.table([pa.array(ids, pa.string()), column], schema=schema))
    return records


def write_attention(out: Path, records: Iterable[tuple[str, Sequence[str], NDArray[np.float32]]]) -> int:
    """Write attention weights to an ``.npz`` file, one record at a time.

    Parameters
    ----------
    out
        ``numpy.load`` reads it: ``attention/ID``, shape (layers, heads, s, s), and ``positions/ID``, shape (s,).
    records
        The id of each record, the names of its positions, and its weights.

    Returns
    -------
    int
        How many records there were.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    count = 0
    with writing(out), whole_or_nothing(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, positions, weights in records:
            count += 1
            for kind, array in (("attention", weights), ("positions", np.array(positions, np.str_))):
                with archive.open(f"{kind}/{name}.npy", "w", force_zip64=True) as file:
                    _write(file, array)
    return count


def _write(file: IO[bytes], array: NDArray[np.float32] | NDArray[np.str_]) -> None:
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
