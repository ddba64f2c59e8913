"""Tables as people at a notebook want them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pyarrow as pa


def as_frame(table: pa.Table) -> Any:
    """Give a table as a ``pandas.DataFrame`` where pandas is installed, else as it is."""
    return table.to_pandas() if find_spec("pandas") else table
