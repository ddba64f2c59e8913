"""Tables as people at a notebook want them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def as_frame(table: pa.Table) -> Any:
    """Give a table as a ``pandas.DataFrame`` where pandas is installed, else as it is."""
    try:
        import pandas  # noqa: F401
    except ImportError:
        return table
    return table.to_pandas()
