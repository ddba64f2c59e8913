"""Write records that are in memory to a file, so that a recipe can name them and a run can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from xdomain.core.disk import writing
from xdomain.core.errors import DataError
from xdomain.core.run_dir import write_text
from xdomain.data.formats.typed_tables import texts
from xdomain.data.sources import data_home

FOLDER = "in-memory"
SET_HOME = "export XDOMAIN_DATA=FOLDER, with a folder of your own"
ORIGIN = ".origin"
IN_MEMORY = "the table in memory"
EXPECTED = "a path, a pandas or Arrow table, or (sequences, labels); with negatives also a list of sequences"


def data_file(data: Any) -> Path:
    """The file that holds some records; writes it for records in memory.

    Parameters
    ----------
    data
        The path of a file, which is returned unchanged; or records in memory: a ``pandas.DataFrame``, a
        ``pyarrow.Table``, or two sequences of equal length, the sequences of the domain and their labels; or a list
        of strings, sequences without labels.

    Returns
    -------
    Path
        For records in memory, a CSV file in ``data_home() / "in-memory"``, named by a hash of its content.

    Raises
    ------
    DataError
        `data` is something else, or sequences and labels differ in number.
    """
    if isinstance(data, (str, Path)):
        return Path(data)
    return store_table(_table(data), "table", IN_MEMORY)


def store_table(table: pa.Table, name: str, origin: str) -> Path:
    """The CSV file of a table below ``data_home()``, written once.

    Parameters
    ----------
    table
        The records.
    name
        The file is called so, and by a hash of its content.
    origin
        What messages call it, as users know no such file: see `display_name`.
    """
    columns = {name: _plain(table.column(name)) for name in table.column_names}
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(pa.table(columns), sink)
    content = sink.getvalue().to_pybytes()
    file = data_home() / FOLDER / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.csv"
    with writing(file, expected="a folder for records in memory that you may write to", fix=SET_HOME):
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, content.decode())
        if display_name(file) != origin:
            write_text(file.with_suffix(ORIGIN), origin)
    return file


def display_name(path: Path) -> str:
    """What messages call the file `path`: for one that `store_table` wrote, where its records come from."""
    note = path.with_suffix(ORIGIN)
    return note.read_text("utf-8") if path.parent.name == FOLDER and note.is_file() else str(path)


def table_of_sequences(sequences: Sequence[Any], *, paired: bool) -> pa.Table:
    """The raw table of some `sequences`, numbered from 1: strings, or if `paired` pairs of strings.

    Raises
    ------
    DataError
        There are none, or one is of the other kind.
    """
    if isinstance(sequences, (str, bytes)):
        raise DataError(
            "a single string",
            expected="a list of sequences",
            fix="model.predict([sequence]); for a file xdomain.predict(run, file)",
        )
    records: list[Any] = list(sequences)
    if not records:
        raise DataError("no sequences", expected="one or more")
    wrong = next((i for i, one in enumerate(records) if isinstance(one, str) == paired), None)
    if wrong is not None:
        expected = "a pair of strings each" if paired else "a string each"
        raise DataError(f"record {wrong + 1}: {type(records[wrong]).__name__}", expected=expected)
    columns: dict[str, Any] = {"id": [str(i + 1) for i in range(len(records))]}
    if paired:
        columns |= {"sequence": [one for one, _ in records], "sequence_b": [other for _, other in records]}
    else:
        columns["sequence"] = records
    return pa.table(columns)


def are_sequences(data: Any) -> bool:
    """Whether `data` is a list of strings: sequences without labels."""
    return isinstance(data, list) and bool(data) and all(isinstance(one, str) for one in data)  # pyright: ignore


def _table(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if hasattr(data, "iloc") and hasattr(data, "columns"):  # a DataFrame; pandas is not a dependency
        return pa.Table.from_pandas(data, preserve_index=False)
    if isinstance(data, tuple) and len(parts := tuple(data)) == 2 and not isinstance(parts[0], (str, bytes)):  # pyright: ignore
        sequences, labels = (list(part) for part in parts)  # pyright: ignore
        if len(sequences) != len(labels):
            raise DataError(f"{len(sequences):,} sequences and {len(labels):,} labels", expected="a label a sequence")
        return pa.table({"sequence": _array(sequences), "label": _array(labels)})
    if are_sequences(data):
        return pa.table({"sequence": data})
    raise DataError(f"data of type {type(data).__name__}", expected=EXPECTED)


def _array(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException as error:
        raise DataError(f"values of mixed types ({error})", expected=EXPECTED) from None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Lists, such as one tag per symbol, and objects as text for a CSV, as those of files are read."""
    nested = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_struct)
    return texts(column.to_pylist()) if any(is_nested(column.type) for is_nested in nested) else column
