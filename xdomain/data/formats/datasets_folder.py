"""Data sets of the Hugging Face hub: a folder that ``datasets`` saved, or a name to load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError, MissingError
from xdomain.core.json_text import parse_json
from xdomain.data.formats.typed_tables import as_strings, raw_arrow
from xdomain.data.validate import SPLIT_NAMES


def is_datasets_folder(folder: Path) -> bool:
    """Whether ``save_to_disk`` of ``datasets`` wrote `folder`, for one split or several."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def read_datasets_folder(folder: Path) -> pa.Table:
    """All records of the data set in `folder`, as strings.

    Returns
    -------
    pa.Table
        Its own columns, with the names of classes for their numbers; and ``split`` where it has several.

    Raises
    ------
    DataError
        A part of it is missing or damaged.
    """
    if (folder / "state.json").is_file():
        return _part(folder)
    splits = _json(folder / "dataset_dict.json").get("splits", [])
    return _joined({str(name): _part(folder / str(name)) for name in splits}, str(folder))


def read_hub(name: str) -> pa.Table:
    """All records of the data set `name` of the hub, ``OWNER/NAME`` or ``OWNER/NAME:CONFIGURATION``, as strings.

    Returns
    -------
    pa.Table
        As `read_datasets_folder`.

    Raises
    ------
    MissingError
        ``datasets`` is not installed, or the data set cannot be loaded.
    """
    try:
        import datasets
    except ImportError:
        raise MissingError(f"hub:{name} needs datasets", fix="pip install 'xdomain[hub]'") from None
    path, _, configuration = name.partition(":")
    try:
        loaded: Any = datasets.load_dataset(path, configuration or None)
    except Exception as error:  # whatever the hub, its scripts or the network make
        raise MissingError(
            f"the data set {name} cannot be loaded ({str(error).splitlines()[0][:200] if str(error) else error!r})",
            expected="a public data set of the hub without code of its own, as OWNER/NAME or OWNER/NAME:CONFIGURATION",
        ) from None
    parts = {split: _named(part.data.table, part.features) for split, part in loaded.items()}
    return _joined({split: as_strings(table, f"hub:{name}") for split, table in parts.items()}, f"hub:{name}")


def _part(folder: Path) -> pa.Table:
    names = [str(entry["filename"]) for entry in _json(folder / "state.json").get("_data_files", [])]
    if not names:
        raise DataError(f"{folder} names no data files", expected="a data set that datasets saved")
    typed = pa.concat_tables([raw_arrow(folder / name, typed=True) for name in names])
    info = folder / "dataset_info.json"
    features = _json(info).get("features") or {} if info.is_file() else {}
    return as_strings(_named(typed, features), folder)


def _named(table: pa.Table, features: Mapping[str, Any]) -> pa.Table:
    """The numbers of a column of classes replaced by the names that `features` gives them."""
    for column, feature in features.items():
        names = feature.get("names") if isinstance(feature, Mapping) else getattr(feature, "names", None)
        if not names or column not in table.column_names:
            continue
        cells = [None if n is None or n < 0 else str(names[n]) for n in table.column(column).to_pylist()]
        table = table.set_column(table.column_names.index(column), column, pa.array(cells, pa.string()))
    return table


def _joined(parts: Mapping[str, pa.Table], where: str) -> pa.Table:
    if not parts:
        raise DataError(f"{where} holds no splits", expected="at least one")
    known = {name: table for name, table in parts.items() if SPLIT_NAMES.get(name.lower())}
    if len(parts) == 1:
        return next(iter(parts.values()))
    if len(known) < len(parts):
        other = next(name for name in parts if name not in known)
        raise DataError(f"{where} has a split {other!r}", expected="splits named train, validation and test")
    tables = [
        table.drop_columns(["split"] if "split" in table.column_names else []).append_column(
            "split", pa.array([name] * table.num_rows, pa.string())
        )
        for name, table in known.items()
    ]
    return pa.concat_tables(tables, promote_options="default")


def _json(path: Path) -> dict[str, Any]:
    try:
        return parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error})", expected="a folder that datasets saved, whole") from None
