"""Numbers and tables formatted for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # messages do without arrays
    import pyarrow as pa


def number(value: float | None) -> str:
    """Four digits, or a dash where a metric is undefined."""
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "–"


def with_interval(entry: Mapping[str, Any]) -> str:
    """A metric's value and its interval, where the run kept one."""
    if entry.get("low") is None or entry.get("high") is None:
        return number(entry["value"])
    return f"{number(entry['value'])} [{number(entry['low'])}, {number(entry['high'])}]"


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def as_frame(table: pa.Table) -> Any:
    """Give a table as a ``pandas.DataFrame`` where pandas is installed, else as it is."""
    return table.to_pandas() if find_spec("pandas") else table
