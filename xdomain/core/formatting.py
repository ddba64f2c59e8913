"""Numbers and tables formatted for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # do not load pyarrow for messages
    import pyarrow as pa


def number(value: float | None) -> str:
    """Format `value` with four decimals, or as a dash if it is None or not finite."""
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "–"


def with_interval(entry: Mapping[str, Any]) -> str:
    """Format the metric `entry` of a ``result.json``: its ``value``, and ``[low, high]`` if it has an interval."""
    if entry.get("low") is None or entry.get("high") is None:
        return number(entry["value"])
    return f"{number(entry['value'])} [{number(entry['low'])}, {number(entry['high'])}]"


def duration(seconds: float) -> str:
    """Format `seconds` for reading: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def as_frame(table: pa.Table) -> Any:
    """Convert `table` to a ``pandas.DataFrame`` if pandas is installed, else return it unchanged."""
    return table.to_pandas() if find_spec("pandas") else table
